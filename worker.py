"""The worker: the one place that wires settings, adapters and activities to Temporal.

python worker.py [--role workflows|send|all]
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from datetime import timedelta

import uvloop
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.answers import AnswerActivities
from activities.consents import ConsentActivities
from activities.copies import CopyActivities
from activities.crm import CrmActivities
from activities.failures import PrivateFailures
from activities.loading import LoadingActivities
from activities.mailboxes import MailboxActivities
from activities.notices import NoticeActivities
from activities.records import RecordActivities
from activities.sending import SendActivities
from activities.stages import StageActivities
from activities.triggers import TriggerActivities
from serienmail.domain.errors import SerienmailError
from serienmail.settings import load_settings
from starter.client import MassMails
from starter.connection import connect_to_temporal, temporal_answers
from starter.mailboxes import have_mailboxes_read
from starter.services import Services, open_services
from starter.triggering import Triggering
from workflows.consent_request import ConsentRequestWorkflow
from workflows.delivery import DeliveryWorkflow
from workflows.follow_up import FollowUpWorkflow
from workflows.mailbox import MailboxWorkflow
from workflows.mass_mail import MassMailWorkflow
from workflows.names import SEND_QUEUE, WORKFLOW_QUEUE
from workflows.recurring import RecurringMassMailWorkflow
from workflows.trigger import TriggerWorkflow

GRACEFUL_SHUTDOWN = timedelta(minutes=11)
"""Above the 10 minutes a mail server may take to answer the final dot: a deploy never cuts a mail in hand."""
SLICES_AT_ONCE = 100
"""Several times a mass mail's window: one that waits for its turn must not keep another from starting."""
_ITS_OWN_MODULES = SandboxRestrictions.default.with_passthrough_modules("serienmail.domain")
"""The domain is pure, import-linter sees to it; to import it anew for each run took 48 ms of processor time."""
log = logging.getLogger("serienmail.worker")


def build_workers(client: Client, services: Services, role: str = "all") -> list[Worker]:
    """The workers of a role, not yet running."""
    workers = []
    if role in ("workflows", "all"):
        workers.append(_workflow_worker(client, services))
    if role in ("send", "all"):
        workers.append(_send_worker(client, services))
    return workers


def _workflow_worker(client: Client, services: Services) -> Worker:
    loading = LoadingActivities(services.recipients, services.post_office, services.visits)
    stages = StageActivities(services.ledger, services.evidence)
    records = RecordActivities(services.mass_mails)
    mailboxes = MailboxActivities(services.mailboxes, services.feedback, services.answers)
    crm = CrmActivities(services.activities)
    triggers = TriggerActivities(services.triggers, services.hooks)
    return Worker(
        client,
        task_queue=WORKFLOW_QUEUE,
        workflows=[
            MassMailWorkflow,
            DeliveryWorkflow,
            FollowUpWorkflow,
            RecurringMassMailWorkflow,
            ConsentRequestWorkflow,
            MailboxWorkflow,
            TriggerWorkflow,
        ],
        activities=[
            loading.begin_loading,
            loading.load_recipients,
            stages.open_stage,
            stages.close_stage,
            stages.plan_slices,
            stages.cancel_stage,
            stages.reopen_stage,
            stages.resolve_doubts,
            stages.count_stage,
            records.create_order,
            records.record_status,
            mailboxes.read_mailbox,
            crm.keep_in_crm,
            triggers.carry_out_trigger,
            triggers.tell_hook,
        ],
        interceptors=[PrivateFailures()],
        workflow_runner=SandboxedWorkflowRunner(_ITS_OWN_MODULES),
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
    )


def _send_worker(client: Client, services: Services) -> Worker:
    stages = StageActivities(services.ledger, services.evidence)
    sending = SendActivities(services.ledger, services.post_office)
    consents = ConsentActivities(services.consent_requests, services.post_office)
    copies = CopyActivities(services.copies, services.post_office)
    answers = AnswerActivities(services.answers, services.post_office)
    notices = NoticeActivities(services.post_office, services.settings.temporal_ui)
    return Worker(
        client,
        task_queue=SEND_QUEUE,
        activities=[
            stages.open_stage,
            sending.send_slice,
            consents.send_consent_request,
            copies.send_copies,
            answers.send_answers,
            notices.send_notice,
        ],
        interceptors=[PrivateFailures()],
        max_concurrent_activities=SLICES_AT_ONCE,
        max_heartbeat_throttle_interval=timedelta(seconds=5),  # a stop reaches a slice with a heartbeat's answer
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
    )


async def run(role: str) -> None:
    """Work until SIGTERM or SIGINT; mails in hand are finished."""
    settings = load_settings()
    client = await connect_to_temporal(_runtime(settings.metrics_address))
    async with open_services(settings) as services:
        with temporal_answers():
            for mass_mail_id in await MassMails(services, client).repair():
                log.warning("brought back, stopped: %s", mass_mail_id)
            await have_mailboxes_read(client, settings.mailboxes)
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        workers = build_workers(client, services, role)
        running = [asyncio.create_task(worker.run()) for worker in workers]
        triggering = asyncio.create_task(_start_triggers(client, services, role))
        log.info("working as %s", role)
        await asyncio.wait([asyncio.create_task(stopped.wait()), *running], return_when=asyncio.FIRST_COMPLETED)
        triggering.cancel()
        log.info("finishing the mails in hand")
        await asyncio.gather(*(worker.shutdown() for worker in workers), *running)


async def _start_triggers(client: Client, services: Services, role: str) -> None:
    if role != "send":  # one of them is enough, and of those there may be many
        await Triggering(client, services.triggers).keep_starting()


def _runtime(metrics_address: str | None) -> Runtime:
    metrics = PrometheusConfig(bind_address=metrics_address) if metrics_address else None
    return Runtime(telemetry=TelemetryConfig(metrics=metrics))


def main() -> None:
    """Read the options and work; a refusal is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="worker.py", description="Carry out mass mails.")
    parser.add_argument("--role", choices=["workflows", "send", "all"], default="all", help="what to work on")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(options.role))
    except SerienmailError as refusal:
        sys.stderr.write(f"{refusal}\n")
        code = 1
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # the SDK's own threads crash half of the ordinary exits (sdk-python issue 300)


if __name__ == "__main__":
    main()
