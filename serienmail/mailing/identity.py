"""Who mails can be from, and what all mails of an installation obey."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Identity(BaseModel):
    """An address as people see it, with the signature under its mails."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    name: str = ""
    signature_text: str = ""
    signature_html: str = ""


class MailSettings(BaseModel):
    """What holds for every mail.

    people: employees by their user id, which is also what contacts call their owner. max_message_bytes: of a whole
    encoded mail; max_image_bytes: of an inline image. personal_files: the folder of files for single recipients.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: dict[str, Identity] = Field(default_factory=dict)
    max_message_bytes: int = Field(default=10_485_760, ge=1)
    max_image_bytes: int = Field(default=262_144, ge=1)
    personal_files: Path | None = None
