"""Send again: recipients who got no mail, looked at with their consent and address of this moment."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, exists, func, null, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import StageKey
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import DeliveryState
from serienmail.storage.rows import rows_of, suppression_of
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import contact, delivery, mass_mail

_WANTED = (Exclusion.REMOVED_BY_HAND, Exclusion.IGNORED, Exclusion.REPLIED)
"""Reasons that are the author's own wish, not the recipient's state."""


async def reopen_stage(
    connection: AsyncConnection,
    key: StageKey,
    opted_in_only: bool,
    still: Sequence[ColumnElement[bool]] = (),
    limit: int | None = None,
) -> int:
    """Make excluded, failed and rejected rows pending again where nothing forbids their mail now; how many.

    still: what must hold of their contacts besides. Rows sent or ever in doubt are never touched, and of several rows
    with one address one goes.
    limit: as many at most, the first by their number in the stage; so who was over it has a turn, too.
    """
    await hold_off_erasures(connection)
    got_none = [DeliveryState.EXCLUDED, DeliveryState.FAILED, DeliveryState.REJECTED]
    listed, other = suppression_of(contact.c.address_key, mass_mail.c.topic), delivery.alias()
    of_stage = and_(other.c.mass_mail_id == key.mass_mail_id, other.c.stage == key.stage)
    in_it = and_(of_stage, other.c.state != DeliveryState.EXCLUDED, other.c.seq != delivery.c.seq)
    still_known_as = and_(delivery.c.reason == Exclusion.DUPLICATE, delivery.c.address == contact.c.email)
    same = and_(still_known_as, other.c.address_key == delivery.c.address_key)  # by another address of the same person
    # two searches of an index by address; one for either would read the whole stage for each row
    taken = or_(exists().where(in_it, other.c.address_key == contact.c.address_key), exists().where(in_it, same))
    first = func.row_number().over(partition_by=contact.c.address_key, order_by=delivery.c.seq).label("place")
    free = (
        select(delivery.c.seq, contact.c.email, contact.c.address_key, first)
        .join(contact, contact.c.id == delivery.c.contact_id)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .where(rows_of(key), delivery.c.state.in_(got_none), ~delivery.c.doubted)
        .where(delivery.c.reason.not_in(_WANTED), contact.c.address_key.is_not(null()), listed.is_(null()))
        .where(contact.c.opt_in if opted_in_only else true(), *still, ~taken)
        .subquery()
    )
    again = select(free).where(free.c.place == 1).order_by(free.c.seq).limit(limit).subquery()
    values = {"state": DeliveryState.PENDING, "reason": "", "attempts": 0, "next_try_at": None, "finished_at": None}
    change = update(delivery).where(rows_of(key), delivery.c.seq == again.c.seq, delivery.c.state.in_(got_none))
    change = change.values(**values, address=again.c.email, address_key=again.c.address_key)
    return (await connection.execute(change)).rowcount
