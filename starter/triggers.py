"""What an order says about triggers: read from its file, and checked against what the installation knows."""

from datetime import timedelta

from serienmail.domain.activity import NewCall, NewTask, Priority, TaskStatus
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.template import TemplateRef
from serienmail.domain.trigger import FieldUpdate, On, Trigger, check_hooks, check_targets, check_updates
from serienmail.mailing.measured_links import targets
from starter.services import Services
from starter.toml_file import Table

KEYS = ("on", "link", "update", "task", "call", "hook")
_TASK_KEYS = ("subject", "due_days", "status", "priority", "assignee")
_CALL_KEYS = ("subject", "after_hours", "owner")


def read_triggers(table: Table) -> tuple[Trigger, ...]:
    """What ``[[trigger]]`` says, of an order or a follow-up."""
    return tuple(map(_trigger, table.tables("trigger", KEYS, "trigger")))


async def check_installed(services: Services, order: MassMail) -> None:
    """InvalidOrder if a trigger names a link, a field or a hook that there isn't."""
    if not order.all_triggers:
        return
    module = (await services.selections.get(order.selection)).module
    check_updates(order.all_triggers, await services.contacts.fields(module))
    check_hooks(order.all_triggers, services.settings.hooks)
    mails = [(order.template, order.triggers), *((rule.template, rule.triggers) for rule in order.follow_ups)]
    for name, triggers in mails:
        if any(trigger.link for trigger in triggers):
            check_targets(triggers, targets(await services.templates.get(TemplateRef.parse(name))))


def _trigger(table: Table) -> Trigger:
    on = table.choice("on", On)
    if on is None:
        raise InvalidOrder(f"A trigger needs an event; write on = one of {', '.join(On)} under its [[trigger]].")
    return Trigger(
        on=on,
        link=table.text("link") or "",
        updates=tuple(FieldUpdate(name, value) for name, value in (table.values("update") or {}).items()),
        tasks=tuple(map(_task, table.tables("task", _TASK_KEYS, "task"))),
        calls=tuple(map(_call, table.tables("call", _CALL_KEYS, "call"))),
        hook=table.text("hook") or "",
    )


def _task(table: Table) -> NewTask:
    return NewTask(
        subject=table.text("subject") or "",
        due_after=_delay(days=table.number("due_days")),
        status=table.choice("status", TaskStatus) or TaskStatus.NOT_STARTED,
        priority=table.choice("priority", Priority) or Priority.NORMAL,
        assignee=table.text("assignee") or "",
    )


def _call(table: Table) -> NewCall:
    return NewCall(
        subject=table.text("subject") or "",
        starts_after=_delay(hours=table.number("after_hours")),
        owner=table.text("owner") or "",
    )


def _delay(days: int | None = None, hours: int | None = None) -> timedelta:
    try:
        return timedelta(days=days or 0, hours=hours or 0)
    except OverflowError:
        raise InvalidOrder(f"Nobody can wait for {days or hours}; give a number that makes sense.") from None
