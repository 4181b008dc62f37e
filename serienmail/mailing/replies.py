"""What a mail server answered, and what follows from it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from serienmail.domain.delivery import Answer, Pause, Verdict
from serienmail.domain.record import record


class Phase(StrEnum):
    """Where in the conversation an answer was given; ``dot`` ends the message and takes responsibility for it."""

    CONNECT = "connect"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@record
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
    """What an answer means."""

    ACCEPTED = "accepted"
    HARD = "hard"  # there is no such mailbox
    MAILBOX_FULL = "mailbox_full"
    MESSAGE_FAULT = "message_fault"  # the mail itself can't go; its address may be good
    POLICY = "policy"  # the provider doesn't want this mail, or this sender
    GREYLISTED = "greylisted"  # come back in a few minutes
    THROTTLED = "throttled"  # the provider has enough for now
    ACCOUNT = "account"  # our own account is refused
    DEFERRED = "deferred"
    REJECTED = "rejected"


_GREYLISTED = (*(timedelta(minutes=n) for n in (5, 10, 15, 15)), timedelta(hours=4), timedelta(hours=24))
"""After the first hour it was something else."""
_EMPTIED = tuple(timedelta(hours=n) for n in (4, 20, 24, 24))

TREATMENTS: Mapping[ReplyClass, Answer] = {
    ReplyClass.ACCEPTED: Answer(Verdict.ACCEPTED),
    ReplyClass.HARD: Answer(Verdict.REJECTED, suppress=True),
    ReplyClass.MAILBOX_FULL: Answer(Verdict.DEFERRED, tries_after=_EMPTIED, give_up_after=timedelta(hours=72)),
    ReplyClass.MESSAGE_FAULT: Answer(Verdict.FAILED),
    ReplyClass.POLICY: Answer(Verdict.REJECTED, pause=Pause.STAGE_FOR_PROVIDER),
    ReplyClass.GREYLISTED: Answer(Verdict.DEFERRED, tries_after=_GREYLISTED),
    ReplyClass.THROTTLED: Answer(Verdict.DEFERRED, pause=Pause.PROVIDER, give_up_after=timedelta(days=5)),
    ReplyClass.ACCOUNT: Answer(Verdict.DEFERRED, pause=Pause.ACCOUNT),
    ReplyClass.DEFERRED: Answer(Verdict.DEFERRED),
    ReplyClass.REJECTED: Answer(Verdict.REJECTED),
}
"""What to do after an answer of each class. RFC 5321 4.5.4.1: give up after 4 to 5 days."""


def answer(reply: Reply) -> Answer:
    """What follows from a reply. An acceptance, which most are, has no codes that anybody asks for."""
    if reply.code // 100 == 2:
        return Answer(Verdict.ACCEPTED, f"{reply.code} {reply.text}")
    codes = f"{reply.code} {_enhanced(reply)}".strip()
    return replace(TREATMENTS[classify(reply)], reply=f"{reply.code} {reply.text}", codes=codes)


class _Rule(NamedTuple):
    """code and enhanced (RFC 3463) must match as a whole, words anywhere in the text, whatever its case."""

    means: ReplyClass
    code: str
    enhanced: str = r".*"
    words: str = r""
    phases: frozenset[Phase] = frozenset(Phase)


_RECIPIENT_NAMED = frozenset({Phase.RCPT, Phase.DATA, Phase.DOT})

_FULL = (
    r"over ?quota|quota (limit )?exceeded|quota violation|mailbox[\w ]* full|exceeded storage|out of storage"
    r"|allowed storage|mailbox size limit"
)
_ENOUGH_FOR_NOW = (
    r"rate limit|limit exceeded|exceeded a limit|too many (connections|errors|sessions)|excessive|temporarily deferred"
    r"|black ?list|block ?list|blocked|policy violation|reverse|cannot find your|resources temporarily"
)
_TOO_MUCH_FOR_ONE = r"at a rate that prevents|per hour|receiving e?mail too quickly|recipient thread limit"
_OUR_ACCOUNT = (
    r"daily[\w ]{0,30} (quota|limit)|submission quota|not owned by user|address is not verified"
    r"|client was not authenticated|permissions to send as"
)
_MESSAGE = (
    r"rfc 5322|not rfc compliant|malformed|disallowed header|missing a valid|multiple addresses in from|syntax error"
    r"|message (size|too (large|big))|email size exceeded"
)
_POLICY = (
    r"spam|unsolicited|virus|black ?list|block ?list|blocked|banned|polic(y|ies)|reputation|dmarc|\bdkim|\bspf\b"
    r"|\bptr\b|reverse dns|relay|spoof|frequency limited|content (denied|filter)|not allowed to send"
)
_NO_MAILBOX = (
    r"user[\w ]* unknown|unknown (user|local part|or illegal alias)|no such (user|mailbox|recipient)|no mailbox here"
    r"|mailbox[\w ]* (not found|unavailable|disabled)|account (is )?disabled|invalid (recipient|address)"
    r"|address unknown|doesn't have a [\w.-]+ account|is no longer valid|not in recipient list|unrouteable address"
)

# The first that matches counts. The class of the basic code is never left: servers contradict themselves.
# Words stand before codes only where a provider is known to use a code for something else.
_RULES = (
    _Rule(ReplyClass.DEFERRED, r"4..", phases=frozenset({Phase.AUTH})),
    _Rule(ReplyClass.MAILBOX_FULL, r"4..", r"4\.2\.2"),
    _Rule(ReplyClass.MAILBOX_FULL, r"4..", words=_FULL),
    _Rule(ReplyClass.DEFERRED, r"4..", r"4\.1\.1"),  # a relay that still asks the next one about this address
    _Rule(ReplyClass.DEFERRED, r"4..", words=_TOO_MUCH_FOR_ONE),
    _Rule(ReplyClass.GREYLISTED, r"4..", words=r"gr[ea]y-?list|internal resources? (are )?temporarily"),
    _Rule(ReplyClass.THROTTLED, r"421"),
    _Rule(ReplyClass.THROTTLED, r"4..", r"4\.7\.(0|2\d|[5-9]\d\d)|4\.3\.2"),
    _Rule(ReplyClass.THROTTLED, r"4..", words=_ENOUGH_FOR_NOW),
    _Rule(ReplyClass.GREYLISTED, r"45[01]", r"4\.7\.1|4\.2\.0"),
    _Rule(ReplyClass.DEFERRED, r"4.."),
    #
    _Rule(ReplyClass.ACCOUNT, r"5..", phases=frozenset({Phase.AUTH})),
    _Rule(ReplyClass.ACCOUNT, r"53[0458]"),
    _Rule(ReplyClass.ACCOUNT, r"5..", r"5\.1\.[78]"),
    _Rule(ReplyClass.ACCOUNT, r"5..", words=_OUR_ACCOUNT),
    _Rule(ReplyClass.REJECTED, r"5..", words=_TOO_MUCH_FOR_ONE, phases=_RECIPIENT_NAMED),
    _Rule(ReplyClass.MAILBOX_FULL, r"5..", r"5\.2\.2", phases=_RECIPIENT_NAMED),
    _Rule(ReplyClass.MAILBOX_FULL, r"5..", words=_FULL, phases=_RECIPIENT_NAMED),
    _Rule(ReplyClass.MESSAGE_FAULT, r"5..", r"5\.3\.4|5\.2\.3|5\.6\..*"),
    _Rule(ReplyClass.POLICY, r"5..", r"5\.2\.1", words=r"content filter"),
    _Rule(ReplyClass.HARD, r"5..", r"5\.1\.([1236]|10)|5\.2\.1", phases=_RECIPIENT_NAMED),
    _Rule(ReplyClass.REJECTED, r"5..", r"5\.7\.1[23]\d?", phases=_RECIPIENT_NAMED),  # Exchange: takes no strangers
    _Rule(ReplyClass.MESSAGE_FAULT, r"5..", words=_MESSAGE),
    _Rule(ReplyClass.POLICY, r"5..", words=_POLICY),
    _Rule(ReplyClass.HARD, r"5..", words=_NO_MAILBOX, phases=_RECIPIENT_NAMED),
    _Rule(ReplyClass.MESSAGE_FAULT, r"5..", r"5\.5\..*"),
    _Rule(ReplyClass.MESSAGE_FAULT, r"50.|555"),
    _Rule(ReplyClass.MESSAGE_FAULT, r"552", phases=frozenset({Phase.MAIL})),  # the size was announced there
    _Rule(ReplyClass.ACCOUNT, r"5..", phases=frozenset({Phase.MAIL})),  # RFC 5321 4.2.3: that is the sender
    _Rule(ReplyClass.POLICY, r"5..", phases=frozenset({Phase.CONNECT})),
    _Rule(ReplyClass.POLICY, r"5..", r"5\.7\..*"),
    _Rule(ReplyClass.MAILBOX_FULL, r"552", phases=_RECIPIENT_NAMED),
    _Rule(ReplyClass.HARD, r"55[03]", r"|5\.[012]\..*", phases=frozenset({Phase.RCPT})),
    _Rule(ReplyClass.REJECTED, r"5.."),
)
# Anywhere in the text, as in "(#5.1.1)", but not as a part of an IP address.
_ENHANCED = re.compile(r"(?<![^\s(#\[])([245])\.\d{1,3}\.\d{1,3}(?=[\s:;,)\]]|$)")


def classify(reply: Reply) -> ReplyClass:
    """The class of an answer; one that makes no sense is deferred, which loses nothing."""
    if reply.code // 100 == 2:  # nearly all are: no rule has to be looked at
        return ReplyClass.ACCEPTED
    code, enhanced = str(reply.code), _enhanced(reply)
    for rule in _RULES:
        if (
            re.fullmatch(rule.code, code)
            and reply.phase in rule.phases
            and re.fullmatch(rule.enhanced, enhanced)
            and re.search(rule.words, reply.text, re.IGNORECASE)
        ):
            return rule.means
    return ReplyClass.DEFERRED


def _enhanced(reply: Reply) -> str:
    """The enhanced code; empty if there is none, or it contradicts the basic one."""
    found = _ENHANCED.search(reply.text)
    return found.group() if found and int(found[1]) == reply.code // 100 else ""
