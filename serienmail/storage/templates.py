"""The template library: revisions are added, never changed; revision 0 is a draft."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from serienmail.domain.enclosure import Enclosures
from serienmail.domain.errors import NotFound
from serienmail.domain.sender import Sender
from serienmail.domain.template import DRAFT, Template, TemplateRef
from serienmail.storage.database import Database
from serienmail.storage.tables import template

_ENCLOSURES, _SENDER = TypeAdapter(Enclosures), TypeAdapter(Sender)


class TemplateStore:
    """Templates by name and revision (from 1)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: Template, now: datetime) -> TemplateRef:
        """Save it as the next revision of its name; the same content as the newest keeps that one."""
        newest = select(template).where(template.c.name == new.name, template.c.revision != DRAFT)
        try:
            async with self._database.write() as connection:
                row = (await connection.execute(newest.order_by(template.c.revision.desc()).limit(1))).first()
                if row is not None and _content(_template(row)) == _content(new):
                    return TemplateRef(new.name, row.revision)
                ref = TemplateRef(new.name, row.revision + 1 if row else 1)
                values = {**_content(new), "name": ref.name, "revision": ref.revision, "created_at": now}
                await connection.execute(insert(template).values(values))
        except IntegrityError:
            return await self.add(new, now)  # two at once took the same revision
        return ref

    async def keep_draft(self, draft: Template, now: datetime) -> TemplateRef:
        """Save it as its name's draft, in place of the one before."""
        values = {**_content(draft), "name": draft.name, "revision": DRAFT, "created_at": now}
        async with self._database.write() as connection:
            await connection.execute(_draft_of(draft.name))
            await connection.execute(insert(template).values(values))
        return TemplateRef(draft.name, DRAFT)

    async def publish(self, name: str, now: datetime) -> TemplateRef:
        """Make a name's draft its next revision; NotFound if it has none."""
        ref = await self.add(await self.get(TemplateRef(name, DRAFT)), now)
        async with self._database.write() as connection:
            await connection.execute(_draft_of(name))
        return ref

    async def newest(self, name: str) -> TemplateRef:
        """The newest revision of a name, or of ``name@revision`` that very one; NotFound if there is none."""
        if "@" in name:
            return (await self.get(TemplateRef.parse(name))).ref
        async with self._database.read() as connection:
            query = select(func.max(template.c.revision)).where(template.c.name == name)
            revision = (await connection.execute(query)).scalar_one()
        if not revision:
            raise NotFound(f"There is no template '{name}'; add it with 'serienmail template add'.")
        return TemplateRef(name, revision)

    async def get(self, ref: TemplateRef) -> Template:
        """One revision; NotFound if there is none."""
        query = select(template).where(template.c.name == ref.name, template.c.revision == ref.revision)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            if not ref.is_draft:
                await self.newest(ref.name)  # which says so if there is none of this name
            what = f"draft of '{ref.name}'" if ref.is_draft else f"template '{ref}'"
            raise NotFound(f"There is no {what}; add it with 'serienmail template add'.")
        return _template(row)

    async def names(self) -> list[TemplateRef]:
        """The newest revision of every template of the library, by name; name@0 for one that is a draft only."""
        query = select(template.c.name, func.max(template.c.revision)).group_by(template.c.name)
        async with self._database.read() as connection:
            refs = [TemplateRef(name, revision) for name, revision in await connection.execute(query)]
        return sorted((ref for ref in refs if not ref.is_of_one_mass_mail), key=str)


def _content(of: Template) -> dict[str, Any]:
    """What makes a revision."""
    return {
        "subject": of.subject,
        "text": of.text,
        "html": of.html,
        "enclosures": _ENCLOSURES.dump_python(of.enclosures, mode="json"),
        "sender": _SENDER.dump_python(of.sender, mode="json"),
    }


def _template(row: Row[Any]) -> Template:
    return Template(
        name=row.name,
        subject=row.subject,
        text=row.text,
        html=row.html,
        revision=row.revision,
        enclosures=_ENCLOSURES.validate_python(row.enclosures),
        sender=_SENDER.validate_python(row.sender),
    )


def _draft_of(name: str) -> Any:
    return delete(template).where(template.c.name == name, template.c.revision == DRAFT)
