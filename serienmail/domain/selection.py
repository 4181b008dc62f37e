"""Whom a mass mail is for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from serienmail.domain import criteria
from serienmail.domain.criteria import Criterion
from serienmail.domain.errors import InvalidOrder


@dataclass(frozen=True, slots=True)
class Selection:
    """The contacts to which the criterion applies; without one, everyone."""

    criterion: Criterion | None = None

    @property
    def id(self) -> str:
        """A hash of the content, so that orders refer to a selection without carrying it; or ``everyone``."""
        if self.criterion is None:
            return "everyone"
        canonical = json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(canonical.encode()).hexdigest()[:16]

    def to_document(self) -> dict[str, Any]:
        """As it stands in order files and in the database: ``{"criterion": …}``, or empty for everyone."""
        return {} if self.criterion is None else {"criterion": criteria.to_document(self.criterion)}

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "Selection":
        """Read what ``to_document`` writes; InvalidOrder if it is something else."""
        if unknown := sorted(document.keys() - {"criterion"}):
            raise InvalidOrder(f"a selection has no part '{unknown[0]}'; write its conditions under 'criterion'.")
        if "criterion" not in document:
            return cls()
        return cls(criteria.from_document(document["criterion"]))
