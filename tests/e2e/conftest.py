"""The real page in Chromium: a studio of stand-ins in this process, and the real app as a program of its own."""

import io
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from e2e.desk import Desk
from e2e.program import Program
from studio.catalog.catalog import Catalog
from studio.engines.demo.fake import FakeModel
from studio.jobs.job import Job
from studio.service import Studio
from studio.settings import Settings
from tabs.serve import open_page

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--no-first-run", "--disable-lcd-text",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1")  # fmt: skip
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Programs that do, the leanest first: a browser without windows needs a third less of the processor."""
DOCS = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
STATE = 20_000.0
"""Milliseconds that a page may take to show something on a machine that is busy; a tab that is opened first brings its
parts along."""
Visit = Callable[..., Desk]
Serve = Callable[..., tuple[Studio, str]]
Keep = Callable[[Desk, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", action="store_true", help="write docs/screenshots anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
    if not config.getoption("--screenshots"):
        more = [item for item in items if item.get_closest_marker("picture")]
        config.hook.pytest_deselected(items=more)
        items[:] = [item for item in items if item not in more]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="package", autouse=True)
def _no_settings_of_the_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("STUDIO_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests. Package scope: while it runs, nothing else in this thread can use asyncio."""
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        pytest.fail(
            "The page's tests drive Chromium. Install the Debian packages chromium-headless-shell and fonts-noto-cjk."
        )
    expect.set_options(timeout=STATE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield chromium
        chromium.close()


class Contexts:
    """Contexts lent to tests, each of them to one at a time and as if new, but for the files in its cache.

    A new one for each test would compile the same scripts 150 times.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[BrowserContext]] = {}
        self._kinds: dict[BrowserContext, str] = {}

    def lend(self, **options: object) -> BrowserContext:
        """One with these options that nobody has at the moment."""
        kind = repr(sorted(options.items()))
        free = self._free.setdefault(kind, [])
        if free:
            return free.pop()
        context = self._browser.new_context(**options)  # pyright: ignore
        context.set_default_timeout(15_000)
        self._kinds[context] = kind
        return context

    def take_back(self, context: BrowserContext, hosts: Iterable[str]) -> None:
        """Close its pages and forget what they stored."""
        blank = context.new_page()
        session = context.new_cdp_session(blank)
        for page in context.pages:
            if page is not blank:
                page.close()
        stored = "cookies,local_storage,indexeddb"
        for host in hosts:
            session.send("Storage.clearDataForOrigin", {"origin": f"http://{host}", "storageTypes": stored})
        blank.close()
        self._free[self._kinds[context]].append(context)


class Watched:
    """The contexts that one test opened, and what must never happen in them."""

    def __init__(self, lender: Contexts, folder: Path) -> None:
        self._lender, self._folder = lender, folder
        self._contexts: list[BrowserContext] = []
        self.wrong: list[str] = []
        self.hosts: set[str] = set()

    def context(self, **options: object) -> BrowserContext:
        options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US", "color_scheme": "light"} | options
        context = self._lender.lend(**options)
        for event, heard in self._listeners.items():
            context.on(event, heard)  # pyright: ignore
        self._contexts.append(context)
        return context

    @cached_property
    def _listeners(self) -> dict[str, Callable[[Any], None]]:
        return {
            "weberror": lambda error: self.wrong.append(f"uncaught in the page: {error.error}"),
            # Hosts other than this machine do not resolve, so a request to one of them fails. To hear of every request
            # would cost a tenth of opening the page.
            "requestfailed": lambda request: None if request.failure == "csp" else self._seen(request.url),
        }

    def _seen(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        host = rest.partition("/")[0]
        if scheme in ("http", "https", "ws", "wss") and host not in self.hosts:
            self.wrong.append(f"a request to {host}: {url}")

    def photograph(self) -> list[Path]:
        """A picture of every page that is still open."""
        pages: list[Page] = [page for context in self._contexts for page in context.pages]
        files = [self._folder / f"failed-{i}.png" for i in range(len(pages))]
        for page, file in zip(pages, files, strict=True):
            page.screenshot(path=file)
        return files

    def close(self) -> None:
        for context in self._contexts:
            for event, heard in self._listeners.items():
                context.remove_listener(event, heard)
            self._lender.take_back(context, self.hosts)


@pytest.fixture(scope="package")
def contexts(browser: Browser) -> Contexts:
    return Contexts(browser)


@pytest.fixture
def watched(contexts: Contexts, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(contexts, tmp_path)
    yield watched
    if request.node.stash.get(_FAILED, False):
        print("screenshots:", *watched.photograph())
    watched.close()
    assert watched.wrong == []


@pytest.fixture
def visit(watched: Watched) -> Visit:
    """Open the page at an address in a browser of its own, or in `context`, one that was there before."""

    def visit(url: str, context: BrowserContext | None = None, settled: bool = True, **options: object) -> Desk:
        watched.hosts.add(url.partition("://")[2].partition("/")[0])
        return Desk.open((context or watched.context(**options)).new_page(), url, settled)

    return visit


@pytest.fixture
def keep(request: pytest.FixtureRequest, tmp_path: Path) -> Keep:
    """Take a picture of the page as it is; it must not be empty."""
    writing = request.config.getoption("--screenshots")

    def keep(desk: Desk, name: str) -> None:
        desk.page.mouse.move(2, 2)
        desk.page.evaluate("document.activeElement?.blur()")
        desk.page.wait_for_timeout(250 if writing else 50)
        picture = Image.open(io.BytesIO(desk.page.screenshot(animations="disabled", caret="hide"))).convert("RGB")
        colours = picture.getcolors(maxcolors=1 << 24)
        assert colours is not None
        assert len(colours) > 40
        if writing:
            DOCS.mkdir(parents=True, exist_ok=True)
            picture.quantize(128).save(DOCS / f"{name}.png", optimize=True)
        else:
            picture.save(tmp_path / f"{name}.png", compress_level=1)

    return keep


# ---- the studio of stand-ins


@pytest.fixture(scope="package")
def _demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, str]]:
    settings = Settings(demo=True, home=tmp_path_factory.mktemp("demo"), port=0, _env_file=None)  # pyright: ignore
    with Studio(settings) as studio, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(studio.instance.shown))  # as app.py does
        yield studio, open_page(studio)
        gradio.close_all(verbose=False)


@pytest.fixture
def studio(_demo: tuple[Studio, str]) -> Iterator[Studio]:
    """A studio of stand-ins in this process, as new: no jobs, no conversations."""
    studio, cards = _demo[0], _demo[0].catalog
    FakeModel.peak = 0
    yield studio
    for job in studio.jobs():
        job.cancel()
    for job in studio.jobs():
        list(job.events())
    studio._runner.register._jobs.clear()
    for chat in studio.chats.list():
        studio.chats.delete(chat.id)
    shutil.rmtree(studio.home.captions, ignore_errors=True)
    _use(studio, cards)


def _use(studio: Studio, catalog: Catalog) -> None:
    """Other models from now on; none of those loaded stays."""
    studio.catalog = studio._intake._catalog = studio.models._catalog = catalog
    studio.models.unload()


def slowed(studio: Studio, seconds: float) -> None:
    """Let every step of a studio's stand-ins take so many seconds."""
    cards = {id: replace(card, options={"step_seconds": seconds}) for id, card in studio.catalog.cards.items()}
    _use(studio, replace(studio.catalog, cards=MappingProxyType(cards)))


@pytest.fixture
def url(studio: Studio, _demo: tuple[Studio, str]) -> str:
    """Where the studio of stand-ins is."""
    return _demo[1]


@pytest.fixture
def pace(studio: Studio) -> Callable[[float], None]:
    """Let every step of the stand-ins take so many seconds."""

    return lambda seconds: slowed(studio, seconds)


class Gate:
    """How far the stand-ins go: where it is shut they wait at a step, however long a test takes to look."""

    def __init__(self) -> None:
        self._changed, self._left, self._firm = threading.Condition(), math.inf, False

    def shut(self, after: float = 0, firm: bool = False) -> None:
        """Let so many steps more through; `firm`: hold the next also where it is stopped or skipped."""
        with self._changed:
            self._left, self._firm = after, firm
            self._changed.notify_all()

    def open(self) -> None:
        """Let all through."""
        self.shut(math.inf)

    def step(self, job: Job) -> None:
        """Called by a stand-in before each of its steps."""
        with self._changed:
            skip = getattr(job, "_skip", None)  # a sketch has none
            while self._left < 1 and (self._firm or not (job.cancelled or (skip and skip.is_set()))):
                self._changed.wait(0.01)
            self._left = max(self._left - 1, 0)


@pytest.fixture
def gate(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Hold the stand-ins in the middle of a job. It is open at first."""
    gate, step = Gate(), FakeModel._step

    def held(model: FakeModel, context: Any, done: int, total: int = 0) -> None:
        gate.step(context.job)
        step(model, context, done, total)

    monkeypatch.setattr(FakeModel, "_step", held)
    yield gate
    gate.open()


@pytest.fixture
def desk(visit: Visit, url: str) -> Desk:
    """A first visit to the studio of stand-ins."""
    return visit(url)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve a studio with settings of its own: (studio, address)."""
    opened: list[Studio] = []

    def serve(**settings: object) -> tuple[Studio, str]:
        options = {"home": tmp_path / "home", "port": 0, "_env_file": None} | settings
        studio = Studio(Settings(**options))  # pyright: ignore
        opened.append(studio)
        return studio, open_page(studio)

    yield serve
    for studio in opened:
        studio.close()


# ---- the real thing


@pytest.fixture(scope="module")
def program(starter_home: Path) -> Iterator[Program]:
    """The app with the starter models, as `python app.py` starts it; one for all tests of a file."""
    shutil.rmtree(starter_home / "chats", ignore_errors=True)
    with Program(starter_home) as program:
        yield program
