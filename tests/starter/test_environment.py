"""The embedded environment says what is in its way."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from serienmail.domain.errors import EnvironmentFault
from starter.environment import Ports, embedded


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("purpose", ["temporal", "ui", "web", "inbox"])
async def test_a_port_in_use_is_named_with_what_it_is_for(taken: int, purpose: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=rf"(?i)port {taken} for .*in use"):
        async with embedded(tmp_path / "environment", Ports(**{purpose: taken})):
            pass
