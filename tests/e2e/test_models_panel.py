"""The panel of models: what it shows, what its buttons do, and that it can be used without a mouse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import Locator, expect

from e2e.desk import Desk
from studio.cards import Card
from studio.engines.fake import FakeEngine, FakeModel
from studio.errors import Cancelled, StudioError
from studio.manager import gauge
from studio.requests import ImageRequest
from studio.service import Studio
from studio.sources.pieces import Progress
from studio.types import Output

Serve = Callable[..., tuple[Studio, str]]
Visit = Callable[..., Desk]
GB = 1_000_000_000
VIEWS = [("en", "light", 1440), ("zh-CN", "dark", 1440), ("en", "light", 420), ("zh-CN", "dark", 420)]
STATES = {"sd-turbo": "working", "qwen3-06b": "ready", "smolvlm-256m": "parked_state", "musicgen-small": "downloading",
          "observer": "failed", "sdxl-base": "absent"}  # fmt: skip


class Shelf:
    """Files that are there or not, as a test says; a download stops half-way until it is let go."""

    def __init__(self, here: dict[str, int]) -> None:
        self.here = here
        self.go = threading.Event()

    def state(self, card: Card) -> str:
        return "ready" if card.id in self.here else "absent"

    def bytes_on_disk(self, card: Card) -> int:
        return self.here.get(card.id, 0)

    def path(self, card: Card) -> Path:
        if card.id not in self.here:
            raise StudioError("not_on_disk", model=card.title, size="")
        return Path()

    def fetch(self, card: Card, progress: Progress, cancelled: Callable[[], bool]) -> Path:
        for step in range(1, 9):
            progress(card.disk_bytes * step // 16, card.disk_bytes)
            time.sleep(0.02)
        while not self.go.wait(0.02):
            if cancelled():
                raise Cancelled
        self.here[card.id] = card.disk_bytes
        return Path()

    def delete(self, card: Card) -> int:
        return self.here.pop(card.id)

    def revision(self, card: Card) -> str:
        return card.id and ""


class Parking(FakeModel):
    """A stand-in that can leave its device."""

    def parked_nbytes(self) -> int | None:
        return 0

    def park(self) -> None:
        pass

    def place(self) -> None:
        pass


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf({"sd-turbo": 2_580_000_000, "qwen3-06b": 484_000_000, "smolvlm-256m": 516_000_000})


@pytest.fixture
def stocked(serve: Serve, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Studio, str]]:
    """The real catalogue with stand-ins for its models, on a machine with 16 GB of memory."""

    def weights(_: FakeEngine, card: Card, __: Path) -> int:
        return card.memory_bytes

    monkeypatch.setattr(FakeEngine, "weights", weights)
    monkeypatch.setattr(gauge, "private", lambda: 0)
    studio, url = serve(device="cpu", keep_alive=300, prepare=False)
    cards = {id: replace(card, engine="fake") for id, card in studio.catalog.cards.items()}
    catalog = replace(studio.catalog, cards=MappingProxyType(cards))
    studio.catalog = studio._intake._catalog = catalog
    studio.store = studio._runner._store = studio._intake._store = shelf  # pyright: ignore[reportAttributeAccessIssue]
    for card in cards.values():
        if card.source.kind == "bundled":
            shelf.here[card.id] = card.disk_bytes
    for manager in studio._runner.fleet:
        monkeypatch.setattr(manager._budget, "_read", lambda _: gauge.Reading(16 * GB, 11_200_000_000))
    yield studio, url
    shelf.go.set()


@pytest.fixture
def busy(stocked: tuple[Studio, str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let there be a model in each of STATES."""
    load = FakeEngine.load

    def loads(engine: FakeEngine, card: Card, *rest: object) -> FakeModel:
        if card.id == "observer":
            raise StudioError("broken_model", model=card.title, reason="a file of it ends too early")
        load(engine, card, *rest)  # pyright: ignore[reportArgumentType]
        return Parking(card)

    def work(_: FakeEngine, card: Card, request: object) -> int:
        return 1_300_000_000 if isinstance(request, ImageRequest) else 0

    monkeypatch.setattr(FakeEngine, "load", loads)
    monkeypatch.setattr(FakeEngine, "work", work)
    monkeypatch.setattr(FakeModel, "_paint", lambda *_: stocked[0].store.go.wait(60) and Output())
    studio = stocked[0]

    def make() -> None:
        manager = studio._runner.fleet.processor
        for model in ("smolvlm-256m", "composer"):
            list(studio.load(model).events())
        manager._tell(lambda now: manager._core.tick(now + 301))  # their time is over
        for model in ("sd-turbo", "qwen3-06b", "observer"):
            list(studio.load(model).events())
        studio.pin("qwen3-06b", True)
        studio.download("musicgen-small")
        studio.submit(ImageRequest(prompt="hills", model="sd-turbo", steps=4))

    return make


@pytest.fixture
def panel(stocked: tuple[Studio, str], visit: Visit) -> Desk:
    return opened(visit(stocked[1]))


def opened(desk: Desk) -> Desk:
    """The panel, open and drawn."""
    desk.page.locator("#head [data-models]").click()
    expect(desk.page.locator("#models .a-model").first).to_be_visible()
    return desk


def row(desk: Desk, model: str) -> Locator:
    return desk.page.locator(f"#models .a-model[data-id='{model}']")


def press(desk: Desk, model: str, what: str) -> None:
    row(desk, model).locator(f".a-model-do [data-do={what}]").click()


def test_a_model_is_loaded_pinned_and_unloaded_and_its_time_runs_down(panel: Desk) -> None:
    sd = row(panel, "sd-turbo")
    expect(sd).to_have_attribute("data-state", "disk")
    press(panel, "sd-turbo", "load")
    expect(sd).to_have_attribute("data-state", "ready")
    expect(sd).to_contain_text("in memory")
    left = sd.locator("time")
    expect(left).to_contain_text("4:5")
    first = left.inner_text()
    expect(left).not_to_have_text(first)
    press(panel, "sd-turbo", "pin")
    expect(sd).to_contain_text("pinned")
    expect(left).to_have_count(0)
    press(panel, "sd-turbo", "unpin")
    expect(left).to_have_count(1)
    press(panel, "sd-turbo", "unload")
    expect(sd).to_have_attribute("data-state", "disk")
    expect(panel.page.locator("#models .a-departures")).to_contain_text("Unloaded by hand")


@pytest.mark.parametrize(("language", "theme", "width"), VIEWS)
def test_the_panel_looks_right(
    stocked: tuple[Studio, str], busy: Callable[[], None], visit: Visit, keep: Callable[[Desk, str], None],
    language: str, theme: str, width: int,
) -> None:  # fmt: skip
    busy()
    desk = visit(stocked[1], locale=language, color_scheme=theme, viewport={"width": width, "height": 900})
    opened(desk)
    for model, state in STATES.items():
        expect(row(desk, model)).to_have_attribute("data-state", state)
    expect(row(desk, "smolvlm-256m").locator("time")).to_contain_text(":")
    desk.page.evaluate("document.querySelectorAll('#models time').forEach((time) => { time.textContent = '4:32'; })")
    assert desk.page.evaluate("(() => { const m = document.querySelector('.a-models-body'); return m.scrollWidth <= m.clientWidth; })()")
    keep(desk, f"models-{language}-{theme}-{width}")
    desk.page.locator("#models .a-filter label").nth(2).click()
    keep(desk, f"models-memory-{language}-{theme}-{width}")
