"""Each recipient's own moment: rows that wait until it is that time in their zone."""

from datetime import datetime

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import StageKey
from serienmail.domain.local_time import in_zone, own_moment
from serienmail.domain.states import DeliveryState
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import contact, delivery


async def wait_for_local_time(connection: AsyncConnection, key: StageKey, due: datetime, home: str) -> None:
    """Let each pending row wait until clocks of its contact's zone show what ``due`` shows.

    home: the zone of those who have none; empty: they wait until due.

    One statement for each zone, of which there are a few hundred on earth.
    """
    pending = and_(rows_of(key), delivery.c.state == DeliveryState.PENDING)
    own = delivery.c.contact_id == contact.c.id
    await connection.execute(update(delivery).where(pending).values(next_try_at=own_moment(due, home)))
    zones = await connection.execute(select(contact.c.time_zone).where(pending, own).distinct())
    for zone in zones.scalars().all():
        if moment := in_zone(due, zone):
            there = delivery.c.contact_id.in_(select(contact.c.id).where(contact.c.time_zone == zone))
            await connection.execute(update(delivery).where(pending, there).values(next_try_at=moment))
