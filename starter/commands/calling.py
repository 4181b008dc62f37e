"""What all commands share: options, how they run, and what they open, which is imported only when it is needed."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

if TYPE_CHECKING:
    from starter.client import MassMails
    from starter.services import Services

P = ParamSpec("P")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that no user has
        return f"uid-{os.getuid()}"


By = Annotated[
    str,
    typer.Option(
        "--by",
        envvar="SERIENMAIL_USER",
        default_factory=_login_name,
        show_default="the login name",
        help="Your user id.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
MassMailId = Annotated[str, typer.Argument(metavar="ID", help="The mass mail's id.")]
Module = Annotated[str, typer.Option(help="Of which module the records are.")]
OrderPath = Annotated[Path, typer.Argument(metavar="ORDER.toml", help="The order.")]


def command(app: typer.Typer, name: str) -> Callable[[Callable[P, Coroutine[Any, Any, None]]], Callable[P, None]]:
    """Make a coroutine function a command; its docstring is the command's help."""

    def register(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
        @app.command(name)
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            for given in kwargs.values():
                _check_text(given)
            asyncio.run(function(*args, **kwargs))

        return run

    return register


def _check_text(given: object) -> None:
    """Bytes that are no UTF-8 come as halves of characters, which no database takes."""
    for text in given if isinstance(given, list) else [given]:
        if isinstance(text, str) and any("\ud800" <= character <= "\udfff" for character in text):
            raise typer.BadParameter("this isn't UTF-8; write it in a terminal that is")


@asynccontextmanager
async def open_database() -> AsyncIterator["Services"]:
    """The installation without Temporal."""
    from serienmail.settings import load_settings
    from starter.services import open_services

    async with open_services(load_settings()) as services:
        yield services


@asynccontextmanager
async def open_mass_mails() -> AsyncIterator["MassMails"]:
    """The installation with Temporal."""
    from starter.client import MassMails
    from starter.connection import temporal_answers

    async with MassMails.connect() as mails:
        with temporal_answers():
            yield mails
