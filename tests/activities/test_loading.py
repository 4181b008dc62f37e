"""Loading recipients, and the dry run of every template for each of them."""

from collections.abc import Mapping
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.checks import Check
from activities.loading import LoadingActivities
from serienmail.domain.errors import TemplateFault
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Load, Loaded
from serienmail.domain.mass_mail import OnMissing
from tests.fakes import KEY, FakeRecipients, FakeTemplates, FakeVisits

PEOPLE = [{"city": "Jena", "company": "Weiß AG"}, {"city": "", "company": ""}, {"city": "Ulm", "company": ""}]
NEEDED = {"autumn@1": ["city"], "again@1": ["company"]}
either_way = pytest.mark.parametrize("plain", [False, True], ids=["rendered", "by the database"])


async def load(recipients: FakeRecipients, on_missing: OnMissing, plain: bool) -> Loaded:
    wanted = Load(
        key=KEY, revision=1, opted_in_only=True, on_missing=on_missing, templates=("autumn@1", "again@1", "autumn@1")
    )
    activities = LoadingActivities(recipients, FakeTemplates(NEEDED, plain=plain), FakeVisits())
    return await ActivityEnvironment().run(activities.load_recipients, wanted)


@either_way
async def test_every_empty_placeholder_of_mass_mail_and_follow_ups_is_counted_by_name(plain: bool) -> None:
    loaded = await load(FakeRecipients(PEOPLE), OnMissing.REFUSE, plain)
    assert loaded.missing == {"contact.city": 1, "contact.company": 2}
    assert loaded.problem is not None
    assert "contact.city for 1" in loaded.problem


async def test_a_fault_in_one_contact_s_data_is_told_with_the_number_of_contacts() -> None:
    fault = "the header Subject would hold a line break or control character; remove it from the data"

    class Faulty(FakeTemplates):
        async def check(self, template: str, account: str) -> Check:
            def run(contact: Mapping[str, Any]) -> None:
                if contact["city"] == "Ulm":
                    raise TemplateFault(f"{fault}.")

            return run

    wanted = Load(key=KEY, revision=1, opted_in_only=True, on_missing=OnMissing.REFUSE, templates=("autumn@1",))
    activities = LoadingActivities(FakeRecipients(PEOPLE), Faulty({}), FakeVisits())
    loaded = await ActivityEnvironment().run(activities.load_recipients, wanted)
    assert loaded.problem == f"For 1 of the recipients {fault}."


@either_way
async def test_recipients_with_an_empty_placeholder_are_excluded_if_the_order_says_so(plain: bool) -> None:
    recipients = FakeRecipients(PEOPLE)
    loaded = await load(recipients, OnMissing.EXCLUDE, plain)
    assert loaded.problem is None
    assert recipients.excluded == dict.fromkeys((2, 3), Exclusion.PLACEHOLDER_MISSING)
    assert loaded.counts.will_receive == 1


@either_way
async def test_who_is_over_the_limit_is_excluded_after_those_with_an_empty_placeholder(plain: bool) -> None:
    recipients = FakeRecipients([PEOPLE[1], *[PEOPLE[0]] * 3])
    recipients.at_most = 2
    loaded = await load(recipients, OnMissing.EXCLUDE, plain)
    assert recipients.excluded == {1: Exclusion.PLACEHOLDER_MISSING, 4: Exclusion.OVER_LIMIT}
    assert loaded.counts.will_receive == 2
