"""What mail providers tell by webhook, in their own words, as our events.

Shapes and words are those that the open-source package django-anymail reads; the providers' own pages were not
compared, nor was any provider asked.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.mailing.bounces import severity_of
from serienmail.mailing.correlation import find_mail
from serienmail.mailing.links import Links

Event = Mapping[str, Any]
_LONGEST_ID = 150


@dataclass(frozen=True, slots=True)
class Told:
    """One event. id: the provider's own; empty: it has none. at: empty: it doesn't say when."""

    kind: Happening
    severity: Severity | None = None
    detail: str = ""
    id: str = ""
    at: str | float = ""


def news_from(provider: str, body: bytes, links: Links, now: datetime) -> list[Feedback]:
    """All events of a webhook's body, whose sender was checked; ValueError if it isn't what this provider sends.

    An event with unexpected contents is kept as ``unknown``: it mustn't hold up the others.
    """
    document = json.loads(body)
    events = [document] if isinstance(document, dict) else document
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("neither an event nor a list of them")
    return [_feedback(provider, event, links, now) for event in events]


def _feedback(provider: str, event: Event, links: Links, now: datetime) -> Feedback:
    whole = json.dumps(event, sort_keys=True)
    try:
        told = READERS[provider](event)
        at = min(_moment(told.at), now) if told.at else now
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        told, at = Told(Happening.UNKNOWN), now
    own_id = str(told.id)[:_LONGEST_ID] or hashlib.sha256(whole.encode()).hexdigest()
    return Feedback(
        id=f"{provider}:{own_id}",
        kind=told.kind,
        at=at,
        mail=find_mail(links, whole),  # a token proves itself, wherever the provider puts it
        severity=told.severity,
        detail=str(told.detail),
    )


def _moment(at: str | float) -> datetime:
    if isinstance(at, str):
        moment = datetime.fromisoformat(at)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(at, UTC)


def _ses(event: Event) -> Told:
    """The message inside the SNS envelope, which has its id."""
    type_ = event.get("eventType") or event["notificationType"]
    told = event.get(type_.lower(), {})
    kind = _SES.get(type_, Happening.UNKNOWN)
    about = {"id": event.get("id", ""), "at": told.get("timestamp", "")}
    if kind is not Happening.BOUNCED:
        return Told(kind, **about)
    (recipient, *_) = told["bouncedRecipients"]
    diagnostic = recipient.get("diagnosticCode", "").removeprefix("smtp; ")
    match told["bounceType"], told["bounceSubType"]:
        case "Permanent", _:
            severity: Severity | None = Severity.HARD
        case "Transient", "MessageTooLarge" | "ContentRejected" | "AttachmentRejected":
            severity = Severity.BLOCK
        case "Transient", "General" if not diagnostic:
            severity = None  # also what becomes of holiday notes
        case "Transient", _:
            severity = Severity.SOFT
        case _:
            severity = severity_of(recipient.get("status", ""), diagnostic)
    return Told(kind, severity, diagnostic, **about)


_SES = {
    "Send": Happening.SENT, "Delivery": Happening.DELIVERED, "Bounce": Happening.BOUNCED,
    "Complaint": Happening.COMPLAINED, "DeliveryDelay": Happening.DEFERRED, "Reject": Happening.REJECTED,
    "Open": Happening.OPENED, "Click": Happening.CLICKED, "Subscription": Happening.UNSUBSCRIBED,
}  # fmt: skip


def _sendgrid(event: Event) -> Told:
    kind = _SENDGRID.get(event["event"], Happening.UNKNOWN)
    words = event.get("reason") or event.get("response") or ""
    severity = severity_of(event.get("status", ""), words) if kind is Happening.BOUNCED else None
    if event.get("type") == "blocked" and severity:
        severity = Severity.BLOCK
    return Told(kind, severity, words, event.get("sg_event_id", ""), event["timestamp"])


_SENDGRID = {
    "bounce": Happening.BOUNCED, "deferred": Happening.DEFERRED, "delivered": Happening.DELIVERED,
    "dropped": Happening.REJECTED, "open": Happening.OPENED, "click": Happening.CLICKED,
    "spamreport": Happening.COMPLAINED, "unsubscribe": Happening.UNSUBSCRIBED,
    "group_unsubscribe": Happening.UNSUBSCRIBED, "group_resubscribe": Happening.SUBSCRIBED,
}  # fmt: skip


def _mailgun(event: Event) -> Told:
    """Event ids are unique for a day only; the signature's token is for ever."""
    data = event["event-data"]
    kind = _MAILGUN.get(data["event"], Happening.UNKNOWN)
    status = data.get("delivery-status") or {}
    words = f"{status.get('code', '')} {status.get('message') or status.get('description') or ''}".strip()
    severity = None
    if data["event"] == "failed":
        permanent = data.get("severity") == "permanent"
        kind = Happening.BOUNCED if permanent else Happening.DEFERRED
        severity = severity_of(status.get("enhanced-code", ""), words) if permanent else None
        if str(data.get("reason", "")).startswith("suppress"):
            kind, severity = Happening.REJECTED, None
    return Told(kind, severity, words, event["signature"]["token"], float(data["timestamp"]))


