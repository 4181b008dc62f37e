"""Ids, task queues and search attributes: each from one place."""

from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from serienmail.domain.delivery import StageKey
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.status import Status
from serienmail.domain.trigger import Triggered

WORKFLOW_QUEUE = "serienmail"
"""Workflows and short database activities."""
SEND_QUEUE = "serienmail-send"

MASS_MAIL_STATE = SearchAttributeKey.for_keyword("MassMailState")
MASS_MAIL_OWNER = SearchAttributeKey.for_keyword("MassMailOwner")
MASS_MAIL_ID = SearchAttributeKey.for_keyword("MassMailId")
SCHEDULED_AT = SearchAttributeKey.for_datetime("ScheduledAt")
SEARCH_ATTRIBUTES = (MASS_MAIL_STATE, MASS_MAIL_OWNER, MASS_MAIL_ID, SCHEDULED_AT)


def first_search_attributes(order: MassMail) -> TypedSearchAttributes:
    """Whose mass mail it is; set at its start."""
    return TypedSearchAttributes(
        [SearchAttributePair(MASS_MAIL_ID, order.id), SearchAttributePair(MASS_MAIL_OWNER, order.created_by)]
    )


def search_attributes_of(status: Status) -> list[SearchAttributeUpdate[Any]]:
    """What the list of workflows in the UI can be searched by."""
    due = status.scheduled_at
    return [
        MASS_MAIL_STATE.value_set(status.state),
        SCHEDULED_AT.value_set(due) if due else SCHEDULED_AT.value_unset(),
    ]


def mass_mail_workflow_id(mass_mail_id: str) -> str:
    """One mass mail is one workflow."""
    return f"mass-mail/{mass_mail_id}"


def consent_request_workflow_id(number: int) -> str:
    """One request for consent is one workflow, however often it is started."""
    return f"consent-request/{number}"


def trigger_workflow_id(set_off: Triggered) -> str:
    """One recipient and one event are one workflow, however often it is started."""
    return f"trigger/{set_off.mass_mail_id}/stage-{set_off.stage}/{set_off.seq}/{set_off.trigger}"


def mailbox_workflow_id(mailbox: str) -> str:
    """A mailbox' schedule; its runs add their times."""
    return f"mailbox/{mailbox}"


def stage_workflow_id(key: StageKey, epoch: int) -> str:
    """One start of sending a stage; a restart is another."""
    return f"mass-mail/{key.mass_mail_id}/stage-{key.stage}/{epoch}"


def audience_workflow_id(key: StageKey, epoch: int) -> str:
    """A follow-up's delivery, inside its own workflow."""
    return f"{stage_workflow_id(key, epoch)}/delivery"
