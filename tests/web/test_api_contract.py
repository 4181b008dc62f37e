"""The API does what its OpenAPI document says, whatever is asked of it: no failure, no answer that isn't announced."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serienmail.settings import Settings
from serienmail.storage.database import Database
from tests.builders import an_open_stage
from tests.web.conftest import KEY, served
from web.app import compose

EXAMPLES = 15
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client; there is the mass mail ``autumn``."""
    await an_open_stage(database, 3)
    key = SecretStr(KEY)
    installed = Settings(link_key=key, api_key=key, database_url=database.url, spool=tmp_path / "spool")
    async with served(compose(installed, database)) as client:
        yield client


def ask_everything(document: dict[str, Any], address: str, headers: dict[str, str]) -> int:
    """Ask every operation for everything that a generator thinks of; how many requests that were."""
    asked = 0
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"{address}/api")
    with requests.Session() as session:
        session.trust_env = False
        for operation in schema.get_all_operations():

            @settings(
                max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=operation.ok().as_strategy())
            def ask(case: Any) -> None:
                nonlocal asked
                asked += 1
                case.call_and_validate(session=session, headers=headers, checks=CHECKS)

            ask()
    return asked


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {KEY}"}], ids=["without key", "with key"])
async def test_whatever_is_asked_the_answer_is_one_that_is_announced(
    api: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    document = (await api.get("/api/openapi.json")).json()
    asked = await asyncio.to_thread(ask_everything, document, str(api.base_url).rstrip("/"), headers)
    assert asked >= EXAMPLES * len(document["paths"])
