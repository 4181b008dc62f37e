"""A rehearsal tells each person's story: what they would get, when, and why or why not."""

from datetime import UTC, datetime, timedelta

from serienmail.domain.mass_mail import Audience, FollowUp, MassMail
from serienmail.domain.states import DeliveryState
from serienmail.storage.deliveries import Story
from starter.rehearsal import people

WHEN = datetime(2026, 11, 24, tzinfo=UTC)
ORDER = MassMail(
    id="autumn",
    name="Autumn",
    created_by="a.schmidt",
    account="marketing",
    template="autumn@1",
    follow_ups=(
        FollowUp(template="questions@1", audience=Audience.OPENED, after=timedelta(days=3)),
        FollowUp(template="again@1", audience=Audience.NOT_OPENED, after=timedelta(days=7)),
    ),
)


def story(stage: int, state: DeliveryState = DeliveryState.SENT, **facts: object) -> Story:
    known = {"why": "", "finished_at": WHEN, "template": "autumn@1", "measured": True, "opened": False}
    handed_over = {"attempts": 1, "message_id": "<m@example.org>"}
    return Story(contact="K-1", seq=1, stage=stage, state=state, **{**known, **handed_over, **facts})  # type: ignore[arg-type]


def told(*stories: Story) -> list[tuple[int, str, str]]:
    return [(person.stage, person.mail, person.why) for person in people(ORDER, stories)]


def test_somebody_who_opened_gets_the_follow_up_for_it_and_not_the_other() -> None:
    assert told(story(0, opened=True), story(1, template="questions@1")) == [
        (0, "autumn@1", "selected"),
        (1, "questions@1", "opened"),
        (2, "", "had opened it"),
    ]


def test_without_consent_to_tracking_neither_follow_up_comes_and_that_is_said() -> None:
    assert [why for _, _, why in told(story(0, measured=False))][1:] == [
        "no answer to 'opened': no consent to tracking",
        "no answer to 'not opened': no consent to tracking",
    ]


def test_who_is_excluded_reads_why_and_no_follow_up_is_mentioned() -> None:
    excluded = story(0, DeliveryState.EXCLUDED, why="no opt-in for mass mail")
    assert told(excluded) == [(0, "", "excluded: no opt-in for mass mail")]
