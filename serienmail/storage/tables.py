"""The tables. Column comments say what the name can't."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from serienmail.domain.contact import CONTACTS


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime. SQLite keeps no zone, so UTC goes in and UTC comes out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without time zone reached the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document = JSON().with_variant(JSONB(), "postgresql")
BigKey = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself only for INTEGER


class Contact(SQLModel, table=True):
    """A record in the CRM that can be written to, as last imported: a contact, or of another module."""

    __tablename__: ClassVar[str] = "contact"
    __table_args__ = (UniqueConstraint("module", "key", name="contact_once"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    module: str = Field(default=CONTACTS, sa_column_kwargs={"server_default": CONTACTS})
    key: str  # the CRM's own number in this module
    salutation: str = ""
    title: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    email: str = ""  # trimmed, else as the CRM wrote it
    address_key: str | None = Field(default=None, index=True)  # None: empty or invalid
    postcode: str = ""
    city: str = ""
    language: str = ""
    owner: str = ""
    time_zone: str = ""
    opt_in: bool = False  # "send mass mail"; empty means no
    tracking: bool = False  # consent to measuring opens
    attributes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Document, nullable=False))
    imported_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class ContactAddress(SQLModel, table=True):
    """Another address of a record that has several; no mail goes there, but whoever has it is the same person."""

    __tablename__: ClassVar[str] = "contact_address"

    contact_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    address_key: str = Field(primary_key=True, index=True)


class ContactField(SQLModel, table=True):
    """A free attribute's name and type, learnt at import."""

    __tablename__: ClassVar[str] = "contact_field"

    module: str = Field(default=CONTACTS, primary_key=True)
    name: str = Field(primary_key=True)
    type: str
    label: str = ""  # the column's heading in the CRM's export


class Suppression(SQLModel, table=True):
    """An address that gets no mass mail, or none of one topic, whatever its contacts say."""

    __tablename__: ClassVar[str] = "suppression"

    address_key: str = Field(primary_key=True)  # of an erased person: a keyed hash
    topic: str = Field(default="", sa_column=Column(String, primary_key=True, server_default=""))  # empty: all
    reason: str  # domain.suppression.SuppressionReason
    since: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    source: str = ""


class Consent(SQLModel, table=True):
    """What somebody agreed to or withdrew, append-only; the contact has the current answer."""

    __tablename__: ClassVar[str] = "consent"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    module: str = Field(default=CONTACTS, sa_column_kwargs={"server_default": CONTACTS})
    contact_key: str = Field(index=True)  # in the module
    address_key: str | None = Field(default=None, index=True)
    purpose: str  # domain.consent.Purpose
    given: bool
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    source: str
    proof: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class ConsentRequest(SQLModel, table=True):
    """Somebody who was asked for consent by mail, and what came of it."""

    __tablename__: ClassVar[str] = "consent_request"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))  # in its link
    contact_id: int = Field(sa_column=Column(BigKey, nullable=False, index=True))
    contact_key: str
    address_key: str  # that was asked: a contact with another one by now hasn't confirmed that
    purpose: str  # domain.consent.Purpose
    template: str  # name@revision
    account: str
    asked_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    handed_over_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    verdict: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))  # none: in doubt
    confirmed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class TemplateRevision(SQLModel, table=True):
    """A template as it was saved once; never changed, but for its draft."""

    __tablename__: ClassVar[str] = "template"

    name: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)  # from 1; 0 is the draft
    subject: str = Field(sa_column=Column(Text, nullable=False, default=""))
    text: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    html: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    enclosures: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Document, nullable=False))
    sender: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Document, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class StoredFile(SQLModel, table=True):
    """An attachment's or image's content, once under its hash, whatever the templates call it."""

    __tablename__: ClassVar[str] = "file"

    id: str = Field(primary_key=True)  # SHA-256, hexadecimal
    content: bytes


class StoredMassMail(SQLModel, table=True):
    """An order and what its workflow last said about itself."""

    __tablename__: ClassVar[str] = "mass_mail"

    id: str = Field(primary_key=True)
    number: int = Field(unique=True)  # short, for signed links
    name: str
    topic: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))  # empty: none
    created_by: str = Field(index=True)
    status: dict[str, Any] = Field(sa_column=Column(Document, nullable=False))  # domain.status.Status, with the order
    version: int = 0  # of the status: a late writer never overwrites a newer one
    state: str = Field(index=True)
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Stage(SQLModel, table=True):
    """A stage of a mass mail: who may send for it now."""

    __tablename__: ClassVar[str] = "stage"

    mass_mail_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)  # 0 the mass mail, 1–3 its follow-ups
    epoch: int = 0  # grows with every start of sending; an older epoch claims nothing
    open: bool = False
    revision: int = 0  # of the order whose recipients are loaded
    template: str = ""  # name@revision
    loaded_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


