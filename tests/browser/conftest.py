"""A real server with a few documents and a real Chromium, for the tests of the page."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Route, expect, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START_SECONDS = 120  # the model is loaded at the first start
PATIENCE = 30_000  # milliseconds; a busy machine is no failure
expect.set_options(timeout=PATIENCE)

FILLER = "The ledger of the granary lists sacks, carts and names, day after day, without a remark of any kind.\n\n"
NEEDLE = "The violet orchid of Tamsin grows only beneath the glacier bridge.\n\n"
ASTRAL = "😀😀😀 A note with 𝔤𝔬𝔱𝔥𝔦𝔠 letters and 🧭 needles comes first, and says nothing of any use to anybody.\n\n"
LAMP = "The 🪔 copper lamp of the observatory burns whale oil every winter night. 🪔 Nobody knows who lights it."


def documents() -> list[dict[str, Any]]:
    """The documents that are asked: those of documents.json, one full of emoji, and a long one without a title."""
    written = json.loads(Path(__file__).with_name("documents.json").read_text("utf-8"))
    about = {"title": "Lamp 🪔 notes", "source": "Observatory", "published": "2024"}
    return [
        *written,
        {"id": "astral.txt", **about, "text": ASTRAL * 50 + LAMP},
        {"id": "long.txt", "text": FILLER * 250 + NEEDLE + FILLER * 250},
    ]


@dataclass(frozen=True)
class Service:
    """The running server and the few calls that the tests make beside the page."""

    url: str

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send JSON, return what came back as JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=300) as response:
            return json.load(response)

    def ask(self, query: str, **more: Any) -> Any:
        """Return the whole answer to a question."""
        return self.call("POST", "/v1/ask", {"query": query, **more})


@dataclass
class Watched:
    """What a page did that it should not have done."""

    host: str
    complaints: list[str] = field(default_factory=list)
    excused: tuple[str, ...] = ()

    def attach(self, context: BrowserContext) -> None:
        """Note console errors, uncaught exceptions and requests to any other host."""
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("request", lambda request: self._requested(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(part in message.text for part in self.excused):
            self.complaints.append(f"console: {message.text}")

    def _requested(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != self.host:
            self.complaints.append(f"request to another host: {url}")


def _missing(reason: str) -> None:
    if os.environ.get("PINCITE_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and PINCITE_REQUIRE_BROWSER=1 asks for it", pytrace=False)
    pytest.skip(f"{reason}: the tests of the page are left out")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium; without one the tests are left out, or fail where CI requires it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        _missing("no Chromium is installed")
    return str(found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"the server did not get ready:\n{log.read_text()}", pytrace=False)


@pytest.fixture(scope="session")
def service(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The real server by its console script, on a free port, with those documents and an empty collection."""
    folder = tmp_path_factory.mktemp("browser")
    port, log = _free_port(), folder / "server.log"
    environment = {**os.environ, "PINCITE_DATA": str(folder / "data"), "PINCITE_READER": "off"}
    script = Path(sys.executable).with_name("pincite")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(script), "serve", "--port", str(port)], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        found = Service(f"http://127.0.0.1:{port}")
        _wait(found.url, process, log)
        found.call("POST", "/v1/documents", {"documents": documents()})
        found.call("PUT", "/v1/collections/empty", {})
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def reading(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server without models whose reader compares words, with the same documents."""
    script = Path(__file__).parents[1] / "api" / "tiny_server.py"
    command = [sys.executable, script, tmp_path_factory.mktemp("reading"), "httptools"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = Service(f"http://127.0.0.1:{int(process.stdout.readline())}")
        found.call("POST", "/v1/documents", {"documents": documents()})
        yield found
        process.terminate()


@pytest.fixture(scope="session")
def violations() -> Callable[[Page], list[str]]:
    """What axe finds on a page as it stands."""

    def found(page: Page) -> list[str]:
        told = Axe().run(page).response["violations"]
        return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in told for node in one["nodes"]]

    return found


@pytest.fixture(scope="session")
def tab_to() -> Callable[[Page, Locator], None]:
    """Presses Tab until the place has the focus, at most ten times."""

    def press(page: Page, place: Locator) -> None:
        for _ in range(10):
            page.keyboard.press("Tab")
            if place.evaluate("place => place === document.activeElement"):
                break
        expect(place).to_be_focused()

    return press


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless Chromium; one a module, because Playwright's event loop would be in the way of other tests'."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, headless=True, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def watched(service: Service) -> Iterator[Watched]:
    """Fails the test where the page complained, or spoke with another host."""
    found = Watched(urlsplit(service.url).netloc)
    yield found
    assert found.complaints == []


@pytest.fixture
def open_page(browser: Browser, service: Service, watched: Watched) -> Iterator[Callable[..., Page]]:
    """Opens the page at a path, in a context with the options given (width, color_scheme, …)."""
    contexts: list[BrowserContext] = []

    def opened(path: str = "/", *, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, locale="en-GB", **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        watched.attach(context)
        page = context.new_page()
        page.goto(service.url + path)
        page.wait_for_selector("#query")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def asked(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the page, types a question, presses Enter and waits for its end."""

    def answered(query: str, path: str = "/", **options: Any) -> Page:
        page = open_page(path, **options)
        page.fill("#query", query)
        page.press("#query", "Enter")
        page.wait_for_selector(".turn[aria-busy=false]")
        return page

    return answered


@pytest.fixture
def given(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the page, asks, and answers with what is given."""

    def answering(answer: dict[str, Any], **options: Any) -> Page:
        page = open_page(**options)

        def fulfil(route: Route) -> None:
            route.fulfill(json=answer)

        page.route("**/v1/ask", fulfil)
        page.fill("#query", answer["query"])
        page.press("#query", "Enter")
        page.wait_for_selector(".turn[aria-busy=false]")
        return page

    return answering
