"""Stored selections and saved filters, when a person is erased who is named in them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.contact import BUILT_IN_FIELDS, CONTACTS, FieldType
from serienmail.domain.criteria import Comparison, Operator
from serienmail.domain.erasure import Compared, Traces, compared_texts, forgotten
from serienmail.domain.filters import Vocabulary
from serienmail.storage.criteria import condition
from serienmail.storage.selection_tables import saved_filter, selection
from serienmail.storage.tables import contact, contact_field

_NAMES = ("first_name", "last_name", "company", "email")
_PARTS = (Operator.CONTAINS, Operator.STARTS_WITH)


async def erase_criteria(connection: AsyncConnection, addresses: Sequence[str], people: Sequence[Row[Any]]) -> int:
    """Take a person's addresses, keys and names out of every criterion; how many selections and filters changed.

    A name goes only if nobody else is called so any more; that is seen once the person's contacts are deleted. The
    ids of selections and the names of filters stay: orders and people know them by these.
    """
    changed, texts = 0, await _texts(connection, people)
    for table, primary in ((selection, selection.c.id), (saved_filter, saved_filter.c.name)):
        for row in (await connection.execute(select(table))).all():
            module = _module(table, row)
            keys = {person.key for person in people if person.module == module}
            traces = Traces(addresses, keys, texts)
            theirs = [
                compared
                for compared in compared_texts(row.definition)
                if traces.identify(compared)
                or (traces.resemble(compared) and not await _is_borne(connection, module, compared))
            ]
            if theirs:
                changed += 1
                definition = forgotten(row.definition, theirs)
                await connection.execute(update(table).where(primary == row[0]).values(definition=definition))
    return changed


def _module(table: Table, row: Row[Any]) -> str:
    return str(row.module if table is saved_filter else row.definition.get("module", CONTACTS))


async def _texts(connection: AsyncConnection, people: Sequence[Row[Any]]) -> Mapping[str, set[str]]:
    """What they are called, also in free attributes; in each module the same."""
    learnt = select(contact_field.c.name).where(contact_field.c.type == FieldType.TEXT).distinct()
    free = (await connection.execute(learnt)).scalars().all()
    texts = defaultdict[str, set[str]](set)
    for person in people:
        for name in _NAMES:
            texts[name].add(getattr(person, name))
        for name in free:
            texts[name].add(person.attributes.get(name) or "")
    return {name: values - {""} for name, values in texts.items()}


async def _is_borne(connection: AsyncConnection, module: str, compared: Compared) -> bool:
    """Whether a record that there is still has this name, or this part in it."""
    operator = compared.operator if compared.operator in _PARTS else Operator.EQ
    asked = Comparison(compared.field, Operator(operator), compared.text)
    words = Vocabulary({**BUILT_IN_FIELDS, compared.field: FieldType.TEXT}, module)
    found = select(contact.c.id).where(condition(asked, words)).limit(1)
    return (await connection.execute(found)).first() is not None