_MAILGUN = {
    "accepted": Happening.SENT, "delivered": Happening.DELIVERED, "rejected": Happening.REJECTED,
    "opened": Happening.OPENED, "clicked": Happening.CLICKED, "complained": Happening.COMPLAINED,
    "unsubscribed": Happening.UNSUBSCRIBED,
}  # fmt: skip


def _postmark(event: Event) -> Told:
    record = event["RecordType"]
    type_ = event.get("Type", "")
    if record == "SubscriptionChange":
        type_ = event["SuppressionReason"] if event["SuppressSending"] else "Subscribe"
    kind, severity = _POSTMARK_TYPES.get(type_) or (_POSTMARK.get(record, Happening.UNKNOWN), None)
    at = next((event[name] for name in ("BouncedAt", "DeliveredAt", "ChangedAt", "ReceivedAt") if name in event), "")
    own_id = f"{record}-{event['ID']}" if "ID" in event else ""
    return Told(kind, severity, event.get("Details") or event.get("Description") or "", own_id, at)


_POSTMARK = {
    "Bounce": Happening.BOUNCED, "Delivery": Happening.DELIVERED, "SpamComplaint": Happening.COMPLAINED,
    "Open": Happening.OPENED, "Click": Happening.CLICKED,
}  # fmt: skip
_POSTMARK_TYPES: Mapping[str, tuple[Happening, Severity | None]] = {
    "HardBounce": (Happening.BOUNCED, Severity.HARD),
    "BadEmailAddress": (Happening.BOUNCED, Severity.HARD),
    "SoftBounce": (Happening.BOUNCED, Severity.SOFT),
    "Blocked": (Happening.BOUNCED, Severity.BLOCK),
    "DMARCPolicy": (Happening.BOUNCED, Severity.BLOCK),
    "VirusNotification": (Happening.BOUNCED, Severity.BLOCK),
    "Transient": (Happening.DEFERRED, None),
    "DnsError": (Happening.DEFERRED, None),
    "AutoResponder": (Happening.AUTORESPONDED, None),
    "AddressChange": (Happening.AUTORESPONDED, None),
    "ChallengeVerification": (Happening.AUTORESPONDED, None),
    "SpamNotification": (Happening.COMPLAINED, None),
    "SpamComplaint": (Happening.COMPLAINED, None),
    "ManuallyDeactivated": (Happening.REJECTED, None),
    "SMTPApiError": (Happening.FAILED, None),
    "Unsubscribe": (Happening.UNSUBSCRIBED, None),
    "ManualSuppression": (Happening.UNSUBSCRIBED, None),
    "Subscribe": (Happening.SUBSCRIBED, None),
}


def _brevo(event: Event) -> Told:
    kind, severity = _BREVO.get(event["event"], (Happening.UNKNOWN, None))
    at = event["ts_epoch"] / 1000 if "ts_epoch" in event else event["ts_event"]
    return Told(kind, severity, event.get("reason", ""), at=at)


