"""The conditions that say which rows of the ledger are meant, and which entry of the suppression list."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, String, and_, case, func, literal, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from serienmail.domain.delivery import StageKey
from serienmail.domain.states import DeliveryState
from serienmail.domain.suppression import ALL_TOPICS
from serienmail.storage.given import Given
from serienmail.storage.tables import delivery, stage, suppression


def stage_row(key: StageKey) -> ColumnElement[bool]:
    """The stage's own row."""
    return and_(stage.c.mass_mail_id == key.mass_mail_id, stage.c.number == key.stage)


def rows_of(key: StageKey) -> ColumnElement[bool]:
    """All deliveries of a stage."""
    return and_(delivery.c.mass_mail_id == key.mass_mail_id, delivery.c.stage == key.stage)


def same_row(one: Given, other: Given) -> ColumnElement[bool]:
    """Both are one delivery."""
    return and_(*(one.c[name] == other.c[name] for name in ("mass_mail_id", "stage", "seq")))


def is_due(now: datetime) -> ColumnElement[bool]:
    """Pending or deferred, until now at the latest; a pending row without a time waits for nothing."""
    deferred = and_(delivery.c.state == DeliveryState.DEFERRED, delivery.c.next_try_at <= now)
    its_time = or_(delivery.c.next_try_at.is_(None), delivery.c.next_try_at <= now)
    return or_(and_(delivery.c.state == DeliveryState.PENDING, its_time), deferred)


def ended_as(state: DeliveryState) -> ColumnElement[str]:
    """This state; but ``unknown`` for a row that was ever in doubt: its mail may have arrived, whatever comes later."""
    return case((delivery.c.doubted, literal(DeliveryState.UNKNOWN.value)), else_=literal(state.value))


def suppression_of(address_key: ColumnElement[Any], topic: ColumnElement[Any] | str) -> ScalarSelect[Any]:
    """Why this address gets no mass mail of this topic; NULL if it does. The entry for all topics comes first."""
    listed = and_(suppression.c.address_key == address_key, suppression.c.topic.in_([ALL_TOPICS, topic]))
    found = select(suppression.c.reason).where(listed).order_by(suppression.c.topic).limit(1)
    return found.correlate_except(suppression).scalar_subquery()


class domain_of(FunctionElement[str]):  # used as a function
    """What stands behind the @ of an address. The databases have no function for it in common."""

    type = String()
    inherit_cache = True


@compiles(domain_of)
def _trimmed(element: domain_of, compiler: SQLCompiler, **how: Any) -> str:
    """What is trimmed is not an @."""
    [address] = element.clauses
    before = func.rtrim(address, func.replace(address, "@", ""))
    return compiler.process(func.substr(address, func.length(before) + 1), **how)


@compiles(domain_of, "postgresql")
def _split(element: domain_of, compiler: SQLCompiler, **how: Any) -> str:
    """A quarter of the time."""
    [address] = element.clauses
    return compiler.process(func.split_part(address, "@", -1), **how)
