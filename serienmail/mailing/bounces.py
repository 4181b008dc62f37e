"""Reads what mail servers and mail programs send back: bounces, reports, complaints, automatic answers, replies.

Formats: delivery status notifications (RFC 3464, in UTF-8 RFC 6533), feedback reports (RFC 5965), and what flufl.bounce
knows. Whatever comes in, it ends soon and without an exception: anybody can send anything here.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import Message

from flufl.bounce import all_failures

from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.mailing.correlation import find_mail
from serienmail.mailing.incoming import read_incoming
from serienmail.mailing.links import Links
from serienmail.mailing.replies import Phase, Reply, ReplyClass, classify

log = logging.getLogger(__name__)
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it stumbles over odd mails, with a traceback each

MOST_READ = 131_072  # bytes; reports stand before the mail that is returned
_MOST_LINES = 2_000
_LONGEST_LINE = 998
_MOST_FOLDED = 4  # lines of one header: the parser takes quadratic time for a parameter's quotes
_MOST_NESTED = 16  # the parser calls itself for each
_CONTAINER = re.compile(rb"(multipart|message)/", re.IGNORECASE)
_FOLDED = re.compile(rb"((?:\r?\n[ \t][^\n]*){%d})(?:\r?\n[ \t][^\n]*)+" % _MOST_FOLDED)
_UTF8_STATUS = re.compile(rb"message/global-delivery-status", re.IGNORECASE)

_ACTIONS = {
    "failed": Happening.BOUNCED,
    "delayed": Happening.DEFERRED,
    "delivered": Happening.DELIVERED,
    "relayed": Happening.SENT,
    "expanded": Happening.SENT,
}
_COMPLAINTS = ("abuse", "fraud", "virus")
"""RFC 5965 7.3. Others (not-spam, auth-failure, dmarc) are no complaint of a recipient."""

_SAYS_WHY = re.compile(r"[^\n]{0,200}?(?:\b[45]\d\d[ -]|\b[45]\.\d{1,3}\.\d{1,3}\b)[^\n]*")
_DAEMON = re.compile(r"mailer-?daemon|postmaster|mail delivery", re.IGNORECASE)
_AUTOMATIC = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-response-suppress")


@dataclass(frozen=True, slots=True)
class Report:
    """What a mail says. severity: of a bounce. about: texts that may name our mail, the surest first."""

    kind: Happening
    severity: Severity | None = None
    detail: str = ""
    about: tuple[str, ...] = ()


def feedback(data: bytes, recipients: Sequence[str], sender: str | None, links: Links, now: datetime) -> Feedback:
    """A mail that came in, as news about one of ours.

    recipients, sender: of its envelope, as far as they are known; ``""``: the null sender.
    """
    report = read_report(data, sender)
    mail = find_mail(links, *recipients, *report.about)
    return Feedback(
        id=_id(data, f"{mail} {report.kind} {report.severity}"),
        kind=report.kind,
        at=now,
        mail=mail,
        severity=report.severity,
        detail=report.detail,
        incoming=read_incoming(data) if mail and report.kind is Happening.REPLIED else None,
    )


def read_report(data: bytes, sender: str | None = None) -> Report:
    """What this mail says. sender: of its envelope; None: as Return-Path tells, if it does."""
    if len(_CONTAINER.findall(data[:MOST_READ])) > _MOST_NESTED:
        return Report(Happening.UNKNOWN)
    text = _tamed(data)
    try:
        return _read(message_from_bytes(text), text.decode("utf-8", "replace"), sender)
    except Exception as error:  # the library's parser has bugs that only hostile mails find
        log.warning("a mail that came back can't be read: %s", type(error).__name__)
        return Report(Happening.UNKNOWN, about=(text.decode("utf-8", "replace"),))


def _tamed(data: bytes) -> bytes:
    """As much as is looked at, without what would take the parser long."""
    lines = (line[:_LONGEST_LINE] for line in data[:MOST_READ].split(b"\n", _MOST_LINES)[:_MOST_LINES])
    return _UTF8_STATUS.sub(b"message/delivery-status", _FOLDED.sub(rb"\1", b"\n".join(lines)))


def _read(message: Message, text: str, sender: str | None) -> Report:
    to = " ".join(_field(message, name) for name in ("To", "Delivered-To", "X-Original-To"))
    parts = {part.get_content_type(): part for part in reversed(list(message.walk()))}
    if "message/delivery-status" in parts and (report := _status(parts["message/delivery-status"], (to, text))):
        return report
    if "message/feedback-report" in parts:
        return _complaint(parts["message/feedback-report"], (to, text))
    answers = (_field(message, "In-Reply-To"), _field(message, "References"))
    if is_automatic(message):
        return Report(Happening.AUTORESPONDED, about=(to, *answers))
    if _is_from_nobody(message, sender) or not any(answers):
        return _odd(message, (to, text))
    return Report(Happening.REPLIED, about=(to, *answers))


def is_automatic(message: Message) -> bool:
    """Whether a program wrote this answer (RFC 3834), as a holiday note."""
    submitted = _field(message, "Auto-Submitted").lower()
    precedence = _field(message, "Precedence").lower()
    return (
        (submitted not in ("", "no"))
        or precedence in ("auto_reply", "bulk", "junk", "list")
        or any(name in message for name in _AUTOMATIC)
    )


def _is_from_nobody(message: Message, sender: str | None) -> bool:
    path = _field(message, "Return-Path") if sender is None else f"<{sender}>"
    return path == "<>" or bool(_DAEMON.search(_field(message, "From")))


def _status(part: Message, fallback: tuple[str, str]) -> Report | None:
    """RFC 3464: one group of fields about the message, then one for each recipient; ours have one recipient."""
    groups = [group for group in part.get_payload() if isinstance(group, Message)]
    told = [(_field(group, "Action").lower(), group) for group in groups if "Action" in group]
    known = sorted((each for each in told if each[0] in _ACTIONS), key=lambda each: each[0] != "failed")
    if not known:
        return None
    action, group = known[0]
    status = _field(group, "Status").partition(" ")[0]
    diagnostic = _field(group, "Diagnostic-Code").partition(";")[2].strip()
    kind = _ACTIONS[action]
    return Report(
        kind,
        severity_of(status, diagnostic) if kind is Happening.BOUNCED else None,
        f"{status} {diagnostic}".strip(),
        (fallback[0], *(_field(group, "Original-Envelope-Id") for group in groups[:1]), fallback[1]),
    )


def severity_of(status: str, diagnostic: str) -> Severity:
    """What a failure says about the address. status: as ``5.1.1``; diagnostic: the server's words.

    Read as an answer to the final dot: whether it came earlier, where a bare 550 means the address, isn't told.
    """
    basic = re.match(r"[45]\d\d\b", diagnostic)
    code = int(basic[0]) if basic else 454 if status.startswith("4") else 554
    text = diagnostic if status in diagnostic else f"{status} {diagnostic}"
    match classify(Reply(Phase.DOT, code, text)):
        case ReplyClass.HARD:
            return Severity.HARD
        case ReplyClass.MAILBOX_FULL | ReplyClass.DEFERRED | ReplyClass.GREYLISTED | ReplyClass.THROTTLED:
            return Severity.SOFT
        case _:
            return Severity.BLOCK


def _complaint(part: Message, fallback: tuple[str, str]) -> Report:
    fields = part.get_payload(0) if part.is_multipart() else part
    assert isinstance(fields, Message)
    type_ = _field(fields, "Feedback-Type").lower()
    kind = Happening.COMPLAINED if type_ in _COMPLAINTS else Happening.UNKNOWN
    about = [_field(fields, name) for name in ("Original-Mail-From", "Original-Envelope-Id")]
    return Report(kind, detail=type_, about=(fallback[0], *about, fallback[1]))


def _odd(message: Message, about: tuple[str, str]) -> Report:
    """A format of a server's own. That it bounced is a good guess, so only its own words make it a hard one."""
    temporary, permanent = all_failures(message)
    if not permanent:
        return Report(Happening.DEFERRED if temporary else Happening.UNKNOWN, about=about)
    why = _SAYS_WHY.search(_body(message))
    words = why[0].strip() if why else ""
    code = re.search(r"\b[45]\d\d[ -].*", words)
    severity = severity_of("", code[0] if code else words) if words else Severity.SOFT
    return Report(Happening.BOUNCED, severity, words, about)


def _body(message: Message) -> str:
    for part in message.walk():
        if part.get_content_maintype() == "text":
            octets = part.get_payload(decode=True)
            return octets.decode("utf-8", "replace") if isinstance(octets, bytes) else ""
    return ""


def _field(message: Message, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _id(data: bytes, what: str) -> str:
    """The same for the same mail on whatever way it came: lines that servers add on the way don't count."""
    head, _, body = data.partition(b"\n\n" if b"\r\n" not in data[:_LONGEST_LINE] else b"\r\n\r\n")
    named = re.search(rb"^message-id:\s*(\S+)", head, re.IGNORECASE | re.MULTILINE)
    return "mail:" + hashlib.sha256((named[1] if named else body) + what.encode()).hexdigest()
