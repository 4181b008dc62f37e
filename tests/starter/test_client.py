"""What callers from code get is what the command line gets."""

from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from serienmail.domain.commands import Edit
from serienmail.domain.states import MassMailState
from serienmail.mailing.identity import Identity, MailSettings
from tests.world import OWNER, follow_up, world_on

MAIL = MailSettings(people={OWNER: Identity(address=f"{OWNER}@example.com", signature_text="Yours, Anna")})


async def test_a_mass_mail_from_code_is_from_who_ordered_it(temporal: WorkflowEnvironment, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, url, mail=MAIL, permitted=("example.com",)) as world:
        await world.contacts(1)
        await world.start("autumn", due=None)
        await world.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)
        [mail] = world.inbox.messages()
        assert mail.message["From"] == f"{OWNER}@example.com"
        assert "Yours, Anna" in mail.message.as_string()


async def test_another_template_is_from_the_same_sender(temporal: WorkflowEnvironment, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, url, mail=MAIL, permitted=("example.com",)) as world:
        await world.contacts(1)
        await world.start("autumn")
        await world.until("autumn", MassMailState.SCHEDULED)
        await world.mails.stop("autumn", by=OWNER)
        edit = Edit(by=OWNER, template="winter", follow_ups=(follow_up(1, template="winter"),))
        order = (await world.mails.edit("autumn", edit)).order
        assert (order.template, order.follow_ups[0].template) == ("winter~autumn@1", "winter~autumn@1")
        again = Edit(by=OWNER, name="Later", template=order.template, follow_ups=order.follow_ups)
        assert (await world.mails.edit("autumn", again)).order.template == "winter~autumn@1"
        await world.mails.restart("autumn", by=OWNER, now=True)
        await world.until("autumn", MassMailState.FOLLOWING_UP)
        [mail] = world.inbox.messages()
        assert (mail.message["Subject"], mail.message["From"]) == ("Winter", f"{OWNER}@example.com")
