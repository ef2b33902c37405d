"""A browser for tests, on pages from a disk: what it complains of and whom it asks. No expectations here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
_CONTRASTS = Path(__file__).with_name("contrasts.js")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page from a disk, opened.

    Args:
        browser: The browser.
        path: The page.
        options: Of the browser's context, as ``color_scheme`` or ``viewport``.
    """

    def __init__(self, browser: Browser, path: Path, **options: Any) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = browser.new_context(**options).new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def column(self, table: str, number: int) -> list[str]:
        """The texts of a column of a table."""
        return list(self.page.locator(f"{table} tbody tr > :nth-child({number})").all_inner_texts())

    def contrasts(self) -> list[dict[str, Any]]:
        """The contrast of each kind of text and mark with its ground, least first, and what WCAG wants at least.

        By the browser's own colours.
        """
        found: list[dict[str, Any]] = self.page.evaluate(_CONTRASTS.read_text(encoding="utf-8"))
        return found
