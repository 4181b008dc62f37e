"""Importing records: from a file, or from a source that the settings name."""

import tempfile
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from serienmail.domain.contact import CONTACTS
from serienmail.domain.errors import AlreadyExists, InvalidOrder, NotFound
from serienmail.settings import Source
from serienmail.storage.contact_file import ImportReport, import_contacts
from serienmail.storage.source_query import write_query
from starter.services import Services


async def import_from(
    services: Services,
    origin: Path | str,
    mapping: Path | None = None,
    module: str = CONTACTS,
    work_list: str | None = None,
) -> ImportReport:
    """Save the records of a file, or of the source of this name, whose module is then its own.

    work_list: the list that they are put on, which is made if need be.
    """
    if isinstance(origin, Path):
        return await _import(services, origin, mapping, module, work_list)
    source = _source(services, origin)
    with tempfile.TemporaryDirectory(prefix="serienmail-source") as folder:
        file = Path(folder) / "source.csv"
        await write_query(source.url, source.query, source.parameters, file)
        return await _import(services, file, mapping or source.mapping, source.module, work_list)


async def _import(
    services: Services, file: Path, mapping: Path | None, module: str, work_list: str | None
) -> ImportReport:
    if work_list is None:
        return await import_contacts(services.contacts, file, mapping, module=module)
    name = work_list
    try:
        await services.lists.create(name, module)
    except AlreadyExists:
        if (there := await services.lists.module(name)) != module:
            raise InvalidOrder(
                f"The work list '{name}' is of the module '{there}', the records of '{module}'; choose another list."
            ) from None

    async def put_on_list(keys: Sequence[str]) -> None:
        await services.lists.add_keys(name, keys, module)

    return await import_contacts(services.contacts, file, mapping, module=module, saved=put_on_list)


def _source(services: Services, name: str) -> Source:
    sources = services.settings.sources
    if name not in sources:
        nearest = get_close_matches(name, sources, n=1) or sorted(sources) or ["none yet"]
        raise NotFound(f"There is no source '{name}' in the settings; there is: {', '.join(nearest)}.")
    return sources[name]
