"""Who may do what: roles of users, and what belongs to a creator alone (product.md, R10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a user may do. Each may do what the ones before it may."""

    VIEW = "view"
    SEND = "send"
    ADMINISTER = "administer"


_ADMINISTRATORS_MAY = ("stop", "delete", "resolve", "pause", "remove")
_COLLEAGUES_MAY = ("delete", "remove")


@dataclass(frozen=True, slots=True)
class Users:
    """The users of an installation.

    roles: by user id; empty: everybody may send. administrators: user ids with that role, whatever roles say.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    administrators: tuple[str, ...] = ()

    def role(self, user: str) -> Role | None:
        """None: roles are given to others only."""
        if user in self.administrators:
            return Role.ADMINISTER
        return self.roles.get(user) if self.roles else Role.SEND

    def refusal(self, act: str, by: str, created_by: str, what: str = "mass mail") -> str | None:
        """Why this user may not do this to what somebody created, in one sentence; None if they may.

        act: a command's ``kind``, or ``start``, ``pause``, ``resume``, ``remove``.
        """
        if lacking := self.lacks(by, Role.SEND):
            return lacking
        if by == created_by or (act in _ADMINISTRATORS_MAY and self.role(by) is Role.ADMINISTER):
            return None
        if act in _COLLEAGUES_MAY and self.roles:
            return None
        others = " or an administrator" if act in _ADMINISTRATORS_MAY else ""
        return f"Only {created_by}, who created this {what},{others} may {act.replace('_', ' ')} it; ask them."

    def lacks(self, by: str, needed: Role) -> str | None:
        """Why this user may not do what needs this role; None if they may. Without any users, everybody may."""
        role = self.role(by)
        ranks = list(Role)
        if role is not None and ranks.index(role) >= ranks.index(needed):
            return None
        if not self.roles and not self.administrators:
            return None
        has = f"may {role} only" if role else "isn't among the users"
        return f"'{by}' {has}, and this needs the role '{needed}'; ask an administrator."
