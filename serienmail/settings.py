"""What an installation decides: where its database, its links and its mail accounts are."""

import os
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from serienmail.domain.contact import CONTACTS
from serienmail.domain.errors import EnvironmentFault
from serienmail.domain.limits import Limits
from serienmail.domain.provider import SEEDS, Provider, Providers
from serienmail.domain.rights import Role, Users
from serienmail.mailing.account import Account, Limited
from serienmail.mailing.hooks import Hook
from serienmail.mailing.identity import MailSettings
from serienmail.mailing.mailbox import Mailbox

WebhookProvider = Literal["ses", "sendgrid", "mailgun", "postmark", "brevo", "mailjet", "sparkpost"]
DEFAULT_FILE = "serienmail.toml"


def _database_url(url: str) -> str:
    if not url.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        raise ValueError("must begin with 'sqlite+aiosqlite:///' or 'postgresql+asyncpg://'")
    return url


def _web_base_url(url: str) -> str:
    """RFC 8058 3.1 wants HTTPS for one-click unsubscription; only one's own machine can do without."""
    parts = urlsplit(url)
    own_machine = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or parts.query or not (parts.scheme == "https" or (parts.scheme == "http" and own_machine)):
        raise ValueError("must be an https:// address such as 'https://mail.example.org'")
    return url.rstrip("/")


def _host_and_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("must be written as host:port, such as '127.0.0.1:9464'")
    return address


class Source(BaseModel):
    """A query on a company's own database, whose rows become records; nothing is ever written there.

    query: one SELECT; its columns are the headings of a file, one of them the records' key. parameters: by their name
    in the query, ``:since``. mapping: a file as for ``serienmail import``.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_database_url)] = Field(repr=False)
    query: str
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    module: str = CONTACTS
    mapping: Path | None = None


class ReceivingProvider(Limited):
    """domains: unless it is one that is known, whose domains stay as they are."""

    model_config = ConfigDict(extra="forbid")

    domains: tuple[str, ...] = ()

    def with_name(self, name: str) -> Provider:
        """As shaping sees it."""
        domains = self.domains or (SEEDS[name].domains if name in SEEDS else ())
        return Provider(domains=tuple(domain.lower() for domain in domains), limits=self.limits)


class Settings(BaseSettings):
    """From the environment (``SERIENMAIL_…``, nested with ``__``), then ``serienmail.toml``, then these defaults.

    Where Temporal is belongs to Temporal's own variables and profiles (temporalio.envconfig).
    """

    model_config = SettingsConfigDict(
        env_prefix="SERIENMAIL_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        default="sqlite+aiosqlite:///.serienmail/serienmail.db", repr=False
    )
    web_base_url: Annotated[str, AfterValidator(_web_base_url)] = "http://127.0.0.1:8080"
    temporal_ui: str = ""
    """The address of Temporal's UI for people, such as ``https://temporal.example.org``; empty: they can't open it."""
    link_key: SecretStr = Field(min_length=32)
    """Signs the links in mails. Whoever changes it breaks the links in all mails that are out."""
    api_key: SecretStr | None = Field(default=None, min_length=32)
    """What other systems send to read statistics and events over HTTP; None: they can't."""
    accounts: dict[str, Account] = Field(default_factory=dict)
    mail: MailSettings = Field(default_factory=MailSettings)
    providers: dict[str, ReceivingProvider] = Field(default_factory=dict)
    """Beside those that are known, or instead of them."""
    users: dict[str, Role] = Field(default_factory=dict)
    """Roles by user id; without any, everybody may send."""
    administrators: tuple[str, ...] = ()
    """User ids with the role ``administer``, whatever ``users`` says."""
    consent_link_days: int = Field(default=7, ge=1)
    """How long the link in a request for consent is good."""
    spool: Path = Path(".serienmail/spool")
    """The web process's own folder, for what it can't write to the database now."""
    machine_list: Path | None = None
    """Programs and networks that open mails without a person; None: the list that comes along."""
    mailboxes: dict[str, Mailbox] = Field(default_factory=dict)
    """Read over IMAP every two minutes: bounces, if nothing listens for them, and replies."""
    webhooks: dict[WebhookProvider, SecretStr] = Field(default_factory=dict)
    """By provider, what proves that a webhook is its: a key, ``user:password``, or for Amazon the topic's ARN."""
    hooks: dict[str, Hook] = Field(default_factory=dict)
    """Other systems that triggers may tell, by the name that orders give them."""
    soft_bounces: int = Field(default=3, ge=1)
    """As many mass mails must bounce softly at an address, within half a year, until it gets no more."""
    unmatched_days: int = Field(default=30, ge=1)
    """What comes back and matches no mail is kept so long; it may name people."""
    edit_lead_minutes: int = Field(default=15, ge=0)
    metrics_address: Annotated[str, AfterValidator(_host_and_port)] | None = None
    sources: dict[str, Source] = Field(default_factory=dict)
    limits: Limits = Field(default_factory=Limits)
    slice_size: int | None = Field(default=None, ge=1)
    """Recipients for each send activity; None: as the number of recipients suggests."""

    @property
    def rights(self) -> Users:
        """Who may do what."""
        return Users(self.users, self.administrators)

    @property
    def own_addresses(self) -> frozenset[str]:
        """Those that mails come from and answers go to."""
        senders = (address for each in self.accounts.values() for address in (each.from_address, each.reply_to))
        return frozenset(filter(None, (*senders, *(each.address for each in self.mailboxes.values()))))

    @property
    def known_providers(self) -> Providers:
        """Those of the settings and, unless they stand there too, the usual ones."""
        given = {name: provider.with_name(name) for name, provider in self.providers.items()}
        return Providers({**SEEDS, **given})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _file())


def load_settings() -> Settings:
    """The installation's settings; EnvironmentFault names the first one that can't be used, and never its value."""
    try:
        return Settings()
    except ValidationError as error:
        raise EnvironmentFault(_sentence(error)) from None  # the traceback would show values, secrets among them
    except SettingsError as error:
        raise EnvironmentFault(f"A list or table among the SERIENMAIL_ variables isn't JSON: {error}.") from None
    except TOMLDecodeError as error:
        raise EnvironmentFault(f"{_file()} isn't valid TOML ({error}); correct it there.") from None


def _file() -> Path:
    named = os.environ.get("SERIENMAIL_CONFIG")
    if named and not Path(named).is_file():
        raise EnvironmentFault(f"SERIENMAIL_CONFIG names {named}, which doesn't exist; correct it or unset it.")
    return Path(named or DEFAULT_FILE)


def _sentence(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = [str(part) for part in first["loc"]]
    variable = "SERIENMAIL_" + "__".join(path).upper()
    if path in (["link_key"], ["api_key"]):
        return f"{variable} must have at least 32 characters; set it to what 'openssl rand -hex 32' prints."
    dotted = ".".join(path)
    if first["type"] == "extra_forbidden":
        return f"{variable} is no setting; correct its name, or remove {dotted} from {DEFAULT_FILE}."
    problem = "is missing" if first["type"] == "missing" else f"is wrong: {first['msg'].removeprefix('Value error, ')}"
    return f"{variable} {problem}; set it in the environment, or {dotted} in {DEFAULT_FILE}."
