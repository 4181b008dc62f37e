"""A template: what every mail of a stage says, with placeholders for what differs."""

from dataclasses import dataclass

from serienmail.domain.errors import InvalidOrder


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


@dataclass(frozen=True, slots=True)
class Template:
    """Subject and at least one body, in Jinja2. Contact fields are ``contact.<field>``.

    Besides, ``salutation`` and ``unsubscribe_url`` can be used.
    """

    name: str
    subject: str
    text: str = ""
    html: str = ""
    revision: int = 0

    @property
    def ref(self) -> TemplateRef:
        """How orders name it."""
        return TemplateRef(self.name, self.revision)
