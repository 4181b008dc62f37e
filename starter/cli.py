"""The command line `serienmail`: what it consists of, and the one way it ends."""

import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import typer

from serienmail.domain.errors import SerienmailError
from starter.commands import (
    actions,
    activities,
    consents,
    contacts,
    environment,
    filters,
    limits,
    lists,
    looking,
    people,
    reporting,
    schedule,
    starting,
    statistics,
    steering,
    suppressions,
    templates,
    trying,
)
from starter.commands.terminal import say_error

_FAILED, _INTERRUPTED, _UNEXPECTED = 1, 130, 70
_SHOWN = 100  # characters of a file's name

app = typer.Typer(
    name="serienmail",
    help="CRM mass mail as durable workflows: never twice, never lost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (contacts, trying, starting, looking, activities, reporting, statistics, steering, environment):
    app.registered_commands += commands.app.registered_commands
app.add_typer(templates.app)
app.add_typer(actions.app)
app.add_typer(schedule.app)
app.add_typer(suppressions.app)
app.add_typer(people.app)
app.add_typer(consents.app)
app.add_typer(filters.app)
app.add_typer(lists.app)
app.add_typer(limits.app)


def main() -> NoReturn:
    """Run the command that the arguments name."""
    _end(_exit_code())


def _exit_code() -> int:
    try:
        app(prog_name="serienmail")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except SerienmailError as error:
        say_error(str(error))
        return _FAILED
    except Exception as error:
        if os.environ.get("SERIENMAIL_DEBUG"):
            traceback.print_exc()
        if isinstance(error, OSError) and error.filename:  # one that somebody named, to be written
            name = Path(error.filename).name[:_SHOWN]
            say_error(f"the file {name} can't be used ({error.strerror}); choose another")
            return _FAILED
        kind = type(error).__name__
        say_error(f"something unexpected happened ({kind}); run with SERIENMAIL_DEBUG=1 for the traceback")
        return _UNEXPECTED
    return 0


def _end(code: int) -> NoReturn:
    """Leave at once: Temporal's runtime has threads that crash an orderly exit of the interpreter (sdk-python 300)."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or _FAILED  # who read our output has gone
    os._exit(code)
