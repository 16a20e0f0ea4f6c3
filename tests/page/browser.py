"""A real browser: the Chromium of the system, without a window, as Playwright drives it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
REQUIRED = "BROWSER_REQUIRED"  # set where nothing may be skipped
DESKTOP = (1360, 1000)
_TALL = 1900  # pixels of a picture of a narrow window, which shows little at once
PHONE = (390, 844)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it. Where there is none the test is skipped, or fails if the environment says so."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing = "no Chromium here: apt-get install chromium (on macOS: brew install chromium)"
        if os.environ.get(REQUIRED):
            pytest.fail(missing)
        pytest.skip(missing)
    # Its sandbox needs rights that root in a container does not have; only our own page is opened.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*options, "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int], **options: Any) -> Iterator[Page]:
    """Open the live page; fail where it reports an error or loads anything from elsewhere."""
    width, height = size
    with browser.new_context(viewport={"width": width, "height": height}, **options) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: _note(request.url, address, wrong))
        page.goto(address)
        yield page
        assert not wrong, wrong


def _note(url: str, address: str, wrong: list[str]) -> None:
    if not url.startswith(address.partition("#")[0]):
        wrong.append(f"loads {url}")
    key = address.partition("#")[2]
    if key and key in url:
        wrong.append("sends its key in a URL")


def photograph(page: Page, name: str) -> None:
    """Write a picture for the documents, where `PAGE_IMAGES` says into which folder."""
    if folder := os.environ.get("PAGE_IMAGES"):
        size = page.viewport_size or {"width": 0, "height": 0}
        height = size["height"] if size["width"] > PHONE[0] else _TALL
        page.screenshot(
            path=Path(folder) / f"page-{name}.png",
            animations="disabled",
            full_page=True,
            clip={"x": 0, "y": 0, "width": size["width"], "height": height},
        )
