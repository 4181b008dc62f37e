"""A mailbox is read by schedule: a worker that dies between reading and saying so loses nothing and doubles nothing."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import func, select
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.answers import AnswerActivities
from activities.mailboxes import MailboxActivities, Reading
from serienmail.domain.feedback import Feedback
from serienmail.domain.mailbox import Position
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.mailbox import MailboxReader
from serienmail.mailing.post import PostOffice
from serienmail.storage.answers import AnswerStore
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.tables import event, feedback
from serienmail.storage.templates import TemplateStore
from starter.mailboxes import have_mailboxes_read
from tests.mailing.imap_server import an_imap_server
from tests.mailing.test_mailbox import PRIVATE, REPLY
from tests.web.conftest import KEY, a_mass_mail
from workflows.mailbox import MailboxWorkflow
from workflows.names import SEND_QUEUE

LINKS = Links("", KEY.encode())
REPLY_TO_OURS = REPLY.replace(REPLY.split(b"In-Reply-To: ")[1].split(b"\r\n")[0],
                              LINKS.message_id(MailRef(1, 0, 1), "example.com").encode())


class DiesAfterStoring:
    """Storage of a worker that is gone, once, before it can say what it stored."""

    def __init__(self, store: FeedbackStore) -> None:
        self._store = store
        self.attempts = 0

    async def record(self, news: Sequence[Feedback]) -> None:
        await self._store.record(news)
        self.attempts += 1
        if self.attempts == 1:
            raise ConnectionError("gone")


async def run(client: Client, activities: MailboxActivities, answers: AnswerActivities, *, runs: int = 1) -> Position:
    """Read the mailbox so often, by workers of its own."""
    queue = f"mailbox-{uuid4()}"
    worker = Worker(client, task_queue=queue, workflows=[MailboxWorkflow], activities=[activities.read_mailbox])
    sending = Worker(client, task_queue=SEND_QUEUE, activities=[answers.send_answers])
    position = Position()
    async with worker, sending:
        for _ in range(runs):
            position = await client.execute_workflow(
                MailboxWorkflow.run, Reading("office", position), id=queue, task_queue=queue
            )
    return position


async def test_a_kill_between_reading_and_saying_so_doubles_nothing(
    temporal: WorkflowEnvironment, database: Database
) -> None:
    await a_mass_mail(database, {})
    dying = DiesAfterStoring(FeedbackStore(database, 3))
    async with an_imap_server() as server:
        server.add(PRIVATE)
        server.add(REPLY_TO_OURS)
        reader = MailboxReader({"office": server.mailbox}, LINKS)
        answers = AnswerStore(database, [])
        sends = AnswerActivities(answers, PostOffice(TemplateStore(database), {}, LINKS))
        position = await run(temporal.client, MailboxActivities(reader, dying, answers), sends)
    assert (position, dying.attempts) == (Position(1, 2), 2)
    async with database.read() as connection:
        for table in (feedback, event):
            assert (await connection.execute(select(func.count()).select_from(table))).scalar_one() == 1


async def test_each_mailbox_has_one_schedule(temporal: WorkflowEnvironment) -> None:
    for _ in range(2):
        await have_mailboxes_read(temporal.client, ["office"])
    handle = temporal.client.get_schedule_handle("mailbox/office")
    assert not (await handle.describe()).schedule.state.paused
    await handle.delete()
