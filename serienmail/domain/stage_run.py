"""What is remembered of one stage while its mass mail runs."""

from datetime import datetime

from serienmail.domain.commands import Phase, StageStatus


class StageRun:
    """One stage: where it is, and whether a stop is in force.

    stops is a counter, not a flag: a stop and a restart in one activation must not cancel out.
    moved_to: a time given at a restart, instead of the order's. at_once: nobody waits for the own local time.
    epoch: of its newest start of sending; 0: none.
    queued: no worker has taken up what its phase says.
    out: the most mails that its ledger ever showed as sent; a restored database shows fewer.
    """

    def __init__(self, number: int, stopped: str = "") -> None:
        self.number = number
        self.phase = Phase.STOPPED if stopped else Phase.WAITING
        self.stopped = bool(stopped)
        self.stops = 0
        self.deleted = False
        self.begun = False
        self.epoch = 0
        self.out = 0
        self.moved_to: datetime | None = None
        self.at_once = False
        self.progress = ""
        self.reason = stopped
        self.queued = False

    def status(self, due: datetime | None) -> StageStatus:
        """As people see it."""
        return StageStatus(
            number=self.number,
            phase=self.phase,
            due=due,
            begun=self.begun,
            stopped=self.stopped,
            deleted=self.deleted,
            reason=self.reason,
            progress=self.progress,
            queued=self.queued,
        )

    def stop(self, reason: str) -> None:
        """What works is cancelled and drained; nothing starts before a restart."""
        self.stops += 1
        self.stopped = True
        self.queued = False
        self.reason = reason
        working = self.phase.is_sending or self.phase is Phase.LOADING
        self.phase = Phase.STOPPING if working else Phase.STOPPED

    def restart(self) -> None:
        """Go on, once everything stopped is drained."""
        self.stopped = False
        self.reason = ""
        if self.phase is Phase.STOPPED:
            self.phase = Phase.WAITING

    def delete(self, reason: str) -> None:
        """Stop for good; what is still due is cancelled once everything is drained."""
        self.deleted = True
        self.stop(reason)

    def drained(self) -> None:
        """Nothing is in hand any more."""
        self.phase = Phase.STOPPED if self.stopped else Phase.WAITING

    def bring_back(self, known: StageStatus) -> None:
        """Go on, at a restart, from what was recorded before its workflow was lost."""
        self.begun, self.moved_to, self.deleted = known.begun, known.due, known.deleted
        if known.phase is Phase.DELETED:
            self.phase = Phase.DELETED
        elif known.phase is Phase.OVER:
            self.over()

    def over(self) -> None:
        """Everybody has been decided."""
        self.phase = Phase.OVER
        self.stopped = self.queued = False
        self.reason = ""
