"""The template library: revisions are added, never changed."""

from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from serienmail.domain.errors import NotFound
from serienmail.domain.template import Template, TemplateRef
from serienmail.storage.database import Database
from serienmail.storage.tables import template


class TemplateStore:
    """Templates by name and revision (from 1)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: Template, now: datetime) -> TemplateRef:
        """Save it as the next revision of its name; the same content as the newest keeps that one."""
        newest = select(template).where(template.c.name == new.name).order_by(template.c.revision.desc()).limit(1)
        try:
            async with self._database.write() as connection:
                row = (await connection.execute(newest)).first()
                if row is not None and (row.subject, row.text, row.html) == (new.subject, new.text, new.html):
                    return TemplateRef(new.name, row.revision)
                ref = TemplateRef(new.name, row.revision + 1 if row else 1)
                values = {"subject": new.subject, "text": new.text, "html": new.html, "created_at": now}
                await connection.execute(insert(template).values(name=ref.name, revision=ref.revision, **values))
        except IntegrityError:
            return await self.add(new, now)  # two at once took the same revision
        return ref

    async def newest(self, name: str) -> TemplateRef:
        """The newest revision of a name, or of ``name@revision`` that very one; NotFound if there is none."""
        if "@" in name:
            return (await self.get(TemplateRef.parse(name))).ref
        async with self._database.read() as connection:
            query = select(func.max(template.c.revision)).where(template.c.name == name)
            revision = (await connection.execute(query)).scalar_one()
        if revision is None:
            raise NotFound(f"There is no template '{name}'; add it with 'serienmail template add'.")
        return TemplateRef(name, revision)

    async def get(self, ref: TemplateRef) -> Template:
        """One revision; NotFound if there is none."""
        query = select(template).where(template.c.name == ref.name, template.c.revision == ref.revision)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise NotFound(f"There is no template '{ref}'; add it with 'serienmail template add'.")
        return Template(row.name, row.subject, row.text, row.html, row.revision)

    async def names(self) -> list[TemplateRef]:
        """The newest revision of every template, by name."""
        query = select(template.c.name, func.max(template.c.revision)).group_by(template.c.name)
        async with self._database.read() as connection:
            return sorted((TemplateRef(name, revision) for name, revision in await connection.execute(query)), key=str)
