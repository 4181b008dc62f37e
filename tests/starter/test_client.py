"""What callers from code get is what the command line gets."""

from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from serienmail.mailing.identity import Identity, MailSettings
from tests.world import OWNER, world_on

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
