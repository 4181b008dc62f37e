"""The suppression list as a CSV file: address, topic, reason, since, source."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from serienmail.domain.address import address_key
from serienmail.domain.errors import ImportFailed
from serienmail.domain.suppression import Suppression, SuppressionReason, is_hash
from serienmail.storage.csv_file import CsvFile
from serienmail.storage.records import BadRow

COLUMNS = ("address", "topic", "reason", "since", "source")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet would calculate; apostrophes too, so that reading undoes what writing did."""


def write_suppressions(path: Path, entries: Iterable[Suppression]) -> None:
    """Write the list, in UTF-8; what would be a formula in a spreadsheet gets an apostrophe in front."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for entry in entries:
            cells = (entry.address_key, entry.topic, entry.reason, entry.since.isoformat(), entry.source)
            writer.writerow([_neutralised(cell) for cell in cells])


def read_suppressions(path: Path, now: datetime) -> Iterator[Suppression | BadRow]:
    """Each line as an entry, or why it is none. Only the address is needed; no reason is ``by_hand``, no time is now.

    ImportFailed if it is no CSV file with the heading ``address``.
    """
    file = CsvFile.open(path)
    headings = [heading.casefold() for heading in file.headings]
    if unknown := sorted(set(headings) - set(COLUMNS)):
        raise ImportFailed(f"the column '{unknown[0]}' means nothing here; name the columns {', '.join(COLUMNS)}.")
    if "address" not in headings:
        raise ImportFailed("no column is called 'address'; name the one with the mail addresses so.")
    for found in file.rows():
        if isinstance(found, BadRow):
            yield found
        elif len(found[1]) != len(headings):
            yield BadRow(found[0], f"{len(found[1])} fields, expected {len(headings)} as in the headings")
        else:
            line, row = found
            cells = {name: _as_written(cell) for name, cell in zip(headings, row, strict=True)}
            yield _entry(line, cells, path.name, now)


def _entry(line: int, cells: Mapping[str, str], file: str, now: datetime) -> Suppression | BadRow:
    key = cells["address"] if is_hash(cells["address"]) else address_key(cells["address"])
    if key is None:
        return BadRow(line, "expected a mail address")
    reason, since = cells.get("reason") or SuppressionReason.BY_HAND, now
    if reason not in list(SuppressionReason):
        return BadRow(line, f"expected as reason one of {', '.join(SuppressionReason)}")
    if cells.get("since"):
        try:
            since = datetime.fromisoformat(cells["since"])
        except ValueError:
            return BadRow(line, "expected as time one such as 2026-03-02T12:00+01:00")
        if since.tzinfo is None:
            return BadRow(line, "expected a time with its offset, such as 2026-03-02T12:00+01:00")
    return Suppression(
        address_key=key,
        topic=cells.get("topic", ""),
        reason=SuppressionReason(reason),
        since=since,
        source=cells.get("source") or file,
    )


def _neutralised(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _as_written(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
