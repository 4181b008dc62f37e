"""Loading recipients, and the dry run of every template for each of them."""

from temporalio.testing import ActivityEnvironment

from activities.loading import LoadingActivities
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Load, Loaded
from serienmail.domain.mass_mail import OnMissing
from tests.fakes import KEY, FakeRecipients, FakeTemplates

PEOPLE = [{"city": "Jena", "company": "Weiß AG"}, {"city": "", "company": "Weiß AG"}, {"city": "Ulm", "company": ""}]
TEMPLATES = FakeTemplates({"autumn@1": ["city"], "again@1": ["company"]})


async def load(recipients: FakeRecipients, on_missing: OnMissing) -> Loaded:
    wanted = Load(
        key=KEY, revision=1, opted_in_only=True, on_missing=on_missing, templates=("autumn@1", "again@1", "autumn@1")
    )
    return await ActivityEnvironment().run(LoadingActivities(recipients, TEMPLATES).load_recipients, wanted)


async def test_empty_placeholders_of_mass_mail_and_follow_ups_are_counted_by_name() -> None:
    loaded = await load(FakeRecipients(PEOPLE), OnMissing.REFUSE)
    assert loaded.missing == {"contact.city": 1, "contact.company": 1}
    assert loaded.problem is not None
    assert "contact.city for 1" in loaded.problem


async def test_recipients_with_an_empty_placeholder_are_excluded_if_the_order_says_so() -> None:
    recipients = FakeRecipients(PEOPLE)
    loaded = await load(recipients, OnMissing.EXCLUDE)
    assert loaded.problem is None
    assert recipients.excluded == dict.fromkeys((2, 3), Exclusion.PLACEHOLDER_MISSING)
    assert loaded.counts.will_receive == 1
