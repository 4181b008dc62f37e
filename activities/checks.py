"""The dry run before anything is sent: can every recipient fill every placeholder?"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from serienmail.domain.errors import PlaceholderMissing, TemplateFault

Batches = AsyncIterator[Sequence[tuple[int, Mapping[str, Any]]]]
"""Batches of (any id, merge fields)."""
Check = Callable[[Mapping[str, Any]], None]
"""Renders a mail for these merge fields; raises PlaceholderMissing if one is empty, or another TemplateFault."""


class Templates(Protocol):
    """Compiled templates."""

    async def check(self, template: str, account: str) -> Check:
        """A dry run of ``name@revision`` on an account; TemplateFault if the template itself is wrong."""


async def unfilled(batches: Batches, templates: Templates, names: Sequence[str], account: str) -> dict[int, str]:
    """The ids that can't be written to, each with the first placeholder that is empty, or what else is wrong."""
    checks = [await templates.check(name, account) for name in dict.fromkeys(names)]
    missing: dict[int, str] = {}
    async for batch in batches:
        for number, contact in batch:
            if placeholder := _first_missing(checks, contact):
                missing[number] = placeholder
    return missing


def by_placeholder(missing: Mapping[int, str]) -> dict[str, int]:
    """How many recipients lack each placeholder."""
    return dict(Counter(missing.values()))


def _first_missing(checks: Sequence[Check], contact: Mapping[str, Any]) -> str | None:
    try:
        for check in checks:
            check(contact)
    except PlaceholderMissing as error:
        return error.placeholder
    except TemplateFault as fault:  # such as a line break in a name that the subject uses
        return str(fault).rstrip(".")
    return None
