"""A stage in numbers, counted in the ledger itself, and which rows each number counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Row,
    and_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.states import DeliveryState
from serienmail.domain.statistics import WAITING_STATES, Number
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import EXCLUDED, SOMETHING_TOLD, TOLD, delivery

_sent = delivery.c.state == DeliveryState.SENT
_measured = and_(_sent, delivery.c.tracked)
_bounced = and_(_sent, delivery.c.bounced_at.is_not(null()))
_opened, _clicked = delivery.c.opened_at.is_not(null()), delivery.c.clicked_at.is_not(null())

_COUNTED: Mapping[Number, ColumnElement[bool]] = {
    Number.SELECTED: true(),
    Number.EXCLUDED: delivery.c.state == DeliveryState.EXCLUDED,
    Number.WAITING: delivery.c.state.in_(WAITING_STATES),
    Number.CANCELLED: delivery.c.state == DeliveryState.CANCELLED,
    Number.SENT: _sent,
    Number.DELIVERED: and_(_sent, delivery.c.bounced_at.is_(null())),
    Number.BOUNCED: _bounced,
    Number.REJECTED: delivery.c.state == DeliveryState.REJECTED,
    Number.FAILED: delivery.c.state == DeliveryState.FAILED,
    Number.UNDELIVERED: or_(delivery.c.state.in_((DeliveryState.REJECTED, DeliveryState.FAILED)), _bounced),
    Number.IN_DOUBT: delivery.c.state == DeliveryState.UNKNOWN,
    Number.MEASURED: _measured,
    Number.NOT_MEASURED: and_(_sent, ~delivery.c.tracked),
    Number.OPENED: and_(_measured, _opened),
    Number.NOT_OPENED: and_(_measured, ~_opened),
    Number.CLICKED: and_(_measured, _clicked),
    Number.NOT_CLICKED: and_(_measured, ~_clicked),
    Number.UNSUBSCRIBED: delivery.c.unsubscribed_at.is_not(null()),
    Number.COMPLAINED: delivery.c.complained_at.is_not(null()),
    Number.REPLIED: delivery.c.replied_at.is_not(null()),
}


def counted_by(number: Number) -> ColumnElement[bool]:
    """The rows behind a number, as ``domain.statistics.numbers_of`` has it."""
    return _COUNTED[number]


async def count_stage(connection: AsyncConnection, key: StageKey) -> Counts:
    """Count one stage; all zero if nothing is loaded."""
    return _counts((await connection.execute(_counted(rows_of(key)))).all())


async def count_stages(connection: AsyncConnection, mass_mail_id: str) -> Mapping[int, Counts]:
    """Count all stages that are loaded, at one moment."""
    # each stage is named: SQLite would else read all of the index for the excluded ones
    counted = _counted(and_(delivery.c.mass_mail_id == mass_mail_id, delivery.c.stage.in_(range(MOST_STAGES))))
    rows = sorted((await connection.execute(counted)).all(), key=_stage)
    return {stage: _counts(list(of_stage)) for stage, of_stage in groupby(rows, key=_stage)}


MOST_STAGES = 4
"""A mass mail and three follow-ups."""
_stage = attrgetter("stage")


def _counts(rows: Sequence[Row[Any]]) -> Counts:
    by_state = Counter[str]()
    for row in rows:
        by_state[row.state] += row.rows
    sent = [row for row in rows if row.state == DeliveryState.SENT]
    measured = sum(row.tracked for row in sent)
    opened, clicked = (sum(getattr(row, name) for row in sent if row.told_tracked) for name in ("opened", "clicked"))
    return Counts(
        selected=sum(row.rows for row in rows),
        excluded={row.reason: row.rows for row in rows if row.state == DeliveryState.EXCLUDED and row.rows},
        by_state={state: number for state, number in by_state.items() if number},
        opened=opened,
        not_opened=measured - opened,
        clicked=clicked,
        not_clicked=measured - clicked,
        bounced=sum(row.bounced for row in sent),
        **{name: sum(getattr(row, name) for row in rows) for name in ("unsubscribed", "complained", "replied")},
    )


def _counted(these: ColumnElement[bool]) -> CompoundSelect[Any]:
    """By state, then by reason of exclusion, then what was told of the mails; each row has all columns.

    One statement, so one moment. It reads three indexes and not the table, a million rows in less than 200 ms: the
    states, and apart from them the excluded rows and the few that somebody did something about.
    """
    rows, no_rows = func.count().label("rows"), literal(0).label("rows")
    nothing_told = [literal(0).label(name) for name in ("told_tracked", *TOLD)]
    told = [func.count(delivery.c[f"{name}_at"]).label(name) for name in TOLD]
    tracked, excluded = func.count().filter(delivery.c.tracked), literal(DeliveryState.EXCLUDED.value)
    state, others = (delivery.c.stage, delivery.c.state), [each for each in DeliveryState if each != "excluded"]
    return union_all(
        select(*state, literal("").label("reason"), rows, tracked.label("tracked"), *nothing_told)
        .where(these, delivery.c.state.in_(others))
        .group_by(*state),
        select(delivery.c.stage, excluded, delivery.c.reason, rows, literal(0), *nothing_told)
        .where(these, text(EXCLUDED))
        .group_by(delivery.c.stage, delivery.c.reason),
        select(*state, literal(""), no_rows, literal(0), cast(delivery.c.tracked, Integer), *told)
        .where(these, text(f"({SOMETHING_TOLD})"))
        .group_by(*state, delivery.c.tracked),
    )
