"""The pages are usable by everybody: axe-core finds nothing in them, in a real browser."""

import httpx
import pytest

from serienmail.mailing.links import LinkKind, Links, MailRef
from serienmail.storage.database import Database
from tests.browser import needs_a_browser, violations
from tests.web.conftest import a_mass_mail

MAIL = MailRef(number=1, stage=0, seq=1)


@needs_a_browser
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("topic", ["", "Wein & Käse"])
async def test_no_page_breaks_a_rule_of_accessibility(
    client: httpx.AsyncClient, database: Database, links: Links, topic: str
) -> None:
    await a_mass_mail(database, {}, topic=topic)
    url = f"/u/{links.token(LinkKind.UNSUBSCRIBE, MAIL)}"
    pages = [
        await client.get(url),
        await client.post(url),
        await client.post(f"{url}/again"),
        await client.get("/u/guessed"),
    ]
    assert await violations(*(page.text for page in pages)) == []
