"""The template library: saving, publishing and copying templates. Needs the database only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from serienmail.domain.errors import NotFound
from serienmail.domain.template import TemplateRef, check_name
from starter.on_record import on_record
from starter.services import Services
from starter.template_file import TemplateFile


class Library:
    """Commands to templates. by: whose command it is; CommandRefused if that user may only look."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._templates = services.templates

    async def save(self, read: TemplateFile, by: str) -> TemplateRef:
        """Save a template as the next revision of its name."""
        async with self._on_record("save", read.template.name, by):
            return await self._templates.add(await read.store_files(self._services), datetime.now(UTC))

    async def save_draft(self, read: TemplateFile, by: str) -> TemplateRef:
        """Save a template as its name's draft, which can't be sent yet."""
        async with on_record(self._services, "save_draft", by, f"template {read.template.name}") as noted:
            ref = await self._templates.keep_draft(await read.store_files(self._services), datetime.now(UTC))
            noted.after["revision"] = ref.revision
        return ref

    async def publish(self, name: str, by: str) -> TemplateRef:
        """Make a template's draft its next revision; NotFound if it has none."""
        async with self._on_record("publish", name, by):
            return await self._templates.publish(name, datetime.now(UTC))

    async def save_as(self, name: str, new_name: str, by: str) -> TemplateRef:
        """Save a template, ``name`` or ``name@revision``, under another name."""
        async with self._on_record("save", check_name(new_name), by):
            found = await self._templates.get(await self._templates.newest(name))
            return await self._templates.add(replace(found, name=new_name), datetime.now(UTC))

    @asynccontextmanager
    async def _on_record(self, act: str, name: str, by: str) -> AsyncIterator[None]:
        """A name's newest revision before and after; 0: it has none."""
        async with on_record(self._services, act, by, f"template {name}") as noted:
            noted.before["revision"] = await self._newest(name)
            yield
            noted.after["revision"] = await self._newest(name)

    async def _newest(self, name: str) -> int:
        try:
            return (await self._templates.newest(name)).revision
        except NotFound:
            return 0
