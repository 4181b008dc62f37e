"""A mail server that keeps senders waiting, so that tests can act while mails are in hand."""

import asyncio

from aiosmtpd.smtp import SMTP

from tests.mailing.smtp_server import Server


class SlowServer(Server):
    """Answers the first ``answers_first`` messages, and lets the others wait until it is told to go on."""

    def __init__(self, **answers: str) -> None:
        super().__init__(**answers)
        self.answers_first = 0
        self.in_hand = 0
        self._goes_on = asyncio.Event()

    def go_on(self) -> None:
        """Answer everything from here on."""
        self._goes_on.set()

    async def until_in_hand(self, mails: int) -> None:
        """Wait until so many mails wait for their answer."""
        async with asyncio.timeout(20):
            while True:
                if self.in_hand >= mails:
                    return
                await asyncio.sleep(0.02)

    async def answer(self, command: str, server: SMTP) -> str | None:
        if command == "dot" and not self._goes_on.is_set():
            self.answers_first -= 1
            if self.answers_first < 0:
                self.in_hand += 1
                await self._goes_on.wait()
        return await super().answer(command, server)

    def recipients(self) -> list[str]:
        """Of every mail it accepted, sorted."""
        return sorted(recipient for envelope in self.accepted for recipient in envelope.rcpt_tos)
