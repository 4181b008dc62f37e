"""Asking people for their consent by mail (double opt-in)."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.consents import ConsentRequest
from serienmail.domain.consent import Purpose
from serienmail.domain.contact import CONTACTS
from serienmail.domain.errors import TemplateFault
from serienmail.domain.template import TemplateRef
from serienmail.mailing.template import unknown_placeholders
from serienmail.storage.consent_requests import Question
from starter.client import MassMails
from workflows import names
from workflows.consent_request import ConsentRequestWorkflow

CONFIRM_URL = "confirm_url"


class Consents:
    """Requests for consent on one installation."""

    def __init__(self, mails: MassMails) -> None:
        self._mails = mails

    async def request(
        self,
        contact_key: str,
        by: str,
        template: str,
        account: str,
        purpose: Purpose = Purpose.MASS_MAIL,
        module: str = CONTACTS,
    ) -> int:
        """Ask a contact by mail; the request's number. Whoever was asked isn't asked again while the link is good.

        template: a name or ``name@revision``; it must print ``confirm_url``.
        """
        await self._mails.require("request", by, "consent", by)
        services = self._mails.services
        services.post_office.account(account)
        ref = await services.templates.newest(template)
        await self._check(ref, module)
        question = Question(
            module=module, contact_key=contact_key, purpose=purpose, template=str(ref), account=account, by=by
        )
        lasts = timedelta(days=services.settings.consent_link_days)
        number = await services.consent_requests.open(question, datetime.now(UTC), lasts)
        with suppress(WorkflowAlreadyStartedError):  # its mail is on its way
            await self._mails.temporal.start_workflow(
                ConsentRequestWorkflow.run,
                ConsentRequest(number),
                id=names.consent_request_workflow_id(number),
                task_queue=names.WORKFLOW_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,  # the claim sees to it that one mail goes out
                static_summary=f"asks for {purpose.replace('_', ' ')}",
            )
        return number

    async def _check(self, ref: TemplateRef, module: str) -> None:
        services = self._mails.services
        unknown = unknown_placeholders(await services.templates.get(ref), await services.contacts.fields(module))
        if CONFIRM_URL not in unknown:
            raise TemplateFault(f"the template has no link to confirm; print {CONFIRM_URL} in it.")
        if others := [name for name in unknown if name != CONFIRM_URL]:
            raise TemplateFault(f"the template uses {others[0]}, which no {module} has; correct it.")
