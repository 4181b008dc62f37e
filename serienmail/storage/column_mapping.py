"""Which column of a contact file becomes which field: by a TOML file, else by the usual German and English headings."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import chain, count
from pathlib import Path
from typing import Any

from serienmail.domain.contact import BUILT_IN_FIELDS, LONGEST_NAME, FieldType, attribute_name, is_attribute_name
from serienmail.domain.errors import ImportFailed

_USUAL_HEADINGS = {  # as attribute_name writes them
    "key": "key id nr nummer number kontakt_nr kontaktnr kontaktnummer kontakt_id contact_id contact_no contact_number"
    " kunden_nr kundennr kundennummer kunden_id customer_id customer_no customer_number",
    "salutation": "salutation anrede form_of_address",
    "title": "title titel akademischer_titel academic_title",
    "first_name": "first_name firstname vorname given_name",
    "last_name": "last_name lastname nachname name familienname surname family_name",
    "company": "company firma firmenname unternehmen organisation organization company_name",
    "email": "email e_mail mail e_mail_adresse email_adresse mailadresse e_mail_address email_address",
    "postcode": "postcode plz postleitzahl postal_code zip zip_code zipcode",
    "city": "city ort stadt wohnort town",
    "language": "language sprache korrespondenzsprache",
    "owner": "owner betreuer betreuerin zustaendig account_manager",
    "time_zone": "time_zone timezone zeitzone",
    "opt_in": "opt_in optin serienmail_zusenden serien_e_mail_zusenden massenmail_zusenden newsletter send_mass_mail",
    "tracking": "tracking tracking_erlaubt tracking_allowed tracking_consent",
}
_FIELD_OF = {heading: name for name, headings in _USUAL_HEADINGS.items() for heading in headings.split()}


@dataclass(frozen=True, slots=True)
class Target:
    """The field that a column fills. type: None if the values have to tell. place: among several columns of addresses,
    the preferred one first.
    """

    name: str
    heading: str
    type: FieldType | None = None
    place: int = 0

    @property
    def is_built_in(self) -> bool:
        """Whether every contact has this field."""
        return self.name in BUILT_IN_FIELDS


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What somebody said about columns, by heading; all others are recognised, or become free attributes."""

    targets: Mapping[str, Target] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "ColumnMapping":
        """Read a mapping file (examples/kontakte.toml); ImportFailed if it isn't one."""
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ImportFailed(f"the mapping file can't be opened ({error.strerror}); check its name.") from error
        except ValueError as error:  # of TOML and of UTF-8
            raise ImportFailed(f"the mapping file is no TOML; correct it: {error}.") from error
        targets = [target for name, entry in _entries(document) for target in _targets(name, entry)]
        refuse_doubles("the mapping assigns", [target.heading for target in targets])
        return cls({target.heading: target for target in targets})

    def assign(self, headings: Sequence[str]) -> list[Target]:
        """The target of each column, in order; ImportFailed if that can't be told."""
        for heading in self.targets:
            if heading not in headings:
                nearest = get_close_matches(heading, headings, n=1) or [", ".join(headings)]
                raise ImportFailed(f"the file has no column '{heading}'; the nearest is: {nearest[0]}.")
        taken = {target.name for target in self.targets.values()}
        targets = [self.targets.get(heading) or _recognised(heading, taken) for heading in headings]
        if "key" not in taken:
            raise ImportFailed(
                "no column is known as the contacts' key; name it in a mapping file, under [fields]: key = \"heading\"."
            )
        return targets


def _entries(document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    if unknown := sorted(document.keys() - {"fields", "attributes"}):
        raise ImportFailed(f"the mapping file has a part '{unknown[0]}'; it can have [fields] and [attributes] only.")
    fields, attributes = document.get("fields", {}), document.get("attributes", {})
    if not isinstance(fields, dict) or not isinstance(attributes, dict):
        raise ImportFailed("[fields] and [attributes] of the mapping file must be tables; write name = \"heading\".")
    for name in fields:
        if name not in BUILT_IN_FIELDS:
            nearest = get_close_matches(name, BUILT_IN_FIELDS, n=1) or [", ".join(BUILT_IN_FIELDS)]
            raise ImportFailed(f"there is no field '{name}' for [fields]; the nearest is: {nearest[0]}.")
    for name in attributes:
        if not is_attribute_name(name):
            raise ImportFailed(
                f"an attribute can't be named '{name}'; use small letters a-z, digits and _, and no field's name."
            )
    return [*fields.items(), *attributes.items()]


def _targets(name: str, entry: object) -> list[Target]:
    """One column; of addresses several, in the order in which they are preferred."""
    match entry:
        case [_, *_] if name == "email":
            return [replace(_target(name, heading), place=place) for place, heading in enumerate(entry)]
        case _:
            return [_target(name, entry)]


def _target(name: str, entry: object) -> Target:
    match entry:
        case str(heading):
            return Target(name, heading, BUILT_IN_FIELDS.get(name))
        case {"column": str(heading), "type": str(kind), **rest} if (
            not rest and name not in BUILT_IN_FIELDS and kind in list(FieldType)
        ):
            return Target(name, heading, FieldType(kind))
        case _:
            raise ImportFailed(
                f"the mapping of '{name}' can't be read; write \"heading\", or for an attribute"
                f' {{column = "heading", type = "{"|".join(FieldType)}"}}.'
            )


def _recognised(heading: str, taken: set[str]) -> Target:
    """A target for a heading that nobody mapped, under a name that isn't taken yet; takes it."""
    name = attribute_name(heading)[: LONGEST_NAME - 6].rstrip("_")  # a number may come behind it
    if (usual := _FIELD_OF.get(name)) and usual not in taken:
        taken.add(usual)
        return Target(usual, heading, BUILT_IN_FIELDS[usual])
    if not name:
        raise ImportFailed(f"the heading '{heading}' makes no name; map it under [attributes], or rename the column.")
    names = chain([name], (f"{name}_{number}" for number in count(2)))
    free = next(name for name in names if name not in taken and name not in BUILT_IN_FIELDS)
    taken.add(free)
    return Target(free, heading)


def refuse_doubles(what: str, headings: Sequence[str]) -> None:
    """ImportFailed if a heading occurs twice."""
    heading, times = Counter(headings).most_common(1)[0] if headings else ("", 0)
    if times > 1:
        raise ImportFailed(f"{what} '{heading}' {times} times; each column needs a heading of its own.")
