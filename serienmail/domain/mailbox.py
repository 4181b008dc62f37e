"""How far a mailbox has been read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """The last mail that was read (RFC 3501 2.3.1.1): numbers of another validity mean other mails."""

    uid_validity: int = 0
    uid: int = 0

    def in_mailbox(self, uid_validity: int) -> "Position":
        """Where to go on in a mailbox of this validity: at the beginning, if it has been numbered anew."""
        return self if uid_validity == self.uid_validity else Position(uid_validity)
