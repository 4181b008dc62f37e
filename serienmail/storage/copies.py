"""The ledger of copies: one for each employee and mass mail, claimed before it is handed over, never twice."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from serienmail.domain.copies import Copy
from serienmail.domain.delivery import StageKey
from serienmail.domain.states import DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.loading import merge_fields
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import contact, copy, delivery


@dataclass(frozen=True, slots=True)
class CopyStory:
    """What became of one copy. reply: the server's words, or why there was none."""

    user: str
    state: DeliveryState
    reply: str


class CopyStore:
    """Rows of their own: copies are in no statistics, and nobody opens or unsubscribes through them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def open(self, mass_mail_id: str, by: str) -> None:
        """One for the author and one for each owner among the recipients; those there are stay as they are.

        What was being handed over when an earlier try ended is in doubt, and is never sent again.
        """
        recipients = and_(rows_of(StageKey(mass_mail_id, 0)), delivery.c.state != DeliveryState.EXCLUDED)
        source = select(contact).join(delivery, delivery.c.contact_id == contact.c.id).where(recipients).subquery()
        pending = literal(DeliveryState.PENDING.value)
        names = ["mass_mail_id", "user", "contact_id", "state", "reply"]
        shown = [func.min(source.c.id), pending, literal("")]
        own = select(literal(mass_mail_id), literal(by), *shown).having(func.count() > 0)
        owners = select(literal(mass_mail_id), source.c.owner, *shown).where(source.c.owner != "")
        lost = and_(copy.c.mass_mail_id == mass_mail_id, copy.c.state == DeliveryState.HANDING_OVER)
        async with self._database.write() as connection:
            await connection.execute(update(copy).where(lost).values(state=DeliveryState.UNKNOWN))
            for rows in (own, owners.group_by(source.c.owner)):
                await connection.execute(self._insert(copy).from_select(names, rows).on_conflict_do_nothing())

    async def claim(self, mass_mail_id: str) -> Copy | None:
        """A copy for this caller alone, committed; None if none is due."""
        due = select(copy.c.user, contact).join(contact, contact.c.id == copy.c.contact_id)
        due = due.where(copy.c.mass_mail_id == mass_mail_id, copy.c.state == DeliveryState.PENDING)
        first = due.order_by(copy.c.user).limit(1).with_for_update(of=copy, skip_locked=True)
        token = secrets.token_hex(16)
        async with self._database.write() as connection:
            row = (await connection.execute(first)).mappings().first()
            if row is None:
                return None
            mine = and_(copy.c.mass_mail_id == mass_mail_id, copy.c.user == row["user"])
            await connection.execute(update(copy).where(mine).values(state=DeliveryState.HANDING_OVER, token=token))
            return Copy(mass_mail_id, row["user"], token, merge_fields(dict(row)))

    async def record(self, claimed: Copy, state: DeliveryState, reply: str) -> None:
        """Keep what became of it; pending gives it back."""
        mine = and_(copy.c.mass_mail_id == claimed.mass_mail_id, copy.c.token == claimed.token)
        async with self._database.write() as connection:
            await connection.execute(update(copy).where(mine).values(state=state, reply=reply))

    async def stories(self, mass_mail_id: str) -> Sequence[CopyStory]:
        """All copies of a mass mail."""
        query = select(copy).where(copy.c.mass_mail_id == mass_mail_id).order_by(copy.c.user)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [CopyStory(row.user, DeliveryState(row.state), row.reply) for row in rows]
