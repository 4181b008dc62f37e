"""What who ordered a mass mail is told when its recipients are read."""

from serienmail.domain.delivery import Counts
from serienmail.domain.loading import Loaded
from serienmail.domain.notice import NoticeJob, notice_of
from tests.builders import NOON

COUNTS = Counts(selected=5, excluded={"no_opt_in": 1, "unsubscribed": 1})
LINK = "https://temporal.example.org/namespaces/default/workflows/mass-mail%2Fautumn"


def a_job(loaded: Loaded) -> NoticeJob:
    return NoticeJob(
        mass_mail_id="autumn", name="Herbst", revision=2, account="main", to="anna", loaded=loaded, due=NOON
    )


def test_it_says_how_many_get_it_who_does_not_until_when_it_can_be_changed_and_where() -> None:
    notice = notice_of(a_job(Loaded(COUNTS)), LINK)
    assert (notice.id, notice.subject) == ("autumn.2", "Herbst: its recipients are read, 3 will get it")
    assert notice.text.splitlines() == [
        "3 of the 5 recipients selected for 'Herbst' will get it.",
        "",
        "Excluded:",
        "- no opt-in for mass mail: 1",
        "- unsubscribed: 1",
        "",
        "It is due on 2026-03-02 12:00 UTC. Until then it can be edited and stopped.",
        "",
        "It is shown by: serienmail show autumn",
        LINK,
    ]


def test_it_says_why_nothing_is_sent() -> None:
    notice = notice_of(a_job(Loaded(COUNTS, {"contact.company": 1})), "")
    assert notice.subject == "Herbst: its recipients are read, nobody will get it"
    assert "Nothing is sent, for it is stopped:\nPlaceholders are empty for some recipients (contact.com" in notice.text
    assert notice.text.endswith("serienmail show autumn\n")
