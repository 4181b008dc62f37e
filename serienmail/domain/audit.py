"""What somebody commanded, and what it changed: ids and times, never an address."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from serienmail.domain.mass_mail import MassMail


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One command, obeyed or refused.

    by: user id; empty if the command couldn't be read. about: a mass mail's id, or what else was commanded.
    before, after: what differs, by name. refused: why nothing changed; empty if it was obeyed.
    version: of the mass mail's status, so that a record is kept once however often it is written.
    """

    at: datetime
    by: str
    act: str
    about: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    version: int | None = None


def differences(before: MassMail, after: MassMail) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields in which two orders differ, as they were and as they are."""
    changed = [f.name for f in fields(MassMail) if getattr(before, f.name) != getattr(after, f.name)]
    return {name: getattr(before, name) for name in changed}, {name: getattr(after, name) for name in changed}
