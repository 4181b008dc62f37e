"""A sending account: the mail server, how to log in, and who the mails are from."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Account(BaseModel):
    """One account of the settings; its name is the key it stands under there.

    tls: ``starttls`` and ``implicit`` check the server's certificate; ``none`` is for servers on this machine.
    connections: at most so many at a time. mails_per_connection: then a connection is replaced, as large
    providers ask for.
    """

    model_config = ConfigDict(frozen=True)

    host: str
    port: int = 25
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["none", "starttls", "implicit"] = "none"
    from_address: str
    from_name: str = ""
    reply_to: str | None = None
    connections: int = Field(default=10, ge=1)
    mails_per_connection: int = Field(default=100, ge=1)
