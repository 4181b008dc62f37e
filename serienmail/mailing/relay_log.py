"""What a Postfix log says about mails: accepted, not accepted, or unclear.

Lines as Postfix 3.7 writes them (smtpd.c, cleanup_message.c, qmgr_active.c). ADR 0015 says why the conclusion is safe.
"""

import re
from collections import OrderedDict
from collections.abc import Collection
from typing import NamedTuple

from serienmail.domain.doubt import Finding

_LINE = re.compile(  # host, Postfix's name, daemon, process, text
    rb"(?:\d{4}-\d\d-\d\dT\S+|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (\S+) "
    rb"([^\s/\[\]]+)(?:/[^\s\[\]]+)?/(smtpd|cleanup|qmgr|master)\[(\d+)\]: (.*)"
)
# What others choose (names, addresses, headers) stands behind what these begin with and before what they end with.
_CLIENT = re.compile(rb"([0-9A-Za-z]{5,}): client=")
_MESSAGE_ID = re.compile(rb"([0-9A-Za-z]{5,}): message-id=(.*)")
_ACTIVE = re.compile(rb"([0-9A-Za-z]{5,}): from=<.*>, size=\d+, nrcpt=\d+ \(queue active\)$")
_CUT = re.compile(rb"(?:lost connection|timeout) after DATA \(\d+ bytes\) from ")
_MESSAGES = re.compile(rb" (?:data|bdat)=(\d+)")
_LOSSES = re.compile(
    rb"\S+(?: [ \d]\d \S+)? \S+ (?:rsyslogd|systemd-journald|syslog-ng|journal)\b.*(?:drop|lost|suppress)",
    re.IGNORECASE,
)
_MOST_CUT = 10_000


class _Process(NamedTuple):
    host: bytes
    instance: bytes  # Postfix's name: "postfix", "postfix-out"
    pid: bytes


class _Queued(NamedTuple):
    host: bytes
    instance: bytes
    queue_id: bytes


class RelayLog:
    """Fed with lines in the order of the file; its memory grows with open connections, not with lines.

    message_ids: those asked about, with angle brackets. mark: a name that somebody said at EHLO, and had refused
    something, when nobody could hand over these mails any more; without one nothing is ever "not accepted".
    """

    def __init__(self, message_ids: Collection[str], mark: str | None) -> None:
        self._wanted = {message_id.encode() for message_id in message_ids}
        self._mark = f" helo=<{mark}>".encode() if mark else None
        self._marked = False
        self._broken = False  # lines are missing, or mails took a way that isn't in this log
        self._open: dict[_Process, _Queued] = {}  # what each smtpd is taking, or took last
        self._unnamed: dict[_Queued, bool] = {}  # begun, and no Message-ID seen yet; whether before the mark
        self._sessions: dict[_Process, int] = {}  # transactions of each, if the log shows its beginning
        self._ended: set[tuple[bytes, bytes]] = set()  # instances that were stopped properly
        self._named: dict[_Queued, bytes] = {}  # of the wanted ones
        self._cut: OrderedDict[_Queued, None] = OrderedDict()
        self._accepted: set[bytes] = set()
        self._unsure: set[bytes] = set()  # named, and what became of them isn't shown

    def feed(self, line: bytes) -> None:
        """One whole line, without its end."""
        if b"\0" in line:  # the machine crashed
            self._broken = True
        if not (found := _LINE.fullmatch(line)):
            self._broken = self._broken or bool(_LOSSES.match(line))
            return
        host, instance, daemon, pid, text = found.groups()
        process = _Process(host, instance, pid)
        match daemon:
            case b"smtpd":
                self._smtpd(process, text)
            case b"cleanup":
                self._cleanup(process, text)
            case b"qmgr":
                self._qmgr(process, text)
            case _:
                self._master(process, text)

    def finding(self, message_id: str) -> Finding:
        """What the lines so far prove."""
        wanted = message_id.encode()
        if wanted in self._accepted:
            return Finding.ACCEPTED
        queued = wanted in self._unsure or wanted in self._named.values()
        undecided = any(self._unnamed.values())  # a message that was begun before the mark may be this one
        if self._broken or not self._marked or undecided or queued:
            return Finding.UNCLEAR
        return Finding.NOT_ACCEPTED

    def _smtpd(self, process: _Process, text: bytes) -> None:
        if text.startswith(b"connect from "):
            self._close(process)
            self._sessions[process] = 0
        elif text.startswith(b"disconnect from "):
            self._disconnected(process, text)
        elif text.startswith(b"NOQUEUE: client="):  # a filter before the queue hands mails on, maybe elsewhere
            self._broken = True
        elif found := _CLIENT.match(text):
            self._begun(process, _Queued(process.host, process.instance, found[1]))
        elif _CUT.match(text):
            self._lost(process)
        elif self._mark and text.startswith(b"NOQUEUE: reject: ") and text.endswith(self._mark):
            self._marked = True

    def _begun(self, process: _Process, queued: _Queued) -> None:
        self._close(process)
        self._open[process] = queued
        self._unnamed[queued] = not self._marked
        if process in self._sessions:
            self._sessions[process] += 1
        self._cut.pop(queued, None)
        if message_id := self._named.pop(queued, None):  # queue ids are used again
            self._unsure.add(message_id)

    def _close(self, process: _Process) -> _Queued | None:
        """What this smtpd was taking is over; what is whole has been named by now."""
        if queued := self._open.pop(process, None):
            self._unnamed.pop(queued, None)
        return queued

    def _lost(self, process: _Process) -> None:
        """The connection ended inside the message: Postfix throws away what it has, named or not."""
        if queued := self._close(process):
            self._named.pop(queued, None)
            self._cut[queued] = None
            if len(self._cut) > _MOST_CUT:
                self._cut.popitem(last=False)

    def _disconnected(self, process: _Process, text: bytes) -> None:
        self._close(process)
        messages = sum(int(number) for number in _MESSAGES.findall(text))
        if messages > self._sessions.pop(process, messages):
            self._broken = True  # it took more messages than the log shows

    def _cleanup(self, process: _Process, text: bytes) -> None:
        if not (found := _MESSAGE_ID.fullmatch(text)):
            return
        queued = _Queued(process.host, process.instance, found[1])
        self._unnamed.pop(queued, None)
        if found[2] in self._wanted and queued not in self._cut:
            self._named[queued] = found[2]

    def _qmgr(self, process: _Process, text: bytes) -> None:
        if not (found := _ACTIVE.fullmatch(text)):
            return
        queued = _Queued(process.host, process.instance, found[1])
        if queued in self._named:
            self._accepted.add(self._named.pop(queued))
        if queued in self._unnamed or queued in self._cut:
            self._broken = True  # only whole messages are queued, and cleanup names each before

    def _master(self, process: _Process, text: bytes) -> None:
        instance = (process.host, process.instance)
        if text.startswith(b"terminating on signal "):
            self._ended.add(instance)
        elif text.startswith(b"daemon started "):
            if instance not in self._ended:  # it crashed, or the machine did: lines may be lost, mails are not
                self._broken = True
            self._ended.discard(instance)
            for smtpd in [one for one in self._open if one[:2] == instance]:
                self._close(smtpd)
