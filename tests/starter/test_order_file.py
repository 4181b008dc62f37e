"""Orders as TOML files."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serienmail.domain.activity import NewCall, NewTask, Priority
from serienmail.domain.criteria import InFilter, InList, where
from serienmail.domain.crm_record import CrmRecord, Extent, Reminder
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mass_mail import AsOf, Audience, CountedFrom, InDoubt, OnMissing
from serienmail.domain.trigger import FieldUpdate, On, Trigger
from starter.crm_record import WrittenCrmRecord
from starter.order_file import FollowUpEntry, OrderFile, Overrides, default_id, order_of, read_order
from starter.template_file import read_template

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLLOW_UP = "[[follow_up]]\ntemplate = 'b'\naudience = 'opened'\n"


def test_the_example_order_can_be_read_and_its_templates_are_there() -> None:
    order = read_order(EXAMPLES / "herbstangebot.toml")
    names = {read_template(path).template.name for path in (EXAMPLES / "templates").glob("*.toml")}
    assert {order.template, *(entry.template for entry in order.follow_ups)} == names
    assert [entry.audience for entry in order.follow_ups] == ["opened", "not_opened", "received"]


def test_an_order_says_everything_a_mass_mail_needs() -> None:
    text = (
        "id = 'x'\nname = 'X'\naccount = 'a'\ntemplate = 't@2'\ndue = 2026-12-01T09:00:00+01:00\n"
        "opted_in_only = false\nmeasured = false\non_missing = 'exclude'\nin_doubt = 'resend'\n"
        "recipients = {field = 'city', op = 'eq', value = 'Ulm'}\n"
        f"{FOLLOW_UP}after_days = 3\nignore = {{field = 'email', op = 'empty'}}\n"
    )
    assert order_of(tomllib.loads(text)) == OrderFile(
        id="x",
        name="X",
        account="a",
        template="t@2",
        due=datetime(2026, 12, 1, 8, tzinfo=UTC),
        recipients=where("city").eq("Ulm"),
        follow_ups=(
            FollowUpEntry(
                template="b", audience=Audience.OPENED, after=timedelta(days=3), ignore=where("email").empty()
            ),
        ),
        opted_in_only=False,
        measured=False,
        on_missing=OnMissing.EXCLUDE,
        in_doubt=InDoubt.RESEND,
    )


def test_a_follow_up_can_count_from_each_ones_own_event() -> None:
    order = order_of(tomllib.loads(f"{FOLLOW_UP}after_days = 3\nfrom = 'event'\nwithin_days = 14\n"))
    (entry,) = order.follow_ups
    assert (entry.counted_from, entry.after, entry.within) == (CountedFrom.EVENT, timedelta(3), timedelta(14))


def test_an_order_names_filters_lists_and_who_is_left_out() -> None:
    text = (
        "module = 'lead'\nas_of = 'start'\nrecipients = {any = [{filter = 'south'}, {list = 'fair'}]}\n"
        "ignore = {list = 'board'}\nremoved = {field = 'key', op = 'eq', value = '2'}\n"
    )
    assert order_of(tomllib.loads(text)) == OrderFile(
        module="lead",
        as_of=AsOf.START,
        recipients=InFilter("south") | InList("fair"),
        ignore=InList("board"),
        removed=where("key").eq("2"),
    )


def test_triggers_stand_in_the_order_and_in_its_follow_ups() -> None:
    text = (
        "[[trigger]]\non = 'clicked'\nlink = 'https://a.example/'\nupdate = {vip = true, since = 2026-12-01}\n"
        "task = [{subject = 'Write', due_days = 3, priority = 'high', assignee = 'b'}]\nhook = 'crm'\n"
        "[[trigger.call]]\nsubject = 'Call'\nafter_hours = 4\n"
        f"{FOLLOW_UP}after_days = 3\n[[follow_up.trigger]]\non = 'bounced'\nupdate = {{city = 'Ulm'}}\n"
    )
    order = order_of(tomllib.loads(text))
    assert order.triggers == (
        Trigger(
            on=On.CLICKED,
            link="https://a.example/",
            updates=(FieldUpdate("vip", True), FieldUpdate("since", "2026-12-01")),
            tasks=(NewTask(subject="Write", due_after=timedelta(days=3), priority=Priority.HIGH, assignee="b"),),
            calls=(NewCall(subject="Call", starts_after=timedelta(hours=4)),),
            hook="crm",
        ),
    )
    assert order.follow_ups[0].triggers == (Trigger(on=On.BOUNCED, updates=(FieldUpdate("city", "Ulm"),)),)


def test_an_order_says_what_the_crm_keeps() -> None:
    text = (
        "[crm]\nactivities = 'each'\nsubject = 'Autumn'\nlinked = {field = 'key', op = 'eq', value = 'D-7'}\n"
        "linked_module = 'deal'\nemployees = ['anna', 'carla']\nreminder_days = 30\nreminder_subject = 'Ask'\n"
    )
    reminder = Reminder(after=timedelta(days=30), subject="Ask")
    record = CrmRecord(activities=Extent.EACH, subject="Autumn", employees=("anna", "carla"), reminder=reminder)
    assert order_of(tomllib.loads(text)).crm == WrittenCrmRecord(
        record=record, linked=where("key").eq("D-7"), module="deal"
    )


@pytest.mark.parametrize(
    ("text", "gist"),
    [
        ("crm = 'each'", "'crm' must be a table; write it under [crm]"),
        ("[crm]\nactivity = 'one'", "no key 'crm: activity'; did you mean 'activities'?"),
        ("[crm]\nactivities = 'all'", "'crm: activities' can't be 'all'; choose one of none, one, each"),
        ("[crm]\nreminder_subject = 'a'", "A reminder needs a time; write reminder_days"),
        ("[[trigger]]\nlink = 'a'", "A trigger needs an event; write on = one of opened, clicked, bounced"),
        ("[[trigger]]\non = 'sent'", "'trigger 1: on' can't be 'sent'"),
        ("[[trigger]]\non = 'opened'\ntask = [{subjekt = 'a'}]", "no key 'trigger 1: task 1: subjekt'; did you mean"),
        ("[[trigger]]\non = 'opened'\nupdate = {a = [1]}", "'trigger 1: update' must be texts, numbers, dates"),
        ("[[trigger]]\non = 'opened'\nupdate = 3", "'trigger 1: update' must be a table of values"),
        ("[[trigger]]\non = 'opened'\ncall = [{after_hours = 99999999999999}]", "Nobody can wait for 99999999999999"),
        ("as_of = 'now'", "'as_of' can't be 'now'; choose one of due, start"),
        ("ignore = {list = 3}", "'ignore': a criterion can't be read"),
        ("nmae = 'X'", "no key 'nmae'; did you mean 'name'?"),
        (f"{FOLLOW_UP}after_day = 3", "no key 'follow-up 1: after_day'; did you mean 'after_days'?"),
        ("name = 3", "'name' must be a text"),
        ("name = ' '", "'name' is empty"),
        ("everyone = 'yes'", "'everyone' must be true or false"),
        ("due = 2026-12-01T09:00:00", "2026-12-01 09:00 has no time zone"),
        ("due = 2026-12-01", "'due' must be a date and time"),
        (f"{FOLLOW_UP}after_days = true", "'follow-up 1: after_days' must be a whole number"),
        (f"{FOLLOW_UP}after_days = 99999999999", "give a number of days that makes sense"),
        (f"{FOLLOW_UP}within_days = 99999999999", "'within_days' can't be 99999999999"),
        ("[[follow_up]]\ntemplate = 'b'", "needs a template and an audience"),
        ("[[follow_up]]\ntemplate = 'b'\naudience = 'all'", "choose one of received, opened, not_opened"),
        ("follow_up = 3", "'follow_up' must be tables"),
        ("recipients = {city = 'Ulm'}", "'recipients': a criterion can't be read"),
        ("everyone = true\nrecipients = {field = 'city', op = 'empty'}", "take one of them out"),
    ],
)
def test_what_is_wrong_with_an_order_is_named_by_its_key(text: str, gist: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        order_of(tomllib.loads(text))
    assert gist in str(refused.value)


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "order.toml"
    with pytest.raises(InvalidOrder, match="can't be opened"):
        read_order(path)
    path.write_text("name = ")
    with pytest.raises(InvalidOrder, match="is no TOML"):
        read_order(path)


def test_what_is_said_besides_the_file_wins() -> None:
    file = OrderFile(name="X", due=datetime(2026, 12, 1, tzinfo=UTC), recipients=where("city").eq("Ulm"))
    said = Overrides(by="a", name="Y", now=True, everyone=True, include_without_opt_in=True).apply(file)
    assert said == OrderFile(name="Y", everyone=True, opted_in_only=False)


def test_an_id_is_made_of_name_and_day() -> None:
    day = datetime(2026, 11, 22, tzinfo=UTC)
    assert default_id("Grüße & Straße, 2. Teil!", day) == "gruesse-strasse-2-teil-2026-11-22"
    assert len(default_id("x" * 300, day)) < 100
