"""The statistics of mass mails as the ledger is now, and who is behind each number."""

from serienmail.domain.breakdown import Breakdown
from serienmail.domain.delivery import Counts
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.provider import Providers
from serienmail.domain.statistics import Number, Statistics, statistics
from serienmail.storage.breakdowns import BreakdownStore
from serienmail.storage.counting import count_stages
from serienmail.storage.database import Database
from serienmail.storage.deliveries import DeliveryList, Page
from serienmail.storage.mass_mails import MassMailStore


class StatisticsStore:
    """Reads; never writes. NotFound if there is no such mass mail."""

    def __init__(self, database: Database, providers: Providers) -> None:
        self._database = database
        self._breakdowns = BreakdownStore(database, providers)
        self._mass_mails = MassMailStore(database)
        self._deliveries = DeliveryList(database)

    async def of(self, mass_mail_id: str) -> Statistics:
        """All numbers of a mass mail and its follow-ups, at one moment."""
        order = (await self._mass_mails.get(mass_mail_id)).order
        async with self._database.read() as connection:
            counted = await count_stages(connection, mass_mail_id)
        stages = {stage: counted.get(stage, Counts()) for stage in range(len(order.follow_ups) + 1)}
        return statistics(mass_mail_id, order.name, stages)

    async def behind(
        self,
        mass_mail_id: str,
        number: Number,
        *,
        stage: int | None = None,
        exclusion: Exclusion | None = None,
        after: str = "",
        limit: int = 100,
    ) -> Page:
        """One page of those whom a number counts, as ``DeliveryList.behind`` has it."""
        await self._mass_mails.get(mass_mail_id)
        return await self._deliveries.behind(mass_mail_id, number, stage, exclusion, after, limit)

    async def breakdown(self, mass_mail_id: str, stage: int | None = None) -> Breakdown:
        """The numbers by domain, provider, hour and link, and machines apart; of one stage, or all together.

        It reads all rows, a second or two for a million.
        """
        await self._mass_mails.get(mass_mail_id)
        return await self._breakdowns.of(mass_mail_id, stage)
