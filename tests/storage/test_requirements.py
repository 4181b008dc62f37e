"""What a template asks of contacts, checked by the database: the same as rendering it for each of them."""

from collections import Counter
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from activities.checks import faulty
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.requirement import Requirement
from serienmail.domain.template import Template, TemplateRef
from serienmail.mailing.account import Account
from serienmail.mailing.links import Links
from serienmail.mailing.post import PostOffice
from serienmail.storage.contacts import ContactRow, ContactStore
from serienmail.storage.database import Database
from serienmail.storage.loading import RecipientStore
from serienmail.storage.tables import contact, delivery, stage
from tests.builders import KEY, NOON, a_contact, a_load, states

ACCOUNT = "marketing"
PLACEHOLDERS = [
    "{{ contact.first_name }}", "{{ contact.company }}", "{{ contact['city'] }}", "{{ contact.free }}",
    "{{ contact.company | default('you') }}", "{{ contact.opt_in }}", "{{ contact.unknown }}", "{{ salutation }}",
    "{{ unsubscribe_url }}", "<p>Hallo</p>",
]  # fmt: skip
PARTS = st.lists(st.sampled_from(PLACEHOLDERS), max_size=4).map(" ".join)
TEMPLATES = st.lists(st.builds(Template, st.just("x"), PARTS, PARTS, PARTS), min_size=1, max_size=2)
TEXTS = st.sampled_from(["", " ", "Ida", "a\nb", "a\r", "\t", "\x85", "x\u2028", "\x7f", "\x01", "ü", "a-b", "]", "*"])
VALUES = TEXTS | st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 9)
FIELDS = st.fixed_dictionaries(dict.fromkeys(("first_name", "last_name", "company", "city", "title"), TEXTS))
PEOPLE = st.lists(st.tuples(FIELDS, st.dictionaries(st.just("free"), VALUES)), min_size=1, max_size=6)


class Library:
    """Templates under the numbers of their places."""

    def __init__(self, templates: list[Template]) -> None:
        self.templates = templates
        self.names = tuple(f"x@{number}" for number in range(len(templates)))

    async def get(self, ref: TemplateRef) -> Template:
        return self.templates[ref.revision]


def a_post_office(*templates: Template) -> tuple[PostOffice, tuple[str, ...]]:
    library = Library(list(templates))
    accounts = {ACCOUNT: Account(host="x", from_address="news@example.org")}
    return PostOffice(library, accounts, Links("https://mail.example.com", b"k" * 32)), library.names


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(templates=TEMPLATES, people=PEOPLE)
async def test_the_database_finds_what_rendering_finds(
    database: Database, templates: list[Template], people: list[tuple[dict[str, str], dict[str, Any]]]
) -> None:
    contacts = [a_contact(n, **fields, attributes=free) for n, (fields, free) in enumerate(people)]
    recipients, (office, names) = await loaded(database, contacts), a_post_office(*templates)
    rendered: dict[int, tuple[str, ...]] = {}
    async for batch in faulty(recipients.pending(KEY), office, names, ACCOUNT):
        rendered |= batch
    requirements = await office.requirements(names, ACCOUNT)
    assert requirements is not None
    counted = Counter(chain.from_iterable(rendered.values()))
    assert await recipients.faults(KEY, requirements) == counted
    previewed = await recipients.preview(a_load(), requirements)
    assert (previewed.missing, previewed.faulty) == (counted, len(rendered))
    await recipients.exclude_faulty(KEY, requirements, Exclusion.PLACEHOLDER_MISSING)
    expected = ["excluded:placeholder_missing" if n + 1 in rendered else "pending" for n in range(len(people))]
    assert await states(database) == expected


async def loaded(database: Database, contacts: list[ContactRow]) -> RecipientStore:
    """An empty database with these, loaded for ``autumn``."""
    async with database.write() as connection:
        for table in (delivery, stage, contact):
            await connection.execute(delete(table))
    await ContactStore(database).save(contacts)
    recipients = RecipientStore(database)
    await recipients.load(a_load(), NOON)
    return recipients


async def test_only_who_would_get_a_mail_is_asked_for_anything(database: Database) -> None:
    company = [Requirement("company", "contact.company")]
    recipients = await loaded(database, [a_contact(1), a_contact(2, opt_in=False), a_contact(3, company="AG")])
    assert (await recipients.preview(a_load(), company)).missing == {"contact.company": 1}
    assert await recipients.faults(KEY, company) == {"contact.company": 1}


@pytest.mark.parametrize("text", ["{{ contact.city | upper }}", "{% if contact.city %}x{% endif %}"])
async def test_what_a_template_with_more_than_placeholders_asks_only_rendering_tells(text: str) -> None:
    office, names = a_post_office(Template("x", "{{ contact.city }}"), Template("x", "x", text=text))
    assert await office.requirements(names, ACCOUNT) is None


async def test_a_subject_with_a_line_break_of_its_own_is_left_to_rendering() -> None:
    for subject in ("a\nb", "{{ contact.city | default('a\x85b') }}"):
        office, names = a_post_office(Template("x", subject))
        assert await office.requirements(names, ACCOUNT) is None
