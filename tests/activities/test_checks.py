"""The dry run finds everything that is wrong for a recipient, not only what stops it first."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from activities.checks import Check, faulty
from serienmail.domain.requirement import Requirement
from serienmail.domain.template import Template
from serienmail.mailing.message import check_one_line
from serienmail.mailing.template import compile_template


class OneTemplate:
    """Renders it, as a mail is built."""

    def __init__(self, template: Template) -> None:
        self._compiled = compile_template(template)

    async def requirements(self, templates: Sequence[str], account: str) -> Sequence[Requirement] | None:
        return None

    async def check(self, template: str, account: str) -> Check:
        def run(contact: Mapping[str, Any]) -> None:
            check_one_line("To", contact["last_name"])
            self._compiled.render(contact, salutation="Hallo")

        return run


async def faults(template: Template, **contact: Any) -> tuple[str, ...]:
    """Of one recipient."""

    async def batches() -> AsyncIterator[Sequence[tuple[int, Mapping[str, Any]]]]:
        yield [(1, {"last_name": "Noether", **contact})]

    found = [each async for each in faulty(batches(), OneTemplate(template), ["x@1"], "main")]
    return found.pop().get(1, ())


@pytest.mark.parametrize(
    ("contact", "placeholders"),
    [
        ({"city": "Jena", "company": "Weiß", "price": 2}, ()),
        ({"city": "", "company": None, "price": 2}, ("contact.city", "contact.company")),
        ({"city": "", "company": "Weiß", "price": None}, ("contact.city", "contact.price")),
    ],
)
async def test_every_empty_placeholder_is_named(contact: dict[str, Any], placeholders: tuple[str, ...]) -> None:
    template = Template("x", "{{ contact.city }}", text="{{ contact.company }}", html="{{ contact.price * 2 }}")
    assert await faults(template, **contact) == placeholders


async def test_a_broken_header_hides_no_empty_placeholder() -> None:
    template = Template("x", "{{ contact.last_name }}", text="{{ contact.city }}")
    broken, empty = await faults(template, last_name="Noether\nBcc: x", city="")
    assert ("the header To" in broken, empty) == (True, "contact.city")


async def test_what_is_wrong_whatever_the_recipient_is_told_once() -> None:
    assert len(await faults(Template("x", "x\ny"))) == 1
    assert len(await faults(Template("x", "x", text="{{ contact.city - 1 }}"), city="Ulm")) == 1
