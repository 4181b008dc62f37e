"""One request for consent, from its order to the mail server's answer."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.consents import ConsentActivities, ConsentRequest

from workflows import options


@workflow.defn
class ConsentRequestWorkflow:
    """Durable, so that the question gets out whatever happens; the stored request sees to it that it does once."""

    @workflow.run
    async def run(self, request: ConsentRequest) -> str:
        """What became of the mail. The answer comes by the web, and no workflow waits for it."""
        return await workflow.execute_activity_method(
            ConsentActivities.send_consent_request, request, **options.asking()
        )
