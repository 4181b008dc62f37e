"""A template: what every mail of a stage says, with placeholders for what differs."""

from dataclasses import dataclass, field
from typing import Final

from serienmail.domain.enclosure import Enclosures
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.sender import Sender

DRAFT: Final = 0
"""The revision that can be changed, and can't be sent."""
LONGEST_NAME = 100
_VERSION = "~"


@dataclass(frozen=True, slots=True)
class TemplateRef:
    """A template's immutable revision, written ``name@revision``."""

    name: str
    revision: int

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}"

    @classmethod
    def parse(cls, text: str) -> "TemplateRef":
        """Read ``name@revision``; InvalidOrder if it isn't one."""
        name, _, revision = text.partition("@")
        if not name or not revision.isdecimal() or len(revision) > 9:
            raise InvalidOrder(f"'{text}' names no template revision; write it as name@revision, e.g. autumn@1.")
        return cls(name, int(revision))

    @property
    def is_draft(self) -> bool:
        """Whether it is the revision that still changes."""
        return self.revision == DRAFT

    def version_for(self, mass_mail_id: str) -> str:
        """The name of the version that one mass mail has for itself; the library doesn't list it."""
        return f"{self.name.partition(_VERSION)[0]}{_VERSION}{mass_mail_id}"

    @property
    def is_of_one_mass_mail(self) -> bool:
        """Whether it was changed for one mass mail."""
        return _VERSION in self.name


def check_name(name: str) -> str:
    """The name; InvalidOrder if no template can be called so."""
    if not name.strip() or "@" in name or _VERSION in name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise InvalidOrder(
            f"A template's name is one line without '@' and '~', {LONGEST_NAME} characters at most; choose another."
        )
    return name


@dataclass(frozen=True, slots=True)
class Template:
    """Subject and at least one body, in Jinja2. Contact fields are ``contact.<field>``.

    Besides, ``salutation``, ``unsubscribe_url`` and ``signature`` can be used.
    """

    name: str
    subject: str
    text: str = ""
    html: str = ""
    revision: int = DRAFT
    enclosures: Enclosures = field(default_factory=Enclosures)
    sender: Sender = field(default_factory=Sender)

    @property
    def ref(self) -> TemplateRef:
        """How orders name it."""
        return TemplateRef(self.name, self.revision)
