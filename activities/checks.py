"""The dry run before anything is sent: can every recipient fill every placeholder?"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from serienmail.domain.errors import PlaceholderMissing, TemplateFault
from serienmail.domain.requirement import Requirement

Batches = AsyncIterator[Sequence[tuple[int, Mapping[str, Any]]]]
"""Batches of (any id, merge fields)."""
Check = Callable[[Mapping[str, Any]], None]
"""Renders a mail for these merge fields; raises PlaceholderMissing if one is empty, or another TemplateFault."""


class Templates(Protocol):
    """Compiled templates."""

    async def requirements(self, templates: Sequence[str], account: str) -> Sequence[Requirement] | None:
        """What these ask of a contact, for the database to check; None if only dry runs can tell."""

    async def check(self, template: str, account: str) -> Check:
        """A dry run of ``name@revision`` on an account; TemplateFault if the template itself is wrong."""


async def faulty(
    batches: Batches, templates: Templates, names: Sequence[str], account: str
) -> AsyncIterator[Mapping[int, str]]:
    """Of each batch the ids that can't be written to, with the first empty placeholder, or what else is wrong."""
    checks = [await templates.check(name, account) for name in dict.fromkeys(names)]
    async for batch in batches:
        found = ((number, _first_fault(checks, contact)) for number, contact in batch)
        yield {number: fault for number, fault in found if fault}


def _first_fault(checks: Sequence[Check], contact: Mapping[str, Any]) -> str | None:
    try:
        for check in checks:
            check(contact)
    except PlaceholderMissing as error:
        return error.placeholder
    except TemplateFault as fault:  # such as a line break in a name that the subject uses
        return str(fault).rstrip(".")
    return None
