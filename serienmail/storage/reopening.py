"""Send again: recipients who got no mail, looked at with their consent and address of this moment."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Row, and_, bindparam, exists, null, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import StageKey
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import DeliveryState
from serienmail.storage.rows import rows_of, suppression_of
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import contact, delivery, mass_mail

_WANTED = (Exclusion.REMOVED_BY_HAND, Exclusion.IGNORED, Exclusion.REPLIED, Exclusion.OVER_LIMIT)
"""Reasons that are the author's own wish, or the installation's policy, not the recipient's state."""


async def reopen_stage(
    connection: AsyncConnection, key: StageKey, opted_in_only: bool, still: Sequence[ColumnElement[bool]] = ()
) -> int:
    """Make excluded, failed and rejected rows pending again where nothing forbids their mail now; how many.

    still: what must hold of their contacts besides. Rows sent or ever in doubt are never touched, and of several rows
    with one address one goes.
    """
    await hold_off_erasures(connection)
    got_none = [DeliveryState.EXCLUDED, DeliveryState.FAILED, DeliveryState.REJECTED]
    listed = suppression_of(contact.c.address_key, mass_mail.c.topic)
    again = (
        select(delivery.c.seq, contact.c.email, contact.c.address_key)
        .join(contact, contact.c.id == delivery.c.contact_id)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .where(rows_of(key), delivery.c.state.in_(got_none), ~delivery.c.doubted)
        .where(delivery.c.reason.not_in(_WANTED), contact.c.address_key.is_not(null()), listed.is_(null()))
        .where(contact.c.opt_in if opted_in_only else true(), *still)
        .order_by(delivery.c.seq)
    )
    reopened = [await _reopen(connection, key, row) for row in (await connection.execute(again)).all()]
    return sum(reopened)


async def _reopen(connection: AsyncConnection, key: StageKey, row: Row[tuple[int, str, str]]) -> int:
    other = delivery.alias()
    taken = exists().where(
        and_(
            other.c.mass_mail_id == key.mass_mail_id,
            other.c.stage == key.stage,
            other.c.address_key == row.address_key,
            other.c.state != DeliveryState.EXCLUDED,
            other.c.seq != row.seq,
        )
    )
    free = and_(rows_of(key), delivery.c.seq == bindparam("of_seq"), ~taken)
    values = {"state": DeliveryState.PENDING, "reason": "", "address": row.email, "address_key": row.address_key}
    statement = update(delivery).where(free).values(**values, attempts=0, next_try_at=None, finished_at=None)
    return (await connection.execute(statement, {"of_seq": row.seq})).rowcount
