"""What of an exception may enter a workflow's history: our own sentences; of others the type alone."""

import logging
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from serienmail.domain.errors import (
    AccountRefused,
    CommandRefused,
    HookRefused,
    InvalidOrder,
    LedgerWentBack,
    NotFound,
    SerienmailError,
    TemplateFault,
)

log = logging.getLogger(__name__)

_USELESS_TO_RETRY = (
    AccountRefused, CommandRefused, HookRefused, InvalidOrder, LedgerWentBack, NotFound, TemplateFault
)  # fmt: skip


class PrivateFailures(Interceptor):
    """Turns every exception of an activity into one whose text carries no personal data.

    SMTP replies echo addresses, and database drivers print keys; both would be readable in the Temporal UI for weeks.
    The worker's own log keeps the original.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Guard(next)


class _Guard(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except (ApplicationError, CancelledError):
            raise
        except SerienmailError as error:
            final = isinstance(error, _USELESS_TO_RETRY)
            failure = ApplicationError(str(error), type=type(error).__name__, non_retryable=final)
        except Exception as error:
            log.exception("%s failed", activity.info().activity_type)
            failure = ApplicationError("unexpected; the worker's log has the details.", type=type(error).__name__)
        raise failure from None
