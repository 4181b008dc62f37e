"""Why a stage ended before its time, in words for the operator."""

from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, ChildWorkflowError, TerminatedError

from serienmail.domain.campaign import TEMPORAL_UI
from serienmail.domain.errors import LedgerWentBack

ENDED_BY_HAND = f"its delivery was ended in the {TEMPORAL_UI}; restart it to go on"


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, ActivityError | ChildWorkflowError) and error.__cause__:
        error = error.__cause__
    return error


def went_back(error: BaseException) -> bool:
    """Whether the ledger shows fewer mails than went out, as a restored one does."""
    cause = _innermost(error)
    return isinstance(cause, ApplicationError) and cause.type == LedgerWentBack.__name__


def reason_of(error: BaseException) -> str:
    """The innermost sentence of a failure."""
    error = _innermost(error)
    if isinstance(error, CancelledError | TerminatedError):
        return ENDED_BY_HAND
    return error.message if isinstance(error, ApplicationError) else str(error) or type(error).__name__
