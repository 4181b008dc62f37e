"""Contact actions: notes and tasks for a group, with a mass mail to it or without one."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serienmail.domain.activity import Priority
from serienmail.domain.contact_action import ContactAction, GroupNote, GroupTask, check_action, check_group
from serienmail.domain.errors import InvalidOrder, NotFound
from serienmail.domain.filters import check_name
from serienmail.domain.mass_mail import MassMail
from starter.enclosing import KEYS as FILE_KEYS
from starter.letter import compose
from starter.on_record import on_record
from starter.order_file import OrderFile, Overrides, default_id, order_of, store_recipients, to_order
from starter.orders import Prepared
from starter.problems import all_at_once
from starter.services import Services
from starter.toml_file import Table, read_toml, toml_of

if TYPE_CHECKING:
    from starter.client import MassMails

_OF_ONE_RUN = ("id", "due", "recipients", "everyone", "ignore", "removed", *FILE_KEYS)
_NOTE_KEYS = ("type", "subject", "text")
_TASK_KEYS = (*_NOTE_KEYS, "assignee", "priority", "starts", "ends")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFile:
    """An action as written. order: whom it is for; with a template it is a mass mail, too."""

    order: OrderFile
    note: GroupNote | None = None
    task: GroupTask | None = None


@dataclass(frozen=True, slots=True)
class PreparedAction:
    """An action that can be run. people: how many records it is for. mail: the mass mail, if there is one."""

    action: ContactAction
    people: int
    mail: Prepared | None = None


def template_of(text: str) -> ActionFile:
    """An action's template, which is for any group; InvalidOrder if it says what belongs to one run."""
    document = toml_of(text)
    if said := [key for key in _OF_ONE_RUN if key in document]:
        raise InvalidOrder(f"A template is for any group and time; take '{said[0]}' out, and say it when you run it.")
    return action_of(document)


def read_action(path: Path) -> ActionFile:
    """Read an action; InvalidOrder names the key that is wrong."""
    return action_of(read_toml(path), path.parent)


def action_of(document: Mapping[str, Any], folder: Path = Path()) -> ActionFile:
    """The same, from what TOML says: an order without need of a mail, ``[note]`` and ``[task]``."""
    own = Table({key: document[key] for key in ("note", "task") if key in document}, ("note", "task"))
    order = order_of({key: value for key, value in document.items() if key not in ("note", "task")}, folder)
    note, task = own.table("note", _NOTE_KEYS), own.table("task", _TASK_KEYS)
    return ActionFile(order=order, note=_note(note) if note else None, task=_task(task) if task else None)


async def save_action(services: Services, name: str, text: str, by: str) -> None:
    """Keep an action as a template, in place of the one that has its name. text: TOML, without recipients."""
    check_name(name)
    template_of(text)
    async with on_record(services, "save", by, f"action {name}") as noted:
        with suppress(NotFound):
            noted.before["characters"] = len(await services.contact_actions.saved(name))
        await services.contact_actions.save(name, text)
        noted.after["characters"] = len(text)


class ContactActions:
    """Prepares and runs them. Every method may raise a SerienmailError that says what to do."""

    def __init__(self, mails: "MassMails") -> None:
        self._mails = mails
        self._services = mails.services

    async def from_file(self, file: ActionFile, overrides: Overrides) -> tuple[ContactAction, MassMail | None]:
        """The action as it was written, and its mass mail, both under one id."""
        order = overrides.apply(file.order)
        if order.name is None:
            raise InvalidOrder("The action has no name; write it into the file, or give --name.")
        id = order.id or default_id(order.name, datetime.now(UTC).astimezone())
        selection = await store_recipients(self._mails, order)
        action = ContactAction(id=id, by=overrides.by, selection=selection, note=file.note, task=file.task)
        if order.template is None:
            return action, None
        return action, await to_order(self._mails, file.order, replace(overrides, id=id))

    async def saved(self, name: str) -> ActionFile:
        """A template; NotFound if there is none of this name."""
        return template_of(await self._services.contact_actions.saved(name))

    async def prepare(self, action: ContactAction, mail: MassMail | None = None) -> PreparedAction:
        """What running would do now, counted; nothing is written."""
        people = await self._services.contact_actions.people(action)
        with all_at_once() as problems:
            with problems.noted():
                check_action(action, datetime.now(UTC))
            with problems.noted():
                check_group(people)
            prepared = await self._mails.prepare(mail, problems) if mail else None
        return PreparedAction(action, people, prepared)

    async def run(self, action: ContactAction, mail: MassMail | None = None) -> int:
        """Create notes and tasks now, then start the mail, which may be due later; how many were created.

        Everything is checked before. Safe to repeat with the same id: nothing is created twice, and the mass mail,
        if it was started, is AlreadyExists.
        """
        await self._mails.require("start", action.by, action.id, action.by)
        composed = await compose(self._services, mail) if mail else None
        await self.prepare(action, composed)
        now = datetime.now(UTC)
        created = await self._services.contact_actions.create(action, now)
        await self._services.audit.add("run action", action.by, action.id, after={"created": created})
        if composed:
            await self._mails.start(composed)
        return created


def _note(table: Table) -> GroupNote:
    return GroupNote(
        type=table.text("type") or "", subject=table.text("subject") or "", text=table.text("text") or ""
    )


def _task(table: Table) -> GroupTask:
    return GroupTask(
        type=table.text("type") or "",
        subject=table.text("subject") or "",
        text=table.text("text") or "",
        assignee=table.text("assignee") or "",
        priority=table.choice("priority", Priority) or Priority.NORMAL,
        starts_at=table.moment("starts"),
        ends_at=table.moment("ends"),
    )
