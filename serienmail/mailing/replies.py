"""What a mail server answered, and what follows from it."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """Where in the conversation an answer was given; ``dot`` ends the message and takes responsibility for it."""

    CONNECT = "connect"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer about one mail.

    text: the server's own words in one line, often with the address in them: for the database, never for an exception.
    """

    phase: Phase
    code: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The message was written, its answer never seen: it may have been delivered (RFC 1047)."""


IN_DOUBT = InDoubt()


class ReplyClass(StrEnum):
    """What follows from an answer."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    FAILED = "failed"  # the mail itself can't go; its address may be good
    ACCOUNT = "account"  # the sender is refused, and no recipient is to blame


class _Rule(NamedTuple):
    """phase None is any; the patterns match the code, and the enhanced code (RFC 3463) that the text begins with."""

    phase: Phase | None
    code: str
    enhanced: str
    verdict: ReplyClass


# The first that matches counts. The basic code stands before the enhanced one: servers contradict themselves.
_RULES = (
    _Rule(None, r"2..", r".*", ReplyClass.ACCEPTED),
    _Rule(None, r"4..", r".*", ReplyClass.DEFERRED),
    _Rule(None, r"53[0458]", r".*", ReplyClass.ACCOUNT),
    _Rule(None, r"5..", r"5\.1\.[78]", ReplyClass.ACCOUNT),
    _Rule(Phase.MAIL, r"550", r".*", ReplyClass.ACCOUNT),  # RFC 5321 4.2.3: at MAIL, that is the sender
    _Rule(None, r"5..", r"5\.6\..*", ReplyClass.FAILED),
    _Rule(None, r"5..", r".*", ReplyClass.REJECTED),
)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")


def classify(reply: Reply) -> ReplyClass:
    """The class of an answer; one that makes no sense is deferred, which loses nothing."""
    found = _ENHANCED.match(reply.text)
    enhanced = found.group() if found else ""
    for rule in _RULES:
        if (
            rule.phase in (None, reply.phase)
            and re.fullmatch(rule.code, str(reply.code))
            and re.fullmatch(rule.enhanced, enhanced)
        ):
            return rule.verdict
    return ReplyClass.DEFERRED
