"""What of an exception may be read in a workflow's history."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failures import PrivateFailures
from serienmail.domain.errors import AccountRefused, ServerUnreachable


class _Fails(ActivityInboundInterceptor):
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        raise self._error


async def failure_of(error: Exception) -> ApplicationError:
    guard = PrivateFailures().intercept_activity(_Fails(error))

    async def run() -> None:
        await guard.execute_activity(ExecuteActivityInput(fn=run, args=[], executor=None, headers={}))

    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(run)
    return caught.value


async def test_our_own_sentences_are_kept() -> None:
    failure = await failure_of(ServerUnreachable("the mail server is away."))
    assert (failure.message, failure.type, failure.non_retryable) == (
        "the mail server is away.",
        "ServerUnreachable",
        False,
    )


async def test_what_only_people_can_mend_is_not_retried() -> None:
    assert (await failure_of(AccountRefused("check the account."))).non_retryable


async def test_of_other_exceptions_only_the_type_is_kept() -> None:
    failure = await failure_of(ValueError("Key (address_key)=(person@example.org)"))
    assert "person" not in str(failure)
    assert failure.type == "ValueError"
    assert failure.__cause__ is None
