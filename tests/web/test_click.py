"""A measured link leads to its target and nowhere else."""

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serienmail.domain.template import TemplateRef
from serienmail.mailing.links import Links, MailRef
from serienmail.storage.database import Database
from serienmail.storage.measured_links import MeasuredLinkStore
from tests.web.conftest import a_mass_mail
from tests.web.test_pixel import visits

MAIL = MailRef(number=1, stage=0, seq=1)
SHOP = "https://shop.example/?a=1&b=ü"


async def a_link(database: Database) -> int:
    """The id of a link to the shop."""
    return (await MeasuredLinkStore(database).ids(TemplateRef("autumn", 1), [SHOP]))[SHOP]


async def test_a_click_is_kept_and_sent_on(client: httpx.AsyncClient, database: Database, links: Links) -> None:
    await a_mass_mail(database, {})
    link = await a_link(database)
    for method in ("GET", "HEAD"):
        answer = await client.request(method, links.link_url(MAIL, link), headers={"User-Agent": "Firefox"})
        assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/?a=1&b=%C3%BC")
    assert await visits(database) == [(1, link, "GET", "Firefox"), (1, link, "HEAD", "Firefox")]


async def test_who_is_not_measured_is_sent_on_all_the_same(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {"tracked": False})
    answer = await client.get(links.link_url(MAIL, await a_link(database)))
    assert answer.status_code == 302
    assert await visits(database) == []


async def test_a_link_that_we_did_not_write_leads_nowhere(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    link = await a_link(database)
    forged = Links("", b"another key of 32 characters xyz").link_url(MAIL, link)
    unknown = await client.get(links.link_url(MAIL, link + 1))
    for path in (forged, "/l/guessed", links.unsubscribe_url(MAIL).replace("/u/", "/l/")):
        answer = await client.get(path)
        assert (answer.status_code, answer.text, answer.headers.keys()) == (404, unknown.text, unknown.headers.keys())


async def test_a_link_that_is_known_leads_on_while_the_database_is_away(
    database: Database
) -> None:
    links = MeasuredLinkStore(database)
    first = (await links.ids(TemplateRef("autumn", 1), ["https://a.example"]))["https://a.example"]
    await links.target(first)
    assert await links.target(first) == "https://a.example"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["o", "l", "u", "c", ""]),
    token=st.text(max_size=50) | st.text("olucABab01_-=%.", min_size=34, max_size=42),
    way=st.sampled_from(["", "/all", "/again", ".gif", "/x/y"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
)
async def test_no_path_and_no_token_breaks_anything(
    broken: httpx.AsyncClient, kind: str, token: str, way: str, method: str
) -> None:
    answer = await broken.request(method, httpx.URL(broken.base_url, raw_path=_path(f"/{kind}/{token}{way}")))
    assert answer.status_code < 500


def _path(text: str) -> bytes:
    plain = (bytes([c]) if 32 < c < 127 and c not in b"?#%" else b"%%%02X" % c for c in text.encode("utf-8", "replace"))
    return b"".join(plain)
