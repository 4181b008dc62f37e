"""Reading mailboxes that bounces and replies come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.clock import ActivityClock
from serienmail.domain.feedback import Feedback
from serienmail.domain.mailbox import Position


class Batch(Protocol):
    """Some mails of a mailbox."""

    @property
    def news(self) -> Sequence[Feedback]:
        """What they say about ours."""

    @property
    def position(self) -> Position:
        """Where the mailbox was read to."""

    @property
    def more(self) -> bool:
        """Whether there are others behind them."""


class Mailboxes(Protocol):
    """The mailboxes of the settings."""

    async def read(self, name: str, after: Position, now: datetime) -> Batch:
        """The next mails."""


class News(Protocol):
    """Where feedback is kept."""

    async def record(self, news: Sequence[Feedback]) -> None:
        """Return when it is committed. Safe to repeat."""


class Answers(Protocol):
    """What is answered by itself."""

    async def ask(self, news: Sequence[Feedback]) -> None:
        """Keep which of these are to be answered. Safe to repeat."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A mailbox of the settings, and how far it has been read."""

    mailbox: str
    position: Position = Position()  # noqa: RUF009  # it is frozen


@dataclass(frozen=True, slots=True)
class Read:
    """How far it has been read now. news: how many mails were about ours. more: there are others behind them."""

    position: Position
    news: int
    more: bool


class MailboxActivities:
    """Keeps what it read before it says how far it came: a second attempt reads the same again, and changes nothing."""

    def __init__(self, mailboxes: Mailboxes, news: News, answers: Answers) -> None:
        self._mailboxes = mailboxes
        self._news = news
        self._answers = answers

    @activity.defn
    async def read_mailbox(self, reading: Reading) -> Read:
        """Keep what the next mails say."""
        batch = await self._mailboxes.read(reading.mailbox, reading.position, ActivityClock().now())
        await self._news.record(batch.news)
        await self._answers.ask(batch.news)
        return Read(batch.position, len(batch.news), batch.more)