TOLD = ("opened", "clicked", "unsubscribed", "bounced", "complained", "replied")
SOMETHING_TOLD = " OR ".join(f"{name}_at IS NOT NULL" for name in TOLD)
"""Somebody did something about the mail, or told something of it; written as the index has it."""


NOT_TOLD_YET = "state IN ('sent', 'deferred', 'rejected', 'failed', 'unknown') AND told <> state"
"""The feed doesn't know yet what a server answered; written as the index has it."""

EXCLUDED = "state = 'excluded'"
"""Sorted by their reasons these rows are counted without sorting them; written as the index has it."""


class Delivery(SQLModel, table=True):
    """The ledger: one mail to one recipient in one stage.

    Claims and outcomes write the state of all rows, in the order of seq, and addresses lie anywhere in an index. SQLite
    writes an index anew if its condition has a column that is written, and uses it only for statements with that very
    condition; so there no index by address has the state. PostgreSQL writes all indexes anew whose condition holds.
    """

    __tablename__: ClassVar[str] = "delivery"
    __table_args__ = (
        Index("delivery_once", "mass_mail_id", "stage", "address_key", unique=True,
              sqlite_where=text("reason = ''"), postgresql_where=text("state <> 'excluded'")),
        Index("delivery_state", "mass_mail_id", "stage", "state", "seq", "tracked"),  # enough for counting
        Index("delivery_excluded", "mass_mail_id", "stage", "reason", "seq",
              sqlite_where=text(EXCLUDED), postgresql_where=text(EXCLUDED)),
        Index("delivery_told", "mass_mail_id", "stage", "state", "tracked", *(f"{name}_at" for name in TOLD),
              sqlite_where=text(SOMETHING_TOLD), postgresql_where=text(SOMETHING_TOLD)),
        Index("delivery_not_told", "mass_mail_id", "stage", "seq",
              sqlite_where=text(NOT_TOLD_YET), postgresql_where=text(NOT_TOLD_YET)),
        Index("delivery_address", "address_key", "mass_mail_id", "stage",
              postgresql_where=text("state IN ('pending', 'deferred')")),
    )  # fmt: skip

    mass_mail_id: str = Field(primary_key=True)
    stage: int = Field(primary_key=True)
    seq: int = Field(primary_key=True)  # dense from 1
    contact_id: int = Field(sa_column=Column(BigKey, nullable=False))
    address: str = ""
    address_key: str | None = None
    state: str
    reason: str = ""  # an exclusion's code
    token: str | None = None  # of the last claim
    epoch: int = 0
    template: str = ""  # the revision that was sent
    tracked: bool = False  # the mail carried a pixel
    told: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))  # the state, in the feed
    doubted: bool = False  # was `unknown` once: never excluded, cancelled, rejected or failed after
    resent: bool = False  # was due again after a doubt, by the order's policy or somebody's word
    attempts: int = 0
    data_of: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))  # its import, for the last try
    data_changed: bool = False  # between two tries: not every copy of this mail says the same
    next_try_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    handed_over_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    reply: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    message_id: str = ""
    dated_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    opened_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    clicked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    bounced_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    delivered_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))  # as a report says
    complained_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    replied_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    unsubscribed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class StoredCopy(SQLModel, table=True):
    """A copy of a mass mail for an employee; no delivery, and in no statistics."""

    __tablename__: ClassVar[str] = "copy"

    mass_mail_id: str = Field(primary_key=True)
    user: str = Field(primary_key=True)
    contact_id: int = Field(sa_column=Column(BigKey, nullable=False))  # whose mail it shows
    state: str
    token: str | None = None  # of the last claim
    reply: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))


