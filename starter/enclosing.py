"""Files that templates and orders enclose, as people name them: read, checked and stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from serienmail.domain.contact import CONTACTS
from serienmail.domain.enclosure import Enclosed, Enclosures, check_file_name, check_pattern, check_sizes
from serienmail.domain.errors import InvalidOrder
from serienmail.mailing.letter import content_type
from starter.services import Services
from starter.toml_file import Table

KEYS = ("attachments", "images", "personal_attachments")


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """What goes along, and the contents of the files by their id."""

    enclosures: Enclosures
    contents: Mapping[str, bytes]

    async def content(self, file_id: str) -> bytes:
        """One file's content, as if it were stored."""
        return self.contents[file_id]

    async def store(self, services: Services, module: str = CONTACTS) -> None:
        """Keep the contents; InvalidOrder, and nothing is kept, if they are larger than mails may be.

        module: whose fields the paths of personal files may name.
        """
        limits = services.settings.mail
        check_sizes(self.enclosures.files, max_message=limits.max_message_bytes, max_image=limits.max_image_bytes)
        for pattern in self.enclosures.personal:
            check_pattern(pattern, await services.contacts.fields(module))
        for content in self.contents.values():
            await services.files.save(content)


def read_files(table: Table, folder: Path) -> ReadFiles | None:
    """The files a table names, relative to its folder; None if it names none of KEYS. InvalidOrder for a bad one."""
    attachments, images = table.texts("attachments"), table.pairs("images")
    personal = table.texts("personal_attachments")
    if attachments is None and images is None and personal is None:
        return None
    contents: dict[str, bytes] = {}
    files = [_enclosed(folder / name, "", contents) for name in attachments or ()]
    files += [_enclosed(folder / name, content_id, contents) for content_id, name in (images or {}).items()]
    return ReadFiles(Enclosures(tuple(files), tuple(personal or ())), contents)


def _enclosed(path: Path, content_id: str, contents: dict[str, bytes]) -> Enclosed:
    kind = content_type(check_file_name(path.name))
    if content_id and not kind.startswith("image/"):
        raise InvalidOrder(f"The image '{content_id}' is no image by its file's name; name a .png, .jpg or .gif file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidOrder(f"The file {path} can't be opened ({error.strerror}); check its name.") from None
    file_id = sha256(content).hexdigest()
    contents[file_id] = content
    return Enclosed(file_id, path.name, kind, len(content), content_id)
