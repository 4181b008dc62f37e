"""What providers tell, in the shapes that they document, as events of ours."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.mailing.links import LinkKind, Links, MailRef
from serienmail.mailing.providers import READERS, news_from
from tests.builders import NOON

LINKS = Links("https://mail.example.com", b"k" * 32)
REF = MailRef(7, 1, 42)
MESSAGE_ID = LINKS.message_id(REF, "example.com")
TOKEN = LINKS.token(LinkKind.MESSAGE, REF)
VERP = LINKS.bounce_address(REF, "bounce.example.com")
THEN = 1_772_445_600  # 2026-03-02 10:00 UTC


def ses(type_: str, **told: Any) -> Any:
    return {"eventType": type_, "id": "sns-1", "mail": {"source": VERP, "messageId": "0100"}, type_.lower(): told}


def ses_bounce(type_: str, subtype: str, diagnostic: str = "smtp; 550 5.1.1 unknown") -> Any:
    recipient = {"emailAddress": "anna@example.org", "status": "5.1.1", "diagnosticCode": diagnostic}
    return ses(
        "Bounce", bounceType=type_, bounceSubType=subtype, bouncedRecipients=[recipient],
        timestamp="2026-03-02T10:00:00.000Z",
    )  # fmt: skip


def sendgrid(event: str, **more: Any) -> Any:
    return [{"event": event, "timestamp": THEN, "smtp-id": MESSAGE_ID, "sg_event_id": f"sg-{event}", **more}]


def mailgun(event: str, **more: Any) -> Any:
    data = {"event": event, "timestamp": THEN, "message": {"headers": {"message-id": MESSAGE_ID[1:-1]}}, **more}
    return {"signature": {"token": "mg-1", "timestamp": str(THEN), "signature": ""}, "event-data": data}


def postmark(record: str, **more: Any) -> Any:
    return {"RecordType": record, "MessageID": "883953f4", "Metadata": {"mail": TOKEN}, **more}


def brevo(event: str, **more: Any) -> Any:
    return {"event": event, "message-id": MESSAGE_ID, "ts_epoch": THEN * 1000, "email": "anna@example.org", **more}


def mailjet(event: str, **more: Any) -> Any:
    return [{"event": event, "time": THEN, "MessageID": 1955, "CustomID": TOKEN, **more}]


def sparkpost(type_: str, **more: Any) -> Any:
    data = {"type": type_, "timestamp": str(THEN), "event_id": "sp-1", "rcpt_meta": {"mail": TOKEN}, **more}
    return [{"msys": {"message_event": data}}]


FULL = {"code": 552, "message": "5.2.2 mailbox full", "enhanced-code": "5.2.2"}
GONE = {"code": 550, "message": "5.1.1 user unknown", "enhanced-code": "5.1.1"}


@pytest.mark.parametrize(
    ("provider", "body", "kind", "severity"),
    [
        ("ses", ses_bounce("Permanent", "NoEmail"), "bounced", "hard"),
        ("ses", ses_bounce("Transient", "MailboxFull"), "bounced", "soft"),
        ("ses", ses_bounce("Transient", "ContentRejected"), "bounced", "block"),
        ("ses", ses_bounce("Transient", "General", diagnostic=""), "bounced", None),
        ("ses", ses_bounce("Undetermined", "Undetermined"), "bounced", "hard"),
        ("ses", ses("Complaint", timestamp="2026-03-02T10:00:00Z"), "complained", None),
        ("ses", ses("Delivery", timestamp="2026-03-02T10:00:00Z"), "delivered", None),
        ("ses", ses("Surprise"), "unknown", None),
        ("sendgrid", sendgrid("bounce", status="5.1.1", reason="550 5.1.1 unknown"), "bounced", "hard"),
        ("sendgrid", sendgrid("bounce", type="blocked", reason="550 5.1.1 unknown"), "bounced", "block"),
        ("sendgrid", sendgrid("deferred", response="400 try later"), "deferred", None),
        ("sendgrid", sendgrid("dropped", reason="Bounced Address"), "rejected", None),
        ("sendgrid", sendgrid("spamreport"), "complained", None),
        ("sendgrid", sendgrid("group_unsubscribe"), "unsubscribed", None),
        ("mailgun", mailgun("failed", severity="permanent", **{"delivery-status": GONE}), "bounced", "hard"),
        ("mailgun", mailgun("failed", severity="permanent", **{"delivery-status": FULL}), "bounced", "soft"),
        ("mailgun", mailgun("failed", severity="temporary", **{"delivery-status": FULL}), "deferred", None),
        ("mailgun", mailgun("failed", severity="permanent", reason="suppress-bounce"), "rejected", None),
        ("mailgun", mailgun("complained"), "complained", None),
        ("postmark", postmark("Bounce", Type="HardBounce", ID=4, BouncedAt="2026-03-02T10:00:00Z"), "bounced", "hard"),
        ("postmark", postmark("Bounce", Type="Transient", ID=4, BouncedAt="2026-03-02T10:00:00Z"), "deferred", None),
        ("postmark", postmark("SpamComplaint", Type="SpamComplaint", ID=5), "complained", None),
        ("postmark", postmark("Delivery", DeliveredAt="2026-03-02T10:00:00Z"), "delivered", None),
        (
            "postmark",
            postmark("SubscriptionChange", SuppressSending=True, SuppressionReason="ManualSuppression"),
            "unsubscribed",
            None,
        ),
        ("brevo", brevo("hard_bounce", reason="550 unknown"), "bounced", "hard"),
        ("brevo", brevo("soft_bounce"), "bounced", "soft"),
        ("brevo", brevo("spam"), "complained", None),
        ("brevo", brevo("delivered"), "delivered", None),
        ("mailjet", mailjet("bounce", hard_bounce=True, error="user unknown"), "bounced", "hard"),
        ("mailjet", mailjet("bounce", hard_bounce=False, error="mailbox full"), "bounced", "soft"),
        ("mailjet", mailjet("bounce", hard_bounce=False, error="greylisted"), "deferred", None),
        ("mailjet", mailjet("sent", smtp_reply="250 ok"), "delivered", None),
        ("mailjet", mailjet("unsub"), "unsubscribed", None),
        ("sparkpost", sparkpost("bounce", bounce_class="10", raw_reason="550 unknown"), "bounced", "hard"),
        ("sparkpost", sparkpost("out_of_band", bounce_class="22"), "bounced", "soft"),
        ("sparkpost", sparkpost("bounce", bounce_class="51"), "bounced", "block"),
        ("sparkpost", sparkpost("bounce", bounce_class="60"), "autoresponded", None),
        ("sparkpost", sparkpost("spam_complaint"), "complained", None),
    ],
)
def test_a_providers_event_is_understood(provider: str, body: Any, kind: str, severity: str | None) -> None:
    (news,) = news_from(provider, json.dumps(body).encode(), LINKS, NOON)
    assert (news.kind, news.severity) == (Happening(kind), severity and Severity(severity))
    assert news.mail == REF
    assert news.id.startswith(provider + ":")
    assert news.at <= NOON


def test_events_come_in_batches_and_an_odd_one_holds_nobody_up() -> None:
    batch = [*sendgrid("delivered"), {"event": {}, "smtp-id": MESSAGE_ID}, {}, *sendgrid("spamreport")]
    news = news_from("sendgrid", json.dumps(batch).encode(), LINKS, NOON)
    kinds = [each.kind for each in news]
    assert kinds == [Happening.DELIVERED, Happening.UNKNOWN, Happening.UNKNOWN, Happening.COMPLAINED]
    assert len({each.id for each in news}) == 4


def test_an_event_that_is_told_twice_has_one_id() -> None:
    def told(body: Any) -> Feedback:
        return news_from("brevo", json.dumps(body).encode(), LINKS, NOON)[0]

    assert told(brevo("spam")).id == told(brevo("spam")).id != told(brevo("delivered")).id


@pytest.mark.parametrize("body", [b"", b"hello", b"3", b'"x"', b"[[]]", b"[1]", b"\xff"])
def test_a_body_that_no_provider_sends_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        news_from("sendgrid", body, LINKS, NOON)


LEAVES = st.none() | st.booleans() | st.floats() | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.dictionaries(st.text(), inner), max_leaves=5)
WORDS = st.sampled_from(["event", "time", "timestamp", "msys", "RecordType", "eventType", "ts_epoch", "Type"])


@given(st.sampled_from(sorted(READERS)), st.dictionaries(WORDS, JSON | st.sampled_from(["bounce", "Bounce"])))
@settings(max_examples=300, deadline=None)
def test_whatever_is_in_an_event_it_becomes_news(provider: str, event: dict[str, Any]) -> None:
    (news,) = news_from(provider, json.dumps(event).encode(), LINKS, NOON)
    assert news.mail is None
