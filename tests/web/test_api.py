"""What other systems ask over HTTP: nothing without the key, and with it statistics, lists and the feed."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from serienmail.domain.delivery import Answer, Verdict, outcome
from serienmail.settings import Settings
from serienmail.storage.database import Database
from tests.builders import NOON, a_job, an_open_stage, claim
from tests.web.conftest import KEY, served
from web.app import compose

API_KEY = "fedcba9876543210fedcba9876543210"
WITH_KEY = {"Authorization": f"Bearer {API_KEY}"}
STATISTICS = "/api/mass-mails/autumn/statistics"


@pytest.fixture
async def client(database: Database, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client without the key; ``autumn`` has three recipients, of whom two have their mail."""
    ledger = await an_open_stage(database, 3)
    for _ in range(2):
        claimed = await claim(ledger, a_job(), NOON)
        assert claimed is not None
        await ledger.record(outcome(claimed, Answer(Verdict.ACCEPTED), NOON))
    settings = Settings(
        link_key=SecretStr(KEY), api_key=SecretStr(API_KEY), database_url=database.url, spool=tmp_path / "spool"
    )
    async with served(compose(settings, database)) as client:
        yield client


async def test_statistics_are_those_of_the_ledger(client: httpx.AsyncClient) -> None:
    answer = await client.get(STATISTICS, headers=WITH_KEY)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert found["stages"]["0"]["numbers"]["sent"] == 2
    assert found["total"]["numbers"]["waiting"] == 1
    assert found["total"]["rates"]["delivered"] == 1


async def test_a_number_opens_its_list_page_by_page(client: httpx.AsyncClient) -> None:
    first = (await client.get(f"{STATISTICS}/sent", params={"limit": 1}, headers=WITH_KEY)).json()
    assert [who["contact"] for who in first["recipients"]] == ["1"]
    last = await client.get(f"{STATISTICS}/sent", params={"after": first["next"]}, headers=WITH_KEY)
    assert [who["contact"] for who in last.json()["recipients"]] == ["2"]


async def test_the_numbers_come_taken_apart(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/mass-mails/autumn/breakdown", headers=WITH_KEY)).json()
    assert [(part["name"], part["numbers"]["sent"]) for part in found["domains"]] == [("example.org", 2)]
    assert [(hour["at"], hour["numbers"]["sent"]) for hour in found["hours"]] == [("2026-03-02T12:00:00Z", 2)]


async def test_the_feed_goes_on_where_a_page_ended(client: httpx.AsyncClient) -> None:
    first = (await client.get("/api/events", params={"limit": 1}, headers=WITH_KEY)).json()
    assert [each["kind"] for each in first["events"]] == ["handed_over"]
    assert first["more"]
    last = (await client.get("/api/events", params={"after": first["next"]}, headers=WITH_KEY)).json()
    assert [each["recipient"] for each in last["events"]] == [2]
    assert not last["more"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guessed"}, {"Authorization": f"Basic {API_KEY}"}])
@pytest.mark.parametrize("path", [STATISTICS, "/api/mass-mails/nothing/statistics", "/api/events"])
async def test_without_the_key_nobody_learns_what_there_is(
    client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_mass_mail_that_doesnt_exist_isnt_found_with_the_key(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/mass-mails/nothing/statistics", headers=WITH_KEY)
    assert answer.status_code == 404
    assert "nothing" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{STATISTICS}/loved", 422),
        (f"{STATISTICS}/sent?after=x", 400),
        (f"{STATISTICS}/sent?limit=0", 422),
        ("/api/events?after=x", 400),
        ("/api/mass-mails/%00/statistics", 422),
    ],
)
async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await client.get(path, headers=WITH_KEY)).status_code == status


async def test_the_openapi_document_names_every_path_and_the_key(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/openapi.json")).json()
    of_each = {f"/mass-mails/{{mass_mail_id}}/{path}" for path in ("statistics", "statistics/{number}", "breakdown")}
    assert document["paths"].keys() == {"/events", *of_each}
    assert document["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
    assert document["servers"] == [{"url": "/api"}]


async def test_an_installation_without_a_key_has_no_api(database: Database, tmp_path: Path) -> None:
    settings = Settings(link_key=SecretStr(KEY), database_url=database.url, spool=tmp_path / "spool")
    async with served(compose(settings, database)) as client:
        assert (await client.get("/api/events", headers=WITH_KEY)).status_code == 404
