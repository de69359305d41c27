"""Debian's chromium, and the real service over a database with the demo's studies."""

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from browser.filled_operations import fill_with_operations
from browser.filled_store import NOW, fill, fill_with_keys
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from heltig.app import create_app
from heltig.settings import Settings

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""The same engine without the windows of a browser takes a quarter of the time for a page."""

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def serving(home: Path, *, port: int = 0, **settings: Any) -> Iterator[str]:
    """Serves the database of a folder on a port of loopback, a free one without any; gives its address."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        app = create_app(Settings(home=home, workers=1, **settings), clock=lambda: NOW)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the service with the demo's studies is."""
    home = tmp_path_factory.mktemp("filled")
    with ThreadPoolExecutor() as thread:  # the browser may have an event loop in this one
        thread.submit(lambda: asyncio.run(fill(home))).result()
    with serving(home) as where:
        yield where


@pytest.fixture(scope="session")
def empty_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service is that has judged nothing yet."""
    with serving(tmp_path_factory.mktemp("empty")) as where:
        yield where


@pytest.fixture(scope="session")
def operations_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service is with jobs, studies in quarantine, keys and sessions, which tests may change."""
    home = tmp_path_factory.mktemp("operations")
    with ThreadPoolExecutor() as thread:  # the browser may have an event loop in this one
        thread.submit(lambda: asyncio.run(fill_with_operations(home))).result()
    with serving(home) as where:
        yield where


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's chromium; Playwright's own is not needed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: while it runs no other test could have an event loop."""
    if CHROMIUM is None:
        pytest.skip("needs chromium (Debian's package chromium-headless-shell or chromium)")
    with chromium() as started:
        yield started


class Watched:
    """Tabs of a browser, and what went wrong in them.

    Attributes:
        complaints: Messages of the console, exceptions, and requests to anywhere else.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def open(
        self, url: str, *, width: int = 1280, height: int = 900, status: int = 200, **options: Any
    ) -> Page:
        """Opens a page in a browser that has seen nothing before.

        Args:
            url: Its address.
            width: Of the window, in CSS pixels.
            height: Likewise.
            status: The HTTP status that is to come.
            **options: Of `Browser.new_context`, such as `color_scheme`.
        """
        context = self._browser.new_context(viewport={"width": width, "height": height}, **options)
        self._contexts.append(context)
        page = context.new_page()
        host = urlsplit(url).netloc
        page.on("console", lambda message: self._note(message.text, status))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._note_request(request.url, host))
        answer = page.goto(url)
        assert answer is None or answer.status == status
        return page

    def pictures(self, folder: Path) -> list[Path]:
        """What is to be seen in each tab, as files in a folder."""
        shown = [page for context in self._contexts for page in context.pages]
        paths = [folder / f"{number}.png" for number in range(len(shown))]
        for page, path in zip(shown, paths, strict=True):
            page.screenshot(path=path)
        return paths

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _note(self, text: str, status: int) -> None:
        if not (status >= 400 and f"status of {status}" in text):
            self.complaints.append(text)

    def _note_request(self, url: str, host: str) -> None:
        if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc != host:
            self.complaints.append(f"asked for {url}")


@pytest.fixture
def tabs(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Opens pages; at the end no one may have complained."""
    watched = Watched(browser)
    yield watched
    watched.close()
    assert watched.complaints == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Of a test that fails the pages stand as pictures in its temporary folder."""
    report = yield
    watched = getattr(item, "funcargs", {}).get("tabs")
    if report.when == "call" and report.failed and watched is not None:
        folder = item.funcargs["tmp_path_factory"].mktemp("pictures")  # type: ignore[attr-defined]
        for path in watched.pictures(folder):
            report.sections.append(("Picture", str(path)))
    return report


_AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")

_MARK_KNOWN_LOOKS = """() => {
  const grounds = new Map(), numbers = new Map(), seen = new Map();
  const number = text => numbers.get(text) ?? numbers.set(text, numbers.size).get(text);
  for (const element of document.querySelectorAll("*")) {
    const s = getComputedStyle(element);
    const on = [s.backgroundColor, s.backgroundImage, s.opacity, s.filter, s.mixBlendMode,
      s.position, s.zIndex, s.overflow, s.clip, s.clipPath];
    const ground = number([grounds.get(element.parentElement), ...on].join());
    grounds.set(element, ground);
    element.removeAttribute("data-known-look");
    if (element.closest("input, select, textarea, button, label, fieldset, [aria-disabled]")) continue;
    if (!element.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
    const texts = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE);
    const look = [ground, element.localName, element.getAttribute("class"),
      s.color, s.webkitTextFillColor, s.fill, s.fontSize, s.fontWeight, s.textShadow].join();
    const before = seen.get(look) ?? 0;
    if (before >= 3) element.setAttribute("data-known-look", "");
    if (/[\\p{L}\\p{N}]{2}/u.test(texts.map(text => text.data).join(" "))) seen.set(look, before + 1);
  }
}"""
"""Marks text of the same colours, size and ground as three others before it: its contrast is theirs."""

_RUN_AXE = """async tags => {
  // To gather what passed, too, takes it as long again, and contrast is most of the rest.
  axe.configure({rules: [{id: "color-contrast", selector: "*:not([data-known-look])"}]});
  const found = await axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]});
  return found.violations.flatMap(
    ({id, nodes}) => nodes.map(({target, failureSummary}) => `${id}: ${target} ${failureSummary}`)
  );
}"""


def violations(page: Page) -> list[str]:
    """What axe-core has against a page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)
    page.evaluate(_MARK_KNOWN_LOOKS)
    found: list[str] = page.evaluate(_RUN_AXE, WCAG)
    return found


@pytest.fixture(scope="session")
def dotted_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service is whose studies have UIDs that mean something else in an address."""
    home = tmp_path_factory.mktemp("dotted")
    with ThreadPoolExecutor() as thread:  # the browser may have an event loop in this one
        thread.submit(lambda: asyncio.run(fill_with_keys(home, ".", "..", "="))).result()
    with serving(home) as where:
        yield where
