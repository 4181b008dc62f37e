"""The record of what people agreed to; nothing in it is ever changed."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.consent import Consent
from serienmail.storage.tables import consent


async def record_consents(connection: AsyncConnection, answers: Sequence[Consent]) -> None:
    """Keep these answers. The contact's own field, which has the current one, is its writer's business."""
    if answers:
        await connection.execute(insert(consent), [asdict(answer) for answer in answers])
