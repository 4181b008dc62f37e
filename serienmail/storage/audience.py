"""Who belongs to a follow-up's audience, as conditions on contacts and on an earlier stage's rows."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, null, select

from serienmail.domain.delivery import StageKey
from serienmail.domain.mass_mail import Audience
from serienmail.domain.statistics import Number
from serienmail.storage.counting import counted_by
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import contact, delivery

_BEHIND = {
    Audience.RECEIVED: Number.SENT,
    Audience.OPENED: Number.OPENED,
    Audience.NOT_OPENED: Number.NOT_OPENED,
    Audience.CLICKED: Number.CLICKED,
    Audience.NOT_CLICKED: Number.NOT_CLICKED,
}
"""An audience is who is behind a number of the statistics: who was not measured has neither opened nor not opened."""


def in_audience(audience: Audience) -> ColumnElement[bool]:
    """Among an earlier stage's rows."""
    return counted_by(_BEHIND[audience])


def in_audience_of(asked: StageKey, audience: Audience) -> ColumnElement[bool]:
    """Contacts that are in this stage's audience."""
    theirs = select(delivery.c.contact_id).where(rows_of(asked), in_audience(audience))
    return and_(contact.c.id.in_(theirs))


def everybody_of(asked: StageKey, audience: Audience) -> Select[Any]:
    """The contacts that are in this stage's audience, beside the stage's own rows."""
    of_stage = select(contact).join(delivery, delivery.c.contact_id == contact.c.id)
    return of_stage.where(rows_of(asked), in_audience(audience))


def has_replied(mass_mail_id: str) -> ColumnElement[bool]:
    """Contacts that answered the mass mail or one of its follow-ups."""
    answered = and_(delivery.c.mass_mail_id == mass_mail_id, delivery.c.replied_at.is_not(null()))
    return and_(contact.c.id.in_(select(delivery.c.contact_id).where(answered)))
