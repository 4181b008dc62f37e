"""Where measured links lead: an id for each target of a template revision, which never changes."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from serienmail.domain.template import TemplateRef
from serienmail.storage.database import Database
from serienmail.storage.tables import measured_link


class MeasuredLinkStore:
    """Targets by id. Those read once are remembered: they can be found while the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._known: dict[int, str] = {}

    async def ids(self, template: TemplateRef, urls: Sequence[str]) -> Mapping[str, int]:
        """An id for each target in this revision, the same each time."""
        if not urls:
            return {}
        rows = [{"template": str(template), "url": url} for url in urls]
        found = select(measured_link.c.url, measured_link.c.id).where(measured_link.c.template == str(template))
        async with self._database.write() as connection:
            await connection.execute(self._insert(measured_link).on_conflict_do_nothing(), rows)
            ids = {row.url: row.id for row in await connection.execute(found)}
        return {url: ids[url] for url in urls}

    async def target(self, link: int) -> str | None:
        """Where a link leads; None if there is none of this id. Only one that isn't known yet asks the database."""
        if link not in self._known:
            newest = max(self._known, default=0)
            new = measured_link.c.id > newest if link > newest else measured_link.c.id == link
            async with self._database.read() as connection:
                rows = await connection.execute(select(measured_link.c.id, measured_link.c.url).where(new))
                self._known.update({row.id: row.url for row in rows})
        return self._known.get(link)
