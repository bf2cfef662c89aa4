"""Chromium with one page, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


def find() -> str | None:
    """The browser on PATH, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A headless browser with one page.

    errors: what the page logged as an error, threw or was refused, since it was opened.
    requests: every address that it asked for since then, refused ones too.
    """

    def __init__(self, program: str) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS)
        )
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page = self._browser.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _note(self, message: Any) -> None:
        if message.type in ("error", "assert"):
            self.errors.append(message.text)

    def open(self, path: str | Path) -> None:
        """Load a file and wait until it is there."""
        self.errors, self.requests = [], []
        self.page.goto(Path(path).resolve().as_uri())

    def evaluate(self, script: str) -> Any:
        """What an expression gives, awaited."""
        return self.page.evaluate(script)

    def window(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Width and height in CSS pixels; the system's colours."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme="dark" if dark else "light")

    def key(self, name: str, *, times: int = 1) -> None:
        """Press a key by its name."""
        for _ in range(times):
            self.page.keyboard.press(name)

    def write(self, text: str) -> None:
        """Text into what has the focus, in place of what is selected."""
        self.page.keyboard.insert_text(text)

    def click(self, selector: str) -> None:
        """The middle of the first such element, with the mouse."""
        self.page.locator(selector).first.click()

    def download(self, selector: str, folder: Path) -> Path:
        """The file that a click saves."""
        with self.page.expect_download() as found:
            self.click(selector)
        path = folder / found.value.suggested_filename
        found.value.save_as(path)
        return path

    @contextmanager
    def without_scripts(self, path: str | Path) -> Iterator[Any]:
        """A page of Playwright's that shows a file and runs no script."""
        context = self._browser.new_context(java_script_enabled=False)
        try:
            page = context.new_page()
            page.goto(Path(path).resolve().as_uri())
            yield page
        finally:
            context.close()

    def close(self) -> None:
        """End the browser and all that it started."""
        self._browser.close()
        self._playwright.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
