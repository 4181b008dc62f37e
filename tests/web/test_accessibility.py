"""The pages are usable by everybody: axe-core finds nothing in them, in a real browser."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import httpx
import pytest

from serienmail.mailing.links import LinkKind, Links, MailRef
from serienmail.storage.database import Database
from tests.web.conftest import a_mass_mail

MAIL = MailRef(number=1, stage=0, seq=1)
AXE = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AUDIT = """<script>{axe}</script><script>
addEventListener("load", () => axe.run().then(found => {{
  document.body.innerHTML = "<pre id=found></pre>";
  document.getElementById("found").textContent = "FOUND" + JSON.stringify(found.violations.map(v => v.id)) + "END";
}}));
</script></body>"""
"""Put into a copy of the page; the page itself allows no script."""


async def violations(page: str, folder: Path) -> list[str]:
    """The rules that a page breaks."""
    audited = page.replace("</body>", AUDIT.format(axe=AXE.read_text("utf-8")))  # noqa: ASYNC240  # nothing else runs
    (folder / "page.html").write_text(audited, "utf-8")
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"),
        *(f"--user-data-dir={folder / 'profile'}", (folder / "page.html").as_uri()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    shown, _ = await asyncio.wait_for(process.communicate(), 60)
    found: list[str] = json.loads(shown.decode().rpartition("FOUND")[2].partition("END")[0])
    return found


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed")
@pytest.mark.skipif(not AXE.exists(), reason="axe-core isn't here; 'npm install axe-core', or say where in AXE_CORE")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("topic", ["", "Wein & Käse"])
async def test_no_page_breaks_a_rule_of_accessibility(
    client: httpx.AsyncClient, database: Database, links: Links, tmp_path: Path, topic: str
) -> None:
    await a_mass_mail(database, {}, topic=topic)
    url = f"/u/{links.token(LinkKind.UNSUBSCRIBE, MAIL)}"
    pages = [
        await client.get(url),
        await client.post(url),
        await client.post(f"{url}/again"),
        await client.get("/u/guessed"),
    ]
    for number, page in enumerate(pages):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert await violations(page.text, folder) == []
