"""The list of machines that open mails and follow links: the one that comes along, or an installation's own."""

import tomllib
from pathlib import Path

from serienmail.domain.errors import EnvironmentFault
from serienmail.domain.judging import MachineList

SUPPLIED = Path(__file__).with_name("machines.toml")


def read_machine_list(path: Path | None = None) -> MachineList:
    """Read a list; EnvironmentFault if it can't be used. path: None for the one that comes along."""
    file = path or SUPPLIED
    try:
        return MachineList.of(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        says = f"the list of machines {file} can't be opened ({error.strerror}); correct machine_list."
        raise EnvironmentFault(says) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EnvironmentFault(f"the list of machines {file} isn't usable ({error}); correct it there.") from None
