"""The dry run before anything is sent: can every recipient fill every placeholder?"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from serienmail.domain.errors import LineBroken, PlaceholderMissing, TemplateFault
from serienmail.domain.requirement import Requirement

Batches = AsyncIterator[Sequence[tuple[int, Mapping[str, Any]]]]
"""Batches of (any id, merge fields)."""
Check = Callable[[Mapping[str, Any]], None]
"""Renders a mail for these merge fields; raises PlaceholderMissing if one is empty, or another TemplateFault."""
_STOP_GAP = "–"


class Templates(Protocol):
    """Compiled templates."""

    async def requirements(self, templates: Sequence[str], account: str) -> Sequence[Requirement] | None:
        """What these ask of a contact, for the database to check; None if only dry runs can tell."""

    async def check(self, template: str, account: str) -> Check:
        """A dry run of ``name@revision`` on an account; TemplateFault if the template itself is wrong."""


async def faulty(
    batches: Batches, templates: Templates, names: Sequence[str], account: str
) -> AsyncIterator[Mapping[int, tuple[str, ...]]]:
    """Of each batch the ids that can't be written to, with every empty placeholder, or what else is wrong."""
    checks = [await templates.check(name, account) for name in dict.fromkeys(names)]
    async for batch in batches:
        found = ((number, tuple(dict.fromkeys(_faults(checks, contact)))) for number, contact in batch)
        yield {number: faults for number, faults in found if faults}


def _faults(checks: Sequence[Check], contact: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong for a recipient: whatever is found is mended, to see what else is."""
    for check in checks:
        tried = dict(contact)
        while (fault := _fault(check, tried)) is not None:
            if isinstance(fault, PlaceholderMissing):
                found, mended = fault.placeholder, {fault.placeholder.removeprefix("contact."): _STOP_GAP}
            elif isinstance(fault, LineBroken) or tried == contact:
                found, mended = str(fault).rstrip("."), _on_one_line(tried)
            else:
                break  # perhaps it is the stop-gap that can't be calculated with
            yield found
            if mended.items() <= tried.items():
                break
            tried |= mended


def _on_one_line(contact: Mapping[str, Any]) -> dict[str, Any]:
    texts = ((name, value) for name, value in contact.items() if isinstance(value, str))
    return {name: "".join(c if c.isprintable() else " " for c in value) for name, value in texts}


def _fault(check: Check, contact: Mapping[str, Any]) -> TemplateFault | None:
    try:
        check(contact)
    except TemplateFault as fault:
        return fault
    return None
