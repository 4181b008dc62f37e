"""The embedded inbox, over its real socket."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serienmail.domain.errors import EnvironmentFault
from serienmail.domain.sending_limits import SendingLimits
from serienmail.mailing.account import Account
from serienmail.mailing.message import Mail
from serienmail.mailing.smtp import SmtpTransport
from starter.inbox import Inbox

DATA = "Subject: Grüße\r\nTo: somebody@example.net\r\n\r\nGuten Tag\r\n".encode()


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    inbox = Inbox(tmp_path / "inbox", port=0)
    await inbox.start()
    yield inbox
    await inbox.stop()


async def test_mails_arrive_in_order_with_their_envelope_recipient(inbox: Inbox) -> None:
    transport = SmtpTransport(Account(host="127.0.0.1", port=inbox.port, from_address="crm@example.com"), SendingLimits)
    for recipient in ("zoe@example.org", "jürgen@example.org", "anna@example.org"):
        await transport.send(Mail("crm@example.com", recipient, DATA, smtputf8=not recipient.isascii()))
    await transport.close()
    received = list(inbox.messages())
    assert [mail.recipient for mail in received] == ["zoe@example.org", "jürgen@example.org", "anna@example.org"]
    assert received[0].message["To"] == "somebody@example.net"
    assert received[0].path.read_bytes() == b"Delivered-To: zoe@example.org\r\n" + DATA


async def test_a_mail_for_two_lies_there_twice(inbox: Inbox) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", inbox.port, local_hostname="localhost") as client:
            client.sendmail("crm@example.com", ["a@example.org", "b@example.org"], b"Subject: x\r\n\r\ny\r\n")

    await asyncio.to_thread(send)
    assert [mail.recipient for mail in inbox.messages()] == ["a@example.org", "b@example.org"]


async def test_mails_outlive_a_restart(inbox: Inbox, tmp_path: Path) -> None:
    transport = SmtpTransport(Account(host="127.0.0.1", port=inbox.port, from_address="crm@example.com"), SendingLimits)
    await transport.send(Mail("crm@example.com", "anna@example.org", DATA, smtputf8=False))
    await transport.close()
    await inbox.stop()
    assert len(list(Inbox(tmp_path / "inbox", port=0).messages())) == 1


async def test_a_taken_port_is_refused_with_what_to_do(inbox: Inbox, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=rf"^port {inbox.port} for the inbox can't be used; stop what uses"):
        await Inbox(tmp_path / "other", inbox.port).start()