class AutomaticAnswer(SQLModel, table=True):
    """What answers an answer by itself: once for a recipient and a mass mail, whatever comes of it."""

    __tablename__: ClassVar[str] = "automatic_answer"
    __table_args__ = (Index("automatic_answer_due", "state", "asked_at"), Index("automatic_answer_day", "claimed_at"))

    mass_mail_id: str = Field(primary_key=True)
    contact_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    stage: int  # with seq: the mail that was answered
    seq: int
    template: str  # name@revision
    account: str
    replied_to: str  # the answer's Message-ID; empty once it isn't needed any more
    asked_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    state: str  # domain.states.DeliveryState
    token: str | None = Field(default=None, unique=True)  # of the last claim
    claimed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Event(SQLModel, table=True):
    """What people did, append-only."""

    __tablename__: ClassVar[str] = "event"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    kind: str  # domain.feedback.Happening, machine_opened, machine_clicked, or late_reply
    mass_mail_id: str
    stage: int
    seq: int
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    detail: str = ""
    link: int | None = Field(default=None, sa_column=Column(BigInteger))  # that was clicked
    key: str | None = Field(default=None, unique=True)  # of what came from outside, so that it counts once
    position: int | None = Field(default=None, sa_column=Column(BigInteger, unique=True))  # in the feed

    __table_args__ = (
        Index("event_of_delivery", "mass_mail_id", "stage", "seq", "kind"),
        Index("event_without_position", "id", sqlite_where=text("position IS NULL"),
              postgresql_where=text("position IS NULL")),
    )  # fmt: skip


class MeasuredLink(SQLModel, table=True):
    """Where a link in a template's mails leads; its id stands in their links."""

    __tablename__: ClassVar[str] = "measured_link"
    __table_args__ = (UniqueConstraint("template", "url", name="measured_link_once"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    template: str  # name@revision
    url: str = Field(sa_column=Column(Text, nullable=False))


class StoredVisit(SQLModel, table=True):
    """A request for something in a mail, until it is judged; then an event is left of it, and nothing of its sender."""

    __tablename__: ClassVar[str] = "visit"
    __table_args__ = (Index("visit_of_delivery", "mass_mail_id", "stage", "seq"), Index("visit_by_time", "at"))

    id: str = Field(primary_key=True)  # made where it came in, so that it can be written again
    mass_mail_id: str
    stage: int
    seq: int
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    link: int = Field(sa_column=Column(BigInteger, nullable=False))  # 0: the pixel
    method: str
    network: str  # a keyed hash
    agent: str
    scanner: bool


class StoredFeedback(SQLModel, table=True):
    """What came back about mails, each thing once; also what can't be matched, which changes nothing."""

    __tablename__: ClassVar[str] = "feedback"

    id: str = Field(primary_key=True)  # its source's own
    kind: str  # domain.feedback.Happening
    severity: str = ""  # domain.feedback.Severity, of a bounce
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    mass_mail_id: str | None = None  # with stage and seq: the delivery; None: unmatched
    stage: int | None = None
    seq: int | None = None
    address_key: str | None = None
    detail: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))

    __table_args__ = (
        Index("feedback_of_delivery", "mass_mail_id", "stage", "seq"),
        Index("feedback_of_address", "address_key"),
    )


class Audit(SQLModel, table=True):
    """Who commanded what, append-only, without an address."""

    __tablename__: ClassVar[str] = "audit"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    version: int | None = None  # of the mass mail's status
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    by: str
    act: str
    about: str  # a mass mail's id, or what else was commanded
    before: dict[str, Any] = Field(sa_column=Column(Document, nullable=False))
    after: dict[str, Any] = Field(sa_column=Column(Document, nullable=False))
    refused: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))

    __table_args__ = (Index("audit_once", "about", "version", unique=True),)  # without a version: as often as written


contact = Contact.__table__  # type: ignore[attr-defined]  # SQLModel declares it at runtime only
contact_address = ContactAddress.__table__  # type: ignore[attr-defined]
contact_field = ContactField.__table__  # type: ignore[attr-defined]
suppression = Suppression.__table__  # type: ignore[attr-defined]
audit = Audit.__table__  # type: ignore[attr-defined]
consent_request = ConsentRequest.__table__  # type: ignore[attr-defined]
consent = Consent.__table__  # type: ignore[attr-defined]
template = TemplateRevision.__table__  # type: ignore[attr-defined]
file = StoredFile.__table__  # type: ignore[attr-defined]
mass_mail = StoredMassMail.__table__  # type: ignore[attr-defined]
stage = Stage.__table__  # type: ignore[attr-defined]
delivery = Delivery.__table__  # type: ignore[attr-defined]
copy = StoredCopy.__table__  # type: ignore[attr-defined]
automatic_answer = AutomaticAnswer.__table__  # type: ignore[attr-defined]
event = Event.__table__  # type: ignore[attr-defined]
measured_link = MeasuredLink.__table__  # type: ignore[attr-defined]
visit = StoredVisit.__table__  # type: ignore[attr-defined]
feedback = StoredFeedback.__table__  # type: ignore[attr-defined]
