"""The report names who got no mail, with the reason in words, and escapes what people are called."""

import re
from datetime import timedelta

import pytest

from serienmail.domain.delivery import Answer, Verdict, outcome
from serienmail.domain.statistics import Number
from serienmail.mailing.identity import MailSettings
from serienmail.settings import Settings
from serienmail.storage.database import Database
from starter.report_language import Language
from starter.services import wire
from starter.summary import Group, Person, Summary, as_page, summarise
from tests.browser import needs_a_browser, violations
from tests.builders import KEY, NOON, a_contact, a_job, an_open_stage, claim


async def a_summary(database: Database) -> Summary:
    """One rejected, one sent, and two excluded."""
    people = [
        a_contact(1, first_name="Ada", last_name="<b>One</b>"),
        a_contact(2, first_name="Ben", last_name="Two"),
        a_contact(3, company="Firm & Co", opt_in=False),
        a_contact(4, last_name="Four", email=""),
    ]
    ledger = await an_open_stage(database, people)
    for verdict, reply in ((Verdict.REJECTED, "550 5.1.1 no such user"), (Verdict.ACCEPTED, "250 ok")):
        claimed = await claim(ledger, a_job(), NOON)
        assert claimed is not None
        await ledger.record(outcome(claimed, Answer(verdict, reply), NOON + timedelta(seconds=1)))
    settings = Settings(database_url=database.url, link_key="k" * 32, mail=MailSettings())  # type: ignore[arg-type]
    return await summarise(wire(settings, database), KEY.mass_mail_id)


async def test_everybody_who_got_none_is_named_with_the_reason(database: Database) -> None:
    summary = await a_summary(database)
    [stage] = summary.stages
    assert (stage.selected, stage.sent) == (4, 1)
    assert stage.without_mail == {"excluded": 2, "rejected by their mail servers": 1}
    assert stage.groups == [
        Group("excluded", "no mail address", 1, [Person("4", "Four")]),
        Group("excluded", "no opt-in for mass mail", 1, [Person("3", "Firm & Co")]),
        Group("rejected by their mail servers", "550 5.1.1 no such user", 1, [Person("1", "Ada <b>One</b>")]),
    ]
    page = as_page(summary)
    assert "Ada &lt;b&gt;One&lt;/b&gt;" in page
    assert "550 5.1.1 no such user" in page
    assert "http" not in page  # a page that loads nothing from anywhere


async def test_the_report_is_german_on_request(database: Database) -> None:
    page = as_page(await a_summary(database), Language.GERMAN)
    assert '<html lang="de">' in page
    assert "ausgeschlossen: keine Einwilligung in Serien-E-Mails" in page
    assert "vom Mailserver abgewiesen: 550 5.1.1 no such user" in " ".join(re.sub("<[^>]*>", "", page).split())


async def test_the_report_draws_the_numbers(database: Database) -> None:
    summary = await a_summary(database)
    assert summary.stages[0].numbers.numbers[Number.DELIVERED] == 1
    assert "<title>2026-03-02 " in as_page(summary)  # a column for the one that was sent


@needs_a_browser
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_the_report_breaks_no_rule_of_accessibility(database: Database) -> None:
    summary = await a_summary(database)
    assert await violations(*(as_page(summary, language) for language in Language)) == []
