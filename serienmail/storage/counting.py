"""A stage in numbers, counted in the ledger itself."""

from sqlalchemy import and_, func, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.states import DeliveryState
from serienmail.storage.tables import delivery


async def count_stage(connection: AsyncConnection, key: StageKey) -> Counts:
    """Count one stage; all zero if nothing is loaded."""
    opened, clicked = delivery.c.opened_at.is_not(null()), delivery.c.clicked_at.is_not(null())
    measured = and_(delivery.c.tracked, delivery.c.state == DeliveryState.SENT)
    query = (
        select(
            delivery.c.state,
            delivery.c.reason,
            func.count().label("rows"),
            func.count().filter(and_(measured, opened)).label("opened"),
            func.count().filter(and_(measured, ~opened)).label("not_opened"),
            func.count().filter(and_(measured, clicked)).label("clicked"),
            func.count().filter(and_(measured, ~clicked)).label("not_clicked"),
            func.count().filter(delivery.c.unsubscribed_at.is_not(null())).label("unsubscribed"),
        )
        .where(delivery.c.mass_mail_id == key.mass_mail_id, delivery.c.stage == key.stage)
        .group_by(delivery.c.state, delivery.c.reason)
    )
    rows = (await connection.execute(query)).all()
    by_state: dict[str, int] = {}
    for row in rows:
        by_state[row.state] = by_state.get(row.state, 0) + row.rows
    return Counts(
        selected=sum(row.rows for row in rows),
        excluded={row.reason: row.rows for row in rows if row.state == DeliveryState.EXCLUDED},
        by_state=by_state,
        opened=sum(row.opened for row in rows),
        not_opened=sum(row.not_opened for row in rows),
        clicked=sum(row.clicked for row in rows),
        not_clicked=sum(row.not_clicked for row in rows),
        unsubscribed=sum(row.unsubscribed for row in rows),
    )