_BREVO: Mapping[str, tuple[Happening, Severity | None]] = {
    "request": (Happening.SENT, None),
    "delivered": (Happening.DELIVERED, None),
    "hard_bounce": (Happening.BOUNCED, Severity.HARD),
    "invalid_email": (Happening.BOUNCED, Severity.HARD),
    "soft_bounce": (Happening.BOUNCED, Severity.SOFT),
    "blocked": (Happening.REJECTED, None),
    "error": (Happening.FAILED, None),
    "deferred": (Happening.DEFERRED, None),
    "spam": (Happening.COMPLAINED, None),
    "complaint": (Happening.COMPLAINED, None),
    "unsubscribed": (Happening.UNSUBSCRIBED, None),
    "unsubscribe": (Happening.UNSUBSCRIBED, None),
    "opened": (Happening.OPENED, None),
    "unique_opened": (Happening.OPENED, None),
    "proxy_open": (Happening.OPENED, None),
    "unique_proxy_open": (Happening.OPENED, None),
    "click": (Happening.CLICKED, None),
}


def _mailjet(event: Event) -> Told:
    kind = _MAILJET.get(event["event"], Happening.UNKNOWN)
    words = event.get("smtp_reply") or event.get("comment") or event.get("error") or ""
    severity = None
    if kind is Happening.BOUNCED:
        severity = Severity.HARD if event.get("hard_bounce") else Severity.SOFT
        if event.get("error") == "greylisted" and severity is Severity.SOFT:
            kind, severity = Happening.DEFERRED, None
    return Told(kind, severity, words, at=event["time"])


_MAILJET = {
    "sent": Happening.DELIVERED, "bounce": Happening.BOUNCED, "blocked": Happening.REJECTED,
    "spam": Happening.COMPLAINED, "unsub": Happening.UNSUBSCRIBED, "open": Happening.OPENED,
    "click": Happening.CLICKED,
}  # fmt: skip


def _sparkpost(event: Event) -> Told:
    (data,) = event["msys"].values()
    kind = _SPARKPOST.get(data["type"], Happening.UNKNOWN)
    words, severity = data.get("raw_reason", ""), None
    if kind is Happening.BOUNCED:
        class_ = str(data.get("bounce_class", ""))
        kind, severity = _SPARKPOST_CLASSES.get(class_) or (kind, severity_of("", words))
    return Told(kind, severity, words, str(data.get("event_id", "")), float(data["timestamp"]))


_SPARKPOST = {
    "bounce": Happening.BOUNCED, "out_of_band": Happening.BOUNCED, "delivery": Happening.DELIVERED,
    "injection": Happening.SENT, "delay": Happening.DEFERRED, "spam_complaint": Happening.COMPLAINED,
    "policy_rejection": Happening.REJECTED, "generation_rejection": Happening.REJECTED,
    "generation_failure": Happening.FAILED, "list_unsubscribe": Happening.UNSUBSCRIBED,
    "link_unsubscribe": Happening.UNSUBSCRIBED, "open": Happening.OPENED, "click": Happening.CLICKED,
}  # fmt: skip
_SPARKPOST_CLASSES: Mapping[str, tuple[Happening, Severity | None]] = {
    **dict.fromkeys(("10", "30"), (Happening.BOUNCED, Severity.HARD)),
    **dict.fromkeys(("20", "21", "22", "24", "40", "70"), (Happening.BOUNCED, Severity.SOFT)),
    **dict.fromkeys(("23", "25", "50", "51", "52", "53", "54"), (Happening.BOUNCED, Severity.BLOCK)),
    **dict.fromkeys(("60", "100"), (Happening.AUTORESPONDED, None)),
    "90": (Happening.UNSUBSCRIBED, None),
}

READERS: Mapping[str, Callable[[Event], Told]] = {
    "ses": _ses,
    "sendgrid": _sendgrid,
    "mailgun": _mailgun,
    "postmark": _postmark,
    "brevo": _brevo,
    "mailjet": _mailjet,
    "sparkpost": _sparkpost,
}
