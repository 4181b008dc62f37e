"""Orders as TOML files (examples/herbstangebot.toml), and how one becomes a mass mail."""

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from serienmail.domain.contact import CONTACTS
from serienmail.domain.criteria import Criterion
from serienmail.domain.crm_record import CrmRecord
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.filters import resolved
from serienmail.domain.mass_mail import AsOf, Audience, CountedFrom, FollowUp, InDoubt, MassMail, Of, OnMissing
from serienmail.domain.trigger import Trigger
from starter.crm_record import WrittenCrmRecord, read_crm_record
from starter.letter import KEYS as LETTER_KEYS
from starter.letter import Letter, compose, read_letter
from starter.orders import prepare
from starter.problems import Problems, all_at_once
from starter.toml_file import Table, read_toml
from starter.triggers import read_triggers

if TYPE_CHECKING:
    from starter.client import MassMails

T = TypeVar("T")
_KEYS = (
    "id", "name", "account", "template", "topic", "due", "opted_in_only", "measured", "copies", "stop_on_reply",
    "auto_answer",
    "local_time", "on_missing", "in_doubt", "everyone", "recipients", "module", "ignore", "removed", "as_of",
    "follow_up", "trigger", "crm", "tags", "notify", *LETTER_KEYS,
)  # fmt: skip
_FOLLOW_UP_KEYS = ("template", "audience", "of", "after_days", "from", "within_days", "on", "ignore", "trigger")
_TRANSCRIPTIONS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpEntry:
    """A follow-up as written: with a criterion where the order will have a stored selection's id."""

    template: str
    audience: Audience
    of: Of = Of.MASS_MAIL
    after: timedelta | None = None
    on: datetime | None = None
    counted_from: CountedFrom = CountedFrom.END
    within: timedelta | None = None
    ignore: Criterion | None = None
    triggers: tuple[Trigger, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFile:
    """An order as written. None: the file doesn't say. recipients: who gets it, unless everyone of the module does.

    ignore, removed: who of these is left out.
    """

    id: str | None = None
    name: str | None = None
    account: str | None = None
    template: str | None = None
    topic: str | None = None
    due: datetime | None = None
    everyone: bool = False
    recipients: Criterion | None = None
    module: str = CONTACTS
    ignore: Criterion | None = None
    removed: Criterion | None = None
    as_of: AsOf = AsOf.DUE
    follow_ups: tuple[FollowUpEntry, ...] = ()
    opted_in_only: bool = True
    measured: bool = True
    copies: bool = False
    stop_on_reply: bool = False
    auto_answer: str = ""
    local_time: bool = False
    on_missing: OnMissing = OnMissing.REFUSE
    letter: Letter = field(default_factory=Letter)
    in_doubt: InDoubt = InDoubt.HOLD
    triggers: tuple[Trigger, ...] = ()
    crm: WrittenCrmRecord = field(default_factory=WrittenCrmRecord)
    tags: tuple[str, ...] | None = None
    notify: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What is said besides the file, and wins. now: at once, whatever the file says."""

    by: str = field(default_factory=getpass.getuser)
    id: str | None = None
    name: str | None = None
    account: str | None = None
    template: str | None = None
    due: datetime | None = None
    tags: tuple[str, ...] | None = None
    now: bool = False
    everyone: bool = False
    include_without_opt_in: bool = False

    def apply(self, file: OrderFile) -> OrderFile:
        """The file with these words in place of its own."""
        said = {key: getattr(self, key) for key in ("id", "name", "account", "template", "due", "tags")}
        changed = replace(file, **{key: value for key, value in said.items() if value is not None})
        if self.now:
            changed = replace(changed, due=None)
        if self.everyone:
            changed = replace(changed, everyone=True, recipients=None)
        return replace(changed, opted_in_only=changed.opted_in_only and not self.include_without_opt_in)


def read_order(path: Path) -> OrderFile:
    """Read an order; InvalidOrder names the key that is wrong."""
    return order_of(read_toml(path), path.parent)


def order_of(document: Mapping[str, Any], folder: Path = Path()) -> OrderFile:
    """The same, from what TOML says; files are named relative to the folder."""
    table = Table(document, _KEYS)
    file = OrderFile(
        id=table.text("id"),
        name=table.text("name"),
        account=table.text("account"),
        template=table.text("template"),
        topic=table.text("topic"),
        due=table.moment("due"),
        everyone=table.flag("everyone") or False,
        recipients=table.criterion("recipients"),
        module=table.text("module") or CONTACTS,
        ignore=table.criterion("ignore"),
        removed=table.criterion("removed"),
        as_of=_or(table.choice("as_of", AsOf), AsOf.DUE),
        follow_ups=tuple(_follow_up(entry) for entry in table.tables("follow_up", _FOLLOW_UP_KEYS, "follow-up")),
        opted_in_only=_or(table.flag("opted_in_only"), True),
        measured=_or(table.flag("measured"), True),
        copies=_or(table.flag("copies"), False),
        stop_on_reply=_or(table.flag("stop_on_reply"), False),
        auto_answer=table.text("auto_answer") or "",
        local_time=_or(table.flag("local_time"), False),
        on_missing=_or(table.choice("on_missing", OnMissing), OnMissing.REFUSE),
        letter=read_letter(table, folder),
        in_doubt=_or(table.choice("in_doubt", InDoubt), InDoubt.HOLD),
        triggers=read_triggers(table),
        crm=read_crm_record(table),
        notify=_or(table.flag("notify"), False),
        tags=None if (tags := table.texts("tags")) is None else tuple(tags),
    )
    if file.everyone and file.recipients is not None:
        raise InvalidOrder("The order has [recipients] and says everyone = true; take one of them out.")
    return file


async def to_order(mails: "MassMails", file: OrderFile, overrides: Overrides | None = None) -> MassMail:
    """The mass mail that was ordered; its criteria are stored. InvalidOrder or NotFound says all that is wrong."""
    overrides = overrides or Overrides()
    file = overrides.apply(file)
    with all_at_once() as problems:
        for key in ("name", "account", "template"):
            with problems.noted():
                _check_given(file, key)
        complete = not problems
        order = MassMail(
            id=file.id or default_id(file.name or "", datetime.now(UTC).astimezone()),
            name=file.name or "",
            created_by=overrides.by,
            account=file.account or "",
            template=file.template or "",
            topic=file.topic or "",
            selection=await store_recipients(mails, file, problems),
            due=file.due,
            follow_ups=await store_follow_ups(mails, file, problems),
            opted_in_only=file.opted_in_only,
            measured=file.measured,
            copies=file.copies,
            stop_on_reply=file.stop_on_reply,
            auto_answer=file.auto_answer,
            local_time=file.local_time,
            on_missing=file.on_missing,
            as_of=file.as_of,
            in_doubt=file.in_doubt,
            triggers=file.triggers,
            crm=await store_crm_record(mails, file.crm, problems),
            tags=file.tags or (),
            notify=file.notify,
        )
        if complete:
            order = await compose(mails.services, order, file.letter, problems)
            if problems:  # the other checks have something to say, too
                await prepare(mails.services, order, problems=problems)
    return order


async def store_recipients(mails: "MassMails", file: OrderFile, problems: Problems | None = None) -> str:
    """The id of the selection the file describes; InvalidOrder if it doesn't, or names an unknown field.

    problems: to which that is added; the id is that of all records of the module, then.
    """
    with all_at_once(problems) as wrong:
        before = len(wrong)
        with wrong.noted():
            if file.recipients is None and not file.everyone:
                raise InvalidOrder(
                    "The order doesn't say who gets it; write [recipients], or everyone = true (--everyone)."
                )
        for where in ("recipients", "ignore", "removed"):
            with wrong.noted():
                await _check(mails, where, getattr(file, where), file.module)
        if len(wrong) > before:
            return await mails.recipients.select(module=file.module)
    return await mails.recipients.select(file.recipients, ignore=file.ignore, removed=file.removed, module=file.module)


async def store_follow_ups(
    mails: "MassMails", file: OrderFile, problems: Problems | None = None
) -> tuple[FollowUp, ...]:
    """The follow-ups as the order has them; what they ignore is stored. problems: as for ``store_recipients``."""
    with all_at_once(problems) as wrong:
        return tuple([
            await _stored(mails, number, entry, file.module, wrong)
            for number, entry in enumerate(file.follow_ups, start=1)
        ])  # fmt: skip


async def _stored(mails: "MassMails", number: int, entry: FollowUpEntry, module: str, problems: Problems) -> FollowUp:
    ignore = None
    with problems.noted():
        await _check(mails, f"follow-up {number}: ignore", entry.ignore, module)
        ignore = await mails.recipients.select(entry.ignore, module=module) if entry.ignore else None
    return FollowUp(
        template=entry.template,
        audience=entry.audience,
        of=entry.of,
        after=entry.after,
        on=entry.on,
        counted_from=entry.counted_from,
        within=entry.within,
        ignore=ignore,
        triggers=entry.triggers,
    )


async def store_crm_record(
    mails: "MassMails", written: WrittenCrmRecord, problems: Problems | None = None
) -> CrmRecord:
    """As the order has it; the criterion for linked records is stored. problems: as for ``store_recipients``."""
    with all_at_once(problems) as wrong, wrong.noted():
        await _check(mails, "crm: linked", written.linked, written.module)
        return await written.stored(mails)
    return written.record


def default_id(name: str, today: datetime) -> str:
    """An id made of the name and the day: "Herbst & Winter" becomes ``herbst-winter-2026-11-22``."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in name.casefold().translate(_TRANSCRIPTIONS))
    return "-".join([*words[:80].split(), f"{today:%Y-%m-%d}"])


def _follow_up(table: Table) -> FollowUpEntry:
    template, audience = table.text("template"), table.choice("audience", Audience)
    if template is None or audience is None:
        raise InvalidOrder("A follow-up needs a template and an audience; write both under its [[follow_up]].")
    return FollowUpEntry(
        template=template,
        audience=audience,
        of=_or(table.choice("of", Of), Of.MASS_MAIL),
        after=_days(table, "after_days"),
        on=table.moment("on"),
        counted_from=_or(table.choice("from", CountedFrom), CountedFrom.END),
        within=_days(table, "within_days"),
        ignore=table.criterion("ignore"),
        triggers=read_triggers(table),
    )


def _days(table: Table, key: str) -> timedelta | None:
    number = table.number(key)
    try:
        return None if number is None else timedelta(days=number)
    except OverflowError:
        raise InvalidOrder(f"'{key}' can't be {number}; give a number of days that makes sense.") from None


async def _check(mails: "MassMails", where: str, criterion: Criterion | None, module: str) -> None:
    if criterion is None:
        return
    try:
        resolved(criterion, await mails.services.selections.vocabulary(module))
    except InvalidOrder as error:
        raise InvalidOrder(f"'{where}': {error}") from None


def _check_given(file: OrderFile, key: str) -> None:
    if getattr(file, key) is None:
        raise InvalidOrder(f"The order has no {key}; write it into the file, or give --{key}.")


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
