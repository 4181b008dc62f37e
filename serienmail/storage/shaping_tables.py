"""The tables of shaping: what was sent lately on each account, and what its administrators allow."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column
from sqlmodel import Field, SQLModel

from serienmail.storage.tables import Document, UtcDateTime


class StoredShape(SQLModel, table=True):
    """What went out lately, what rests and who sends: for all workers together."""

    __tablename__: ClassVar[str] = "shape"

    kind: str = Field(primary_key=True)  # domain.shaping.Kind, or presence
    owner: str = Field(primary_key=True)  # an account, or a stage as mass mail's id/number
    provider: str = Field(default="", primary_key=True)
    document: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Document, nullable=False))
    troubled: bool = Field(default=False, index=True)  # it has a back-off


class AccountLimits(SQLModel, table=True):
    """What an administrator changed of an account's limits in the settings."""

    __tablename__: ClassVar[str] = "account_limits"

    account: str = Field(primary_key=True)
    changes: dict[str, Any] = Field(sa_column=Column(Document, nullable=False))  # by limit; null: no limit
    changed_by: str
    changed_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


shape = StoredShape.__table__  # type: ignore[attr-defined]  # SQLModel declares it at runtime only
account_limits = AccountLimits.__table__  # type: ignore[attr-defined]
