"""A real browser that judges pages: headless Chromium with axe-core."""

import shutil

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed")


async def violations(*pages: str) -> list[str]:
    """The rules that these pages break, with what breaks them."""
    found = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for html in pages:
            page = await browser.new_page()
            await page.set_content(html)
            results = await Axe().run(page)
            found += [results.generate_report(rule["id"]) for rule in results.response["violations"]]
        await browser.close()
    return found
