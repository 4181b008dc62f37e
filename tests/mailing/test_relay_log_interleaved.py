"""However the lines of many connections are mixed: no verdict is ever wrong, and at the end all are right."""

from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from serienmail.domain.doubt import Finding
from serienmail.mailing.relay_log import RelayLog

MARK = "mark-0123.invalid"
FATES = ("before", "inside", "whole")


@dataclass
class Mail:
    """One mail's way through Postfix: what smtpd writes, and what the other daemons write behind it."""

    number: int
    fate: str

    @property
    def right(self) -> Finding:
        return Finding.ACCEPTED if self.fate == "whole" else Finding.NOT_ACCEPTED

    @property
    def message_id(self) -> str:
        return f"<{self.number}@example.com>"

    def lines(self, smtpd: int, chance: Random) -> list[str]:
        """One possible order. A whole message is named before smtpd goes on; all else may come later."""
        queue_id, client = f"{self.number:010X}", "unknown[192.0.2.1]"
        named = f"cleanup[900]: {queue_id}: message-id={self.message_id}"
        begun = [f"smtpd[{smtpd}]: connect from {client}", f"smtpd[{smtpd}]: {queue_id}: client={client}"]
        ended = f"smtpd[{smtpd}]: disconnect from {client} mail=1 data={int(self.fate == 'whole')}"
        if self.fate == "before":
            return [*begun, f"smtpd[{smtpd}]: lost connection after RCPT from {client}", ended]
        if self.fate == "inside":
            cut = [*begun, f"smtpd[{smtpd}]: lost connection after DATA (87 bytes) from {client}", ended]
            cut.insert(chance.randint(2, 4), named)
            return cut
        whole = [*begun, named, ended]
        queued = f"qmgr[901]: {queue_id}: from=<b@example.com>, size=300, nrcpt=1 (queue active)"
        whole.insert(chance.randint(3, 4), queued)
        return whole


def log_of(mails: list[Mail], connections: int, chance: Random) -> list[str]:
    """The mails' lines, one after the other in each connection, and the connections' lines mixed."""
    queues: list[list[str]] = [[] for _ in range(connections)]
    for mail in mails:
        place = chance.randrange(connections)
        queues[place] += mail.lines(place + 1, chance)
    lines = []
    while waiting := [queue for queue in queues if queue]:
        lines.append(chance.choice(waiting).pop(0))
    return lines


def with_mark(lines: list[str], place: int) -> list[str]:
    """Where somebody whom size refused left it."""
    refusal = f"smtpd[99]: NOQUEUE: reject: MAIL from x[192.0.2.2]: 552 5.3.4 too large; from=<> helo=<{MARK}>"
    return [*lines[:place], refusal, *lines[place:]]


@settings(max_examples=150, deadline=None)
@given(
    fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=12),
    connections=st.integers(1, 4),
    chance=st.randoms(use_true_random=False),
)
def test_no_order_of_the_lines_leads_to_a_wrong_verdict(fates: list[str], connections: int, chance: Random) -> None:
    mails = [Mail(number, fate) for number, fate in enumerate(fates)]
    lines = log_of(mails, connections, chance)
    place = chance.randint(0, len(lines))
    begun = "".join(lines[:place])
    never = Mail(len(fates), "before")  # killed before it said anything
    asked = [mail for mail in mails if f"{mail.number:010X}: client=" in begun] + [never]  # else it isn't in doubt yet
    log = RelayLog([mail.message_id for mail in asked], MARK)
    for line in with_mark(lines, place):
        log.feed(f"Nov  2 08:19:41 relay postfix/{line}".encode())
        for mail in asked:
            assert log.finding(mail.message_id) in (mail.right, Finding.UNCLEAR)
    assert all(log.finding(mail.message_id) is mail.right for mail in asked)
