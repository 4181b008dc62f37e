"""Whom a mass mail is for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from serienmail.domain import criteria
from serienmail.domain.contact import CONTACTS
from serienmail.domain.criteria import Criterion
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mass_mail import EVERYONE


@dataclass(frozen=True, slots=True)
class Selection:
    """The records of a module to which the criterion applies; without one, all of them.

    ignore, removed: who of these is left out, and shown as such: by criteria, or by hand.
    """

    criterion: Criterion | None = None
    ignore: Criterion | None = None
    removed: Criterion | None = None
    module: str = CONTACTS

    @property
    def id(self) -> str:
        """A hash of the content, so that orders refer to a selection without carrying it; or ``everyone``."""
        if self == Selection():
            return EVERYONE
        canonical = json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(canonical.encode()).hexdigest()[:16]

    def to_document(self) -> dict[str, Any]:
        """As it stands in the database: ``{"criterion": …, "module": "lead"}``, or empty for every contact."""
        parts = {"criterion": self.criterion, "ignore": self.ignore, "removed": self.removed}
        document: dict[str, Any] = {name: criteria.to_document(part) for name, part in parts.items() if part}
        return document if self.module == CONTACTS else document | {"module": self.module}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Selection":
        """Read what ``to_document`` writes; InvalidOrder if it is something else."""
        if unknown := sorted(document.keys() - {"criterion", "ignore", "removed", "module"}):
            raise InvalidOrder(f"a selection has no part '{unknown[0]}'; write its conditions under 'criterion'.")
        parts = {
            name: criteria.from_document(document[name])
            for name in ("criterion", "ignore", "removed")
            if name in document
        }
        return cls(**parts, module=document.get("module", CONTACTS))
