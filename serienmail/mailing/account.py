"""A sending account: the mail server, how to log in, and who the mails are from."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from serienmail.domain.address import address_key
from serienmail.domain.local_time import exists
from serienmail.domain.sending_limits import SendingLimits
from serienmail.mailing.dkim import DkimKey
from serienmail.mailing.identity import Identity


class Limited(BaseModel):
    """Settings that limit how much goes out; as in ``SendingLimits``."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    connections: int | None = Field(default=None, ge=1)
    mails_per_connection: int | None = Field(default=None, ge=1)
    per_second: int | None = Field(default=None, ge=1)
    per_minute: int | None = Field(default=None, ge=1)
    per_hour: int | None = Field(default=None, ge=1)
    per_day: int | None = Field(default=None, ge=1)
    block: int | None = Field(default=None, ge=1)
    pause_minutes: int | None = Field(default=None, ge=1)

    @property
    def limits(self) -> SendingLimits:
        """For all workers together."""
        return SendingLimits(**{each.name: getattr(self, each.name) for each in fields(SendingLimits)})

    @model_validator(mode="after")
    def _pauses_after_blocks(self) -> Self:
        if (self.block is None) != (self.pause_minutes is None):
            raise ValueError("block and pause_minutes belong together")
        return self


class Account(Limited):
    """One account of the settings; its name is the key it stands under there.

    tls: ``starttls`` and ``implicit`` check the server's certificate; ``none`` is for servers on this machine.
    permitted: addresses and domains that may stand in From and Reply-To besides its own. signature: under its mails.
    dkim: the keys that mails are signed with, for several domains or of both kinds; none if the mail server signs.
    reference_header: for a provider that replaces Message-IDs and envelopes: a header with ``{token}`` in it, that its
    webhooks bring back.
    bounce_domain: whose mail comes to the bounce listener; None: bounces go to from_address.
    chunking: take it where the server offers it (RFC 3030): a mail goes out in one write and waits once for the server.
    Administrators can change its limits while mails go out.
    time_zone: of recipients who have none; empty: they get their mail at the time given.
    relay_log: where the log of this server can be read, if it is a Postfix that mails go to directly; it decides mails
    in doubt.
    """

    host: str
    port: int = 25
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["none", "starttls", "implicit"] = "none"
    from_address: str
    from_name: str = ""
    reply_to: str | None = None
    permitted: tuple[str, ...] = ()
    signature_text: str = ""
    signature_html: str = ""
    bounce_domain: str | None = None
    reference_header: str | None = None
    dkim: tuple[DkimKey, ...] = ()
    connections: int | None = Field(default=10, ge=1)
    mails_per_connection: int | None = Field(default=100, ge=1)
    chunking: bool = True
    time_zone: str = ""
    relay_log: Path | None = None

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, zone: str) -> str:
        if zone and not exists(zone):
            raise ValueError("must be a time zone such as 'Europe/Berlin'")
        return zone

    @field_validator("bounce_domain")
    @classmethod
    def _is_a_domain(cls, domain: str | None) -> str | None:
        """As A-labels, for envelopes."""
        if domain is None:
            return None
        key = address_key(f"b@{domain}")
        if key is None:
            raise ValueError("must be a domain such as 'bounce.example.org'")
        return key.removeprefix("b@")

    @field_validator("reference_header")
    @classmethod
    def _is_a_header(cls, header: str | None) -> str | None:
        if header is not None and not re.fullmatch(r"X-[A-Za-z-]{1,60}: [ -~]{0,100}\{token\}[ -~]{0,100}", header):
            raise ValueError("must be a header such as 'X-Reference: {token}'")
        return header

    @model_validator(mode="after")
    def _signs_its_own_mails(self) -> Self:
        domain = (address_key(self.from_address) or "").rpartition("@")[2]
        if self.dkim and not any(key.signs_for(domain) for key in self.dkim):
            raise ValueError("none of its DKIM keys is for the domain of from_address, so nothing would be signed")
        return self

    @property
    def identity(self) -> Identity:
        """The company, as this account writes for it."""
        return Identity(
            address=self.from_address,
            name=self.from_name,
            signature_text=self.signature_text,
            signature_html=self.signature_html,
        )
