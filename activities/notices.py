"""Telling who ordered a mass mail, by mail, that its recipients are read."""

from typing import Protocol
from urllib.parse import quote

from temporalio import activity
from temporalio.exceptions import ApplicationError

from serienmail.domain.delivery import Answer, Verdict
from serienmail.domain.notice import Notice, NoticeJob, notice_of


class NoticePost(Protocol):
    """Builds and transports notices."""

    async def send_notice(self, account: str, user: str, notice: Notice) -> Answer:
        """Hand one over to an employee; TransportFailure if the server can't be had."""


class NoticeActivities:
    """send_notice."""

    def __init__(self, post: NoticePost, temporal_ui: str) -> None:
        """temporal_ui: the address of Temporal's UI, which shows the mass mail; empty: nobody can open it."""
        self._post = post
        self._ui = temporal_ui

    @activity.defn
    async def send_notice(self, job: NoticeJob) -> str:
        """The server's verdict. Tried again, it is the same mail; its reader's inbox may show it twice."""
        answer = await self._post.send_notice(job.account, job.to, notice_of(job, self._link()))
        if answer.verdict is Verdict.DEFERRED:
            raise ApplicationError("the mail server said 'later'; tried again by itself.", type="Deferred")
        return answer.verdict

    def _link(self) -> str:
        about = activity.info()
        workflow = quote(about.workflow_id or "", safe="")
        return f"{self._ui}/namespaces/{about.namespace}/workflows/{workflow}" if self._ui else ""
