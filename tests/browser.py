"""A real browser that judges pages: headless Chromium with axe-core, if both are here."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T", bound=Callable[..., Any])
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


def needs_a_browser(test: T) -> T:
    """Skips a test where one of the two is missing."""
    test = pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed")(test)
    missing = "axe-core isn't here; 'npm install axe-core', or say where in AXE_CORE"
    return pytest.mark.skipif(not AXE.exists(), reason=missing)(test)
