"""The tables of how recipients are chosen: selections, saved filters, work lists."""

from typing import Any, ClassVar

from sqlalchemy import Column
from sqlmodel import Field, SQLModel

from serienmail.storage.tables import Document


class StoredSelection(SQLModel, table=True):
    """A selection under its content's hash, so that orders carry an id and no personal data."""

    __tablename__: ClassVar[str] = "selection"

    id: str = Field(primary_key=True)
    definition: dict[str, Any] = Field(sa_column=Column(Document, nullable=False))


class SavedFilter(SQLModel, table=True):
    """A criterion with a name."""

    __tablename__: ClassVar[str] = "saved_filter"

    name: str = Field(primary_key=True)
    module: str
    definition: dict[str, Any] = Field(sa_column=Column(Document, nullable=False))


class WorkList(SQLModel, table=True):
    """A static list of one module's records."""

    __tablename__: ClassVar[str] = "work_list"

    name: str = Field(primary_key=True)
    module: str


class WorkListMember(SQLModel, table=True):
    """A record on a work list. By the CRM's number, so that one deleted and imported again is still on it."""

    __tablename__: ClassVar[str] = "work_list_member"

    list: str = Field(primary_key=True)
    key: str = Field(primary_key=True)


selection = StoredSelection.__table__  # type: ignore[attr-defined]
saved_filter = SavedFilter.__table__  # type: ignore[attr-defined]
work_list = WorkList.__table__  # type: ignore[attr-defined]
work_list_member = WorkListMember.__table__  # type: ignore[attr-defined]
