"""What other systems ask for: statistics, who is behind each number, and the feed; only for whoever has the key."""

import hmac
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from serienmail.domain.breakdown import Breakdown
from serienmail.domain.errors import DatabaseAway, InvalidOrder, NotFound
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.feed import FeedPage
from serienmail.domain.statistics import Number, Statistics
from serienmail.storage.deliveries import Page

MassMailId = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$", description="The mass mail's id.")]
Stage = Annotated[
    int | None, Query(ge=0, le=3, description="0: the mass mail itself, 1 to 3: a follow-up; all if not given.")
]
After = Annotated[str, Query(max_length=20, description="What the last page calls `next`; empty for the first page.")]


class StatisticsSource(Protocol):
    """Counts. NotFound if there is no such mass mail."""

    async def of(self, mass_mail_id: str) -> Statistics:
        """All numbers of a mass mail, at one moment."""

    async def breakdown(self, mass_mail_id: str, stage: int | None = None) -> Breakdown:
        """The numbers taken apart."""

    async def behind(
        self,
        mass_mail_id: str,
        number: Number,
        *,
        stage: int | None = None,
        exclusion: Exclusion | None = None,
        after: str = "",
        limit: int = 100,
    ) -> Page:
        """One page of those whom a number counts. InvalidOrder if no page ends at ``after``."""


class Feed(Protocol):
    """Tells what happened, in one order."""

    async def page(self, after: str = "", limit: int = 500) -> FeedPage:
        """Some events after that place. InvalidOrder if there is no such place."""


class Refusal(BaseModel):
    """Why there is no answer, in one sentence."""

    detail: str


def create_api(key: str, statistics: StatisticsSource, feed: Feed) -> FastAPI:
    """An application of its own, to be mounted; its OpenAPI document is public, and all else asks for the key."""

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]) -> None:
        if given is None or not hmac.compare_digest(given.credentials.encode(), key.encode()):
            refusal = "This isn't the key; send 'Authorization: Bearer …' with the setting api_key."
            raise HTTPException(401, refusal, headers={"WWW-Authenticate": "Bearer"})

    api = FastAPI(
        title="Serienmail",
        version="1",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(check)],
        responses=_may_be(401, "The key is missing or wrong") | _may_be(503, "The database doesn't answer"),
    )
    api.include_router(_statistics_routes(statistics))
    api.include_router(_feed_routes(feed))
    for error, status in ((NotFound, 404), (InvalidOrder, 400), (DatabaseAway, 503)):
        api.add_exception_handler(error, _refuse(status))
    return api


def _statistics_routes(statistics: StatisticsSource) -> APIRouter:
    routes = APIRouter(responses=_may_be(404, "There is no such mass mail"))

    @routes.get("/mass-mails/{mass_mail_id}/statistics")
    async def numbers(mass_mail_id: MassMailId) -> Statistics:
        """All numbers and rates of a mass mail, by stage and in all, as the ledger is now."""
        return await statistics.of(mass_mail_id)

    @routes.get("/mass-mails/{mass_mail_id}/breakdown")
    async def breakdown(mass_mail_id: MassMailId, stage: Stage = None) -> Breakdown:
        """The numbers by domain, provider, hour and link, and machines apart. All rows are read for it."""
        return await statistics.breakdown(mass_mail_id, stage)

    @routes.get("/mass-mails/{mass_mail_id}/statistics/{number}", responses=_may_be(400, "No page ends at `after`"))
    async def behind(
        mass_mail_id: MassMailId,
        number: Number,
        stage: Stage = None,
        reason: Annotated[Exclusion | None, Query(description="Of those excluded: for this.")] = None,
        after: After = "",
        limit: Annotated[int, Query(ge=1, le=1000, description="Recipients a page.")] = 100,
    ) -> Page:
        """The recipients whom a number counts, a page at a time."""
        return await statistics.behind(mass_mail_id, number, stage=stage, exclusion=reason, after=after, limit=limit)

    return routes


def _feed_routes(feed: Feed) -> APIRouter:
    routes = APIRouter(responses=_may_be(400, "No page ends at `after`"))

    @routes.get("/events")
    async def events(
        after: After = "", limit: Annotated[int, Query(ge=1, le=5000, description="Events a page.")] = 500
    ) -> FeedPage:
        """What happened to mails, in an order that never changes. Ask again with `next`, at once if there is `more`."""
        return await feed.page(after, limit)

    return routes


def _may_be(status: int, why: str) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Refusal, "description": why}}


def _refuse(status: int) -> Any:
    async def refuse(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status)

    return refuse
