"""Every refusal of Serienmail, as a tree.

    SerienmailError                 the root: catch it to catch them all
    ├── InvalidOrder                a mass mail or an edit that can't be carried out as written
    │   └── ChecksFailed            …for several reasons at once
    ├── CommandRefused              the right words at the wrong time, or from the wrong person
    ├── NotFound                    no such mass mail, template, selection or account
    ├── AlreadyExists               the id is taken
    ├── ImportFailed                a file that can't be read at all (single bad rows are reported, not raised)
    ├── TemplateFault               a template that can't be compiled or rendered
    │   ├── PlaceholderMissing      …because this recipient has no value for a placeholder
    │   └── LineBroken              …because one of its headers would be more than a line
    ├── TransportFailure            no mail was handed over
    │   ├── ServerUnreachable       connect, time-out or end of file before the message was written: try again
    │   └── AccountRefused          log-in, TLS or sender refused: nobody's address is to blame, ask the administrator
    ├── LedgerWentBack              the ledger knows of fewer mails than it did: its database was restored
    ├── RequestInHand               a request for consent that another process may be handing over: try again
    ├── Forged                      a webhook that its provider didn't sign, or so long ago that it may be a copy
    ├── HookAway                    another system can't be told now: try again
    ├── HookRefused                 another system won't be told, however often it is tried
    └── EnvironmentFault            Temporal, database or port is not as it must be
        └── DatabaseAway            the database can't be reached

The message is one sentence that says what happened and what to do. It never carries an address or a name:
exceptions of activities end up in workflow histories.
"""

from collections.abc import Sequence


class SerienmailError(Exception):
    """The root of all refusals."""


class InvalidOrder(SerienmailError):
    """A mass mail or an edit that can't be carried out as written."""


class ChecksFailed(InvalidOrder):
    """An order that can't be carried out, for several reasons at once.

    problems: each a sentence that says what to do.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class CommandRefused(SerienmailError):
    """A command that its sender may not give, or not now."""


class NotFound(SerienmailError):
    """No such mass mail, template, selection or account."""


class AlreadyExists(SerienmailError):
    """The id is taken."""


class ImportFailed(SerienmailError):
    """A file that can't be read at all."""


class TemplateFault(SerienmailError):
    """A template that can't be compiled or rendered."""


class PlaceholderMissing(TemplateFault):
    """This recipient has no value for a placeholder.

    placeholder: as written in the template, e.g. ``contact.company``.
    """

    def __init__(self, placeholder: str) -> None:
        super().__init__(f"the placeholder {placeholder} is empty; give it a default in the template")
        self.placeholder = placeholder


class LineBroken(TemplateFault):
    """A header would hold what only a line break, or another control character, can be."""


class TransportFailure(SerienmailError):
    """No mail was handed over."""


class ServerUnreachable(TransportFailure):
    """Connect, time-out or end of file before the message was written."""


class AccountRefused(TransportFailure):
    """Log-in, TLS or sender refused; no recipient is to blame."""


class LedgerWentBack(SerienmailError):
    """The ledger knows of fewer mails than it did; sending on would send the forgotten ones again.

    known: mails that it shows as sent. out: how many it showed before.
    """

    def __init__(self, known: int, out: int) -> None:
        super().__init__(
            f"the ledger shows {known} mails as sent, and showed {out} before: its database was restored from an older "
            "copy; restore the newest one, or restart it and accept that some get their mail again."
        )
        self.known, self.out = known, out


class RequestInHand(SerienmailError):
    """A request for consent that another process may be handing over; it is tried again until that is decided."""


class Forged(SerienmailError):
    """A webhook that its provider didn't sign, or so long ago that it may be a copy."""


class HookAway(SerienmailError):
    """Another system can't be told now: it is down, or asks for patience."""


class HookRefused(SerienmailError):
    """Another system doesn't take what it is told, or the settings don't know it any more."""


class EnvironmentFault(SerienmailError):
    """Temporal, database or port is not as it must be."""


class DatabaseAway(EnvironmentFault):
    """The database can't be reached."""
