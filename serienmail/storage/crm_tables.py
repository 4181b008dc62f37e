"""The tables of the CRM: activities, templates of contact actions, and the triggers that recipients set off."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Column, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from serienmail.storage.tables import BigKey, UtcDateTime


class StoredActivity(SQLModel, table=True):
    """An entry beside a contact, or beside nobody in particular."""

    __tablename__: ClassVar[str] = "activity"
    __table_args__ = (
        UniqueConstraint("origin", "contact_id", name="activity_once"),
        Index("activity_of_contact", "contact_id"),
        Index("activity_of_mass_mail", "mass_mail_id", "kind"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    origin: str  # what created it, so that a second try creates it no second time
    contact_id: int = Field(sa_column=Column(BigKey, nullable=False))  # 0: nobody in particular
    kind: str  # domain.activity.Kind
    mass_mail_id: str = ""  # empty: none
    stage: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    subject: str
    note: str = Field(default="", sa_column=Column(Text, nullable=False))
    type: str = ""  # the CRM's own word, of notes and tasks
    assigned: str = ""  # user ids, with commas between
    status: str = ""  # domain.activity.TaskStatus, of a task
    priority: str = ""  # domain.activity.Priority, of a task
    starts_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    due_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class StoredTriggered(SQLModel, table=True):
    """A trigger that a recipient set off: kept with the event itself, so that it isn't lost; once for ever."""

    __tablename__: ClassVar[str] = "triggered"
    __table_args__ = (
        Index("triggered_not_started", "at",
              sqlite_where=text("started_at IS NULL"), postgresql_where=text("started_at IS NULL")),
    )  # fmt: skip

    mass_mail_id: str = Field(primary_key=True)
    stage: int = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    trigger: str = Field(primary_key=True)  # domain.trigger.Trigger.key
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))  # of the event
    link: int | None = Field(default=None, sa_column=Column(BigInteger))  # that was clicked
    started_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))  # its workflow
    done_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))  # updates, tasks and calls


class StoredContactAction(SQLModel, table=True):
    """A contact action's template: what its file says, but for whom."""

    __tablename__: ClassVar[str] = "contact_action"

    name: str = Field(primary_key=True)
    text: str = Field(sa_column=Column(Text, nullable=False))  # TOML


activity = StoredActivity.__table__  # type: ignore[attr-defined]  # SQLModel declares it at runtime only
triggered = StoredTriggered.__table__  # type: ignore[attr-defined]
contact_action = StoredContactAction.__table__  # type: ignore[attr-defined]
