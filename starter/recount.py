"""What happened, counted twice: in the ledger, and in the inbox and the recipients' own record."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from serienmail.domain.delivery import Counts
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import DeliveryState
from starter.client import Report
from starter.inbox import Inbox
from starter.reader import Reader
from workflows.progress import words


@dataclass(frozen=True, slots=True)
class StageCount:
    """One stage. sent: the ledger's; inbox: mails that lie there; opened, unsubscribed: the statistics'."""

    stage: int
    audience: str
    sent: int
    inbox: int
    opened: int
    unsubscribed: int


@dataclass(frozen=True, slots=True)
class Recount:
    """The whole mass mail.

    duplicates: mails in the inbox beyond one for each recipient and stage. lost: sent by the ledger, not in the inbox.
    differences: a sentence for each number that doesn't agree; agree: there is none.
    """

    selected: int
    excluded: dict[str, int]
    will_receive: int
    stages: tuple[StageCount, ...]
    duplicates: int
    lost: int
    differences: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether every number was found twice."""
        return not self.differences

    def as_document(self) -> dict[str, object]:
        """For report.json."""
        return {**asdict(self), "agree": self.agree}


def recount(report: Report, reader: Reader, inbox: Inbox) -> Recount:
    """Compare the ledger's and the statistics' numbers with those of the inbox and of the readers."""
    first = report.stages[0]
    received = {stage: Counter(refs) for stage, refs in reader.received.items()}
    stages = tuple(_stage(n, report.status.order, counts, reader) for n, counts in report.stages.items())
    duplicates = sum(counter.total() - len(counter) for counter in received.values())
    lost = sum(max(s.sent - len(received.get(s.stage, ())), 0) for s in stages)
    return Recount(
        selected=first.selected,
        excluded=dict(first.excluded),
        will_receive=first.will_receive,
        stages=stages,
        duplicates=duplicates,
        lost=lost,
        differences=tuple(_differences(report, reader, inbox, stages, duplicates)),
    )


def _stage(number: int, order: MassMail, counts: Counts, reader: Reader) -> StageCount:
    return StageCount(
        stage=number,
        audience=order.follow_ups[number - 1].audience.value if number else "selected",
        sent=counts.of(DeliveryState.SENT),
        inbox=len(reader.received.get(number, ())),
        opened=counts.opened,
        unsubscribed=counts.unsubscribed,
    )


def _differences(
    report: Report, reader: Reader, inbox: Inbox, stages: tuple[StageCount, ...], duplicates: int
) -> list[str]:
    found = []
    in_maildir = sum(1 for _ in inbox.messages())
    if in_maildir != sum(stage.sent for stage in stages):
        found.append(f"{in_maildir} mails lie in the inbox, {sum(stage.sent for stage in stages)} were sent")
    if duplicates:
        found.append(f"{duplicates} mails came twice")
    for stage in stages:
        name = f"stage {stage.stage}"
        opened, gone = len(reader.opened.get(stage.stage, ())), len(reader.unsubscribed.get(stage.stage, ()))
        if stage.inbox != stage.sent:
            found.append(f"{name}: {stage.inbox} in the inbox, {stage.sent} sent")
        if stage.opened != opened:
            found.append(f"{name}: {opened} opened, the statistics say {stage.opened}")
        if stage.unsubscribed != gone:
            found.append(f"{name}: {gone} unsubscribed, the statistics say {stage.unsubscribed}")
        undecided = report.stages[stage.stage].will_receive - stage.sent
        if undecided:
            found.append(f"{name}: {undecided} recipients got nothing")
    return found


def tables(result: Recount) -> tuple[Table, Table]:
    """Who was selected, and what happened, for the terminal."""
    return _people(result), _stages(result)


def _people(result: Recount) -> Table:
    table = Table("recipients", "count", title="Who", title_justify="left")
    table.columns[1].justify = "right"
    table.add_row("selected", str(result.selected))
    for reason in Exclusion:
        if result.excluded.get(reason):
            table.add_row(f"– {reason.words}", str(result.excluded[reason]))
    table.add_row("will receive", str(result.will_receive))
    return table


def _stages(result: Recount) -> Table:
    headings = ("stage", "to", "sent", "inbox", "opened", "unsubscribed")
    table = Table(*headings, title="What happened", title_justify="left")
    for column in table.columns[2:]:
        column.justify = "right"
    for stage in result.stages:
        table.add_row(*_row(stage))
    return table


def _row(stage: StageCount) -> Sequence[str]:
    name = f"follow-up {stage.stage}" if stage.stage else "mass mail"
    numbers = (stage.sent, stage.inbox, stage.opened, stage.unsubscribed)
    return (name, words(stage.audience), *map(str, numbers))
