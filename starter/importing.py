"""Importing records: from a file, or from a source that the settings name."""

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

from serienmail.domain.contact import CONTACTS
from serienmail.domain.errors import AlreadyExists, InvalidOrder, NotFound
from serienmail.settings import Source
from serienmail.storage.contact_file import ImportReport, import_contacts
from serienmail.storage.source_query import write_query
from starter.on_record import on_record
from starter.services import Services


async def import_from(
    services: Services,
    origin: Path | str,
    mapping: Path | None = None,
    module: str = CONTACTS,
    work_list: str | None = None,
    *,
    by: str,
) -> ImportReport:
    """Save the records of a file, or of the source of this name, whose module is then its own.

    work_list: the list that they are put on, which is made if need be. by: whose command it is.
    """
    if isinstance(origin, Path):
        return await _import(services, origin, mapping, module, work_list, by)
    source = _source(services, origin)
    with tempfile.TemporaryDirectory(prefix="serienmail-source") as folder:
        file = Path(folder) / "source.csv"
        await write_query(source.url, source.query, source.parameters, file)
        return await _import(services, file, mapping or source.mapping, source.module, work_list, by)


async def _import(
    services: Services, file: Path, mapping: Path | None, module: str, work_list: str | None, by: str
) -> ImportReport:
    async with on_record(services, "import", by, f"records of {module}") as noted:

        def came(rows: int) -> None:
            noted.after["rows"] = rows  # those are there, should it fail later

        saved = await _onto(services, work_list, module) if work_list else None
        report = await import_contacts(services.contacts, file, mapping, came, module=module, saved=saved)
        noted.after = {"rows": report.rows, "added": report.added, "changed": report.changed, "bad": len(report.bad)}
    return report


async def _onto(services: Services, name: str, module: str) -> Callable[[Sequence[str]], Awaitable[None]]:
    """What puts records on a list, which is made if need be."""
    try:
        await services.lists.create(name, module)
    except AlreadyExists:
        if (there := await services.lists.module(name)) != module:
            raise InvalidOrder(
                f"The work list '{name}' is of the module '{there}', the records of '{module}'; choose another list."
            ) from None

    async def put_on_list(keys: Sequence[str]) -> None:
        await services.lists.add_keys(name, keys, module)

    return put_on_list


def _source(services: Services, name: str) -> Source:
    sources = services.settings.sources
    if name not in sources:
        nearest = get_close_matches(name, sources, n=1) or sorted(sources) or ["none yet"]
        raise NotFound(f"There is no source '{name}' in the settings; there is: {', '.join(nearest)}.")
    return sources[name]
