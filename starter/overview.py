"""What there is and how it is: lists and reports, from the database alone, so that they work without Temporal."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.errors import CommandRefused
from serienmail.domain.states import DeliveryState, Folder
from serienmail.domain.status import Status, as_of
from serienmail.storage.deliveries import DeliveryList
from serienmail.storage.mass_mails import Listed
from starter.services import Services


@dataclass(frozen=True, slots=True)
class Report:
    """A mass mail as it is: its workflow's last word, and each stage in numbers counted in the ledger."""

    status: Status
    stages: Mapping[int, Counts]


async def report(services: Services, mass_mail_id: str) -> Report:
    """One mass mail; NotFound if there is none."""
    listed = await services.mass_mails.get(mass_mail_id)
    stages = range(len(listed.order.follow_ups) + 1)
    counts = {n: await services.recipients.counts(StageKey(mass_mail_id, n)) for n in stages}
    return Report(as_of(listed.status, datetime.now(UTC)), counts)


async def mass_mails_in(services: Services, folder: Folder | None = None, tag: str = "") -> Sequence[Listed]:
    """The newest first; of one folder, or all that aren't deleted. tag: only those that have it, however written."""
    now = datetime.now(UTC)
    listed = [replace(entry, status=as_of(entry.status, now)) for entry in await services.mass_mails.all()]
    if folder is None:
        found = [entry for entry in listed if entry.state.folder is not Folder.DELETED]
    else:
        found = [entry for entry in listed if entry.state.folder is folder]
    return [entry for entry in found if not tag or tag.casefold() in map(str.casefold, entry.order.tags)]


async def in_doubt(services: Services, mass_mail_id: str, stage: int, contacts: Collection[str]) -> tuple[int, ...]:
    """The numbers of these contacts, if each is in doubt; none for all. CommandRefused if somebody isn't, or nobody."""
    stories = await DeliveryList(services.database).stories(mass_mail_id, stage, DeliveryState.UNKNOWN)
    numbers = {story.contact: story.seq for story in stories}
    if not numbers:
        raise CommandRefused(f"Nobody in stage {stage} is in doubt; see its recipients by state with 'show'.")
    if others := [key for key in contacts if key not in numbers]:
        raise CommandRefused(
            f"{others[0]} isn't in doubt in stage {stage}; 'serienmail recipients --state unknown' shows who is."
        )
    return tuple(numbers[key] for key in contacts)
