"""What holds for every route there is: guarded answers, methods named, and nothing to learn for who guesses."""

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from serienmail.mailing.links import LinkKind, Links, MailRef
from serienmail.settings import Settings
from serienmail.storage.database import Database
from tests.web.conftest import KEY, a_mass_mail, served
from tests.web.test_app import assert_guarded
from web.app import compose

PAGE = frozenset({"GET", "HEAD"})
ROUTES = {
    "/o/{token}.gif": PAGE,
    "/l/{token}": PAGE,
    "/u/{token}": PAGE | {"POST"},
    "/u/{token}/{way}": PAGE,
    "/u/{token}/all": PAGE | {"POST"},
    "/u/{token}/again": PAGE | {"POST"},
    "/c/{token}": PAGE | {"POST"},
    "/health": PAGE,
    "/webhooks/{provider}": frozenset({"POST"}),
    "/api/openapi.json": PAGE,
    "/api/events": frozenset({"GET"}),
    "/api/mass-mails/{mass_mail_id}/statistics": frozenset({"GET"}),
    "/api/mass-mails/{mass_mail_id}/breakdown": frozenset({"GET"}),
    "/api/mass-mails/{mass_mail_id}/statistics/{number}": frozenset({"GET"}),
}
"""The methods of each path; a new route belongs here, and everything below is asked of it."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WITH_TOKENS = {
    "/o/{token}.gif": LinkKind.OPEN, "/u/{token}": LinkKind.UNSUBSCRIBE, "/u/{token}/all": LinkKind.UNSUBSCRIBE,
    "/u/{token}/again": LinkKind.UNSUBSCRIBE, "/c/{token}": LinkKind.CONFIRM,
}  # fmt: skip


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Starlette:
    """The application with everything that settings can add to it, and one mail to Anna."""
    return compose(
        Settings(
            link_key=SecretStr(KEY),
            api_key=SecretStr(KEY),
            webhooks={"brevo": SecretStr("user:pass")},  # type: ignore[dict-item]  # read as from a file
            database_url=database.url,
            spool=tmp_path / "spool",
        ),
        database,
    )


@pytest.fixture
async def client(app: Starlette, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it."""
    await a_mass_mail(database, {})
    async with served(app) as client:
        yield client


def routes_of(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, Route]]:
    """Each route with its whole path; those of included and mounted ones, too."""
    for route in routes:
        if isinstance(route, Route):
            yield prefix + route.path, route
        elif isinstance(route, Mount):
            yield from routes_of(route.routes, prefix + route.path)
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from routes_of(included.routes, prefix)
        else:
            raise AssertionError(f"{route} is of a kind that this test doesn't know")


def test_the_table_has_every_route(app: Starlette) -> None:
    assert {path for path, _ in routes_of(app.routes)} == ROUTES.keys()


@pytest.mark.parametrize("path", ROUTES)
async def test_every_answer_is_guarded_and_names_the_methods_that_there_are(
    client: httpx.AsyncClient, path: str
) -> None:
    guessed = path.replace("{", "").replace("}", "")
    for method in METHODS:
        answer = await client.request(method, guessed)
        assert_guarded(answer)
        assert answer.status_code < 500
        if method in ROUTES[path]:
            assert answer.status_code != 405, method
        else:
            assert answer.status_code == 405, method
            assert {name.strip() for name in answer.headers["allow"].split(",")} == ROUTES[path]


@pytest.mark.parametrize("path", WITH_TOKENS)
async def test_who_guesses_learns_not_even_whether_there_is_such_a_mail(
    client: httpx.AsyncClient, path: str
) -> None:
    links = Links("", KEY.encode())
    gone = links.token(WITH_TOKENS[path], MailRef(number=9, stage=0, seq=9))
    for method in ROUTES[path]:
        answers = [await client.request(method, path.format(token=token)) for token in ("guessed", gone)]
        bodies = [answer.text.partition("<body")[2] or answer.content for answer in answers]  # a nonce is before it
        assert (answers[0].status_code, bodies[0]) == (answers[1].status_code, bodies[1])


async def test_a_mass_mail_s_numbers_are_refused_alike_whether_it_exists_or_not(client: httpx.AsyncClient) -> None:
    answers = [await client.get(f"/api/mass-mails/{name}/statistics") for name in ("m1", "nothing")]
    assert [(answer.status_code, answer.text) for answer in answers] == [(401, answers[0].text)] * 2
