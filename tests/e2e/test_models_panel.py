"""The panel of models: what it shows, what its buttons do, and that it can be used without a mouse."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import Locator, expect

from e2e.desk import PATIENCE, Desk
from e2e.program import Program
from studio.catalog.card import Card
from studio.devices import memory, peak_memory
from studio.engines.demo.fake import FakeEngine, FakeModel
from studio.errors import Cancelled, StudioError
from studio.requests import ImageRequest
from studio.results import Output
from studio.service import Studio
from studio.store.fetching import Progress, Told, untold
from tabs.serve import free_port

Serve = Callable[..., tuple[Studio, str]]
Visit = Callable[..., Desk]
GB = 1_000_000_000
VIEWS = [
    ("en", "light", 1440), pytest.param("zh-CN", "dark", 1440, marks=pytest.mark.picture),
    pytest.param("en", "light", 420, marks=pytest.mark.picture), ("zh-CN", "dark", 420),
]  # fmt: skip
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

    def elsewhere(self, card: Card) -> bool:
        return False

    def came(self, card: Card) -> str:
        return ""

    def fetch(self, card: Card, progress: Progress, cancelled: Callable[[], bool], told: Told = untold) -> Path:
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

    def model_hash(self, card: Card) -> str:
        return card.id and ""

    def close(self) -> None: ...


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
    monkeypatch.setattr(peak_memory, "private_of_all", lambda *_: 0)
    studio, url = serve(device="cpu", keep_alive=300, prepare=False)
    cards = {id: replace(card, engine="fake") for id, card in studio.catalog.cards.items()}
    catalog = replace(studio.catalog, cards=MappingProxyType(cards))
    studio.catalog = studio._intake._catalog = studio.models._catalog = catalog
    studio.store = studio._runner._store = studio._intake._store = shelf  # pyright: ignore[reportAttributeAccessIssue]
    studio.models._store = studio._runner._fetching._store = shelf  # pyright: ignore[reportAttributeAccessIssue]
    studio._runner._specs = replace(studio._runner._specs, store=shelf)  # pyright: ignore[reportArgumentType]
    for card in cards.values():
        if card.source.kind == "bundled":
            shelf.here[card.id] = card.disk_bytes
    for manager in studio._runner.fleet:
        monkeypatch.setattr(manager._budget, "_read", lambda _: memory.Reading(16 * GB, 11_200_000_000))
    yield studio, url
    shelf.go.set()


@pytest.fixture
def busy(stocked: tuple[Studio, str], shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
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
    monkeypatch.setattr(FakeModel, "_paint", lambda *_: shelf.go.wait(60) and Output())
    studio = stocked[0]

    def make() -> None:
        manager = studio._runner.fleet.processor
        for model in ("smolvlm-256m", "composer"):
            list(studio.models.load(model).events())
        manager._tell(lambda now: manager._core.tick(now + 301))  # their time is over
        for model in ("sd-turbo", "qwen3-06b", "observer"):
            list(studio.models.load(model).events())
        studio.models.pin("qwen3-06b", True)
        studio.models.download("musicgen-small")
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


def test_a_download_shows_its_bytes_and_can_be_stopped(panel: Desk, shelf: Shelf) -> None:
    music = row(panel, "musicgen-small")
    press(panel, "musicgen-small", "download")
    expect(music).to_have_attribute("data-state", "downloading")
    expect(music).to_contain_text("of 2.4 GB")
    expect(music.locator(".a-fill")).to_have_attribute("style", re.compile(r"width:50\.0%"))
    press(panel, "musicgen-small", "cancel")
    expect(music).to_have_attribute("data-state", "absent")
    press(panel, "musicgen-small", "download")
    expect(music).to_have_attribute("data-state", "downloading")
    shelf.go.set()
    expect(music).to_have_attribute("data-state", "disk")
    panel.page.keyboard.press("Escape")
    panel.go("music").page.locator("#music-model input").click()  # the tab's own list has heard of it
    expect(panel.page.get_by_role("option", name=re.compile("MusicGen small.* ready"))).to_be_visible()


def test_what_a_run_fetched_is_no_longer_offered_for_download(
    stocked: tuple[Studio, str], shelf: Shelf, visit: Visit
) -> None:
    shelf.here = {"qwen3-06b": 484_000_000}
    desk = visit(stocked[1]).go("image")
    expect(desk.field("model")).to_have_value(re.compile("not downloaded"))
    expect(desk.find("download")).to_be_visible()
    shelf.go.set()
    desk.paint("hills")
    expect(desk.field("model")).to_have_value(re.compile("ready"))
    expect(desk.find("download")).to_be_hidden()


def test_what_others_fetch_and_delete_is_seen_without_opening_the_page_anew(
    stocked: tuple[Studio, str], shelf: Shelf, visit: Visit
) -> None:
    studio, url = stocked
    desk = visit(url).go("music")
    shelf.go.set()
    desk.field("model").click()
    desk.page.get_by_role("option", name=re.compile("MusicGen small.* not downloaded")).click()
    expect(desk.find("download")).to_be_visible()
    list(studio.models.download("musicgen-small", "another page").events())
    expect(desk.field("model")).to_have_value(re.compile("MusicGen small.* ready"))
    expect(desk.find("download")).to_be_hidden()
    studio.models.delete("musicgen-small")
    expect(desk.field("model")).to_have_value(re.compile("MusicGen small.* not downloaded"))
    expect(desk.find("download")).to_be_visible()


def test_deleting_asks_first(panel: Desk, shelf: Shelf) -> None:
    sd = row(panel, "sd-turbo")
    press(panel, "sd-turbo", "ask")
    question = sd.get_by_role("group")
    expect(question).to_contain_text("Delete 2.6 GB from disk?")
    expect(question.get_by_text("Keep")).to_be_focused()
    panel.page.keyboard.press("Enter")
    expect(question).to_be_hidden()
    expect(sd.locator("[data-do=ask]")).to_be_focused()
    assert "sd-turbo" in shelf.here
    panel.page.keyboard.press("Enter")
    question.get_by_text("Delete", exact=True).click()
    expect(sd).to_have_attribute("data-state", "absent")
    assert "sd-turbo" not in shelf.here


def test_a_load_that_failed_says_why_and_is_tried_again(panel: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    load = FakeEngine.load

    def fail(_: FakeEngine, card: Card, *__: object) -> FakeModel:
        raise StudioError("broken_model", model=card.title, reason="a file of it ends too early")

    monkeypatch.setattr(FakeEngine, "load", fail)
    press(panel, "sd-turbo", "load")
    sd = row(panel, "sd-turbo")
    expect(sd).to_have_attribute("data-state", "failed")
    expect(sd).to_contain_text("a file of it ends too early")
    expect(sd.locator("time")).to_contain_text("0:0")
    monkeypatch.setattr(FakeEngine, "load", load)
    press(panel, "sd-turbo", "again")
    expect(sd).to_have_attribute("data-state", "ready")


def test_the_panel_is_used_without_a_mouse(stocked: tuple[Studio, str], visit: Visit) -> None:
    desk = visit(stocked[1])
    keys = desk.page.keyboard
    opener = desk.page.locator("#head [data-models]")
    opener.focus()
    keys.press("Enter")
    drawer = desk.page.get_by_role("dialog", name="Models")
    expect(drawer.get_by_role("heading", name="Models")).to_be_focused()
    expect(row(desk, "sd-turbo")).to_be_visible()
    names = []
    while "Load: SD-Turbo" not in names and len(names) < 120:
        keys.press("Tab")
        names.append(desk.page.evaluate("(document.activeElement.ariaLabel || document.activeElement.innerText)"))
        assert desk.page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('#models')"
        )
    keys.press("Enter")
    expect(row(desk, "sd-turbo")).to_have_attribute("data-state", "ready")
    expect(drawer.get_by_role("status").last).to_have_text("SD-Turbo: Ready")
    assert desk.page.evaluate("document.activeElement.closest('.a-model')?.dataset.id") == "sd-turbo"
    keys.press("Escape")
    expect(drawer).to_be_hidden()
    expect(opener).to_be_focused()


def test_escape_in_the_panel_stops_no_job(panel: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    panel.page.keyboard.press("Escape")
    going = threading.Event()
    monkeypatch.setattr(FakeModel, "_paint", lambda *_: going.wait(60) and Output())
    panel.go("image").type("hills").run()
    expect(panel.find("stop")).to_be_visible()
    panel.page.locator("#strip [data-models]").click()  # it opens from the strip, too
    expect(panel.page.locator("#models")).to_be_visible()
    panel.page.keyboard.press("Escape")
    expect(panel.page.locator("#models")).to_be_hidden()
    expect(panel.find("stop")).to_be_visible()
    going.set()


def test_a_closed_panel_asks_for_nothing(panel: Desk) -> None:
    asked: list[str] = []
    panel.page.on("request", lambda request: asked.append(request.post_data or ""))
    panel.until(lambda: any('"look"' in body for body in asked), 5)
    assert any('"look"' in body for body in asked)
    panel.page.keyboard.press("Escape")
    panel.page.wait_for_timeout(500)
    asked.clear()
    panel.page.wait_for_timeout(3500)
    assert not any('"look"' in body for body in asked)


def test_a_stranger_sees_states_and_no_buttons(serve: Serve, visit: Visit) -> None:
    _, url = serve(profile="space", demo=True, port=free_port("127.0.0.1", 0))
    desk = opened(visit(url))
    expect(desk.page.locator("#models .a-model-state").first).not_to_be_empty()
    assert desk.page.locator("#models .a-model [data-do]:not([data-do=licence])").count() == 0
    expect(desk.page.locator("#models .a-models-programs")).to_be_hidden()  # there is no key, so there is no API


def test_a_model_in_a_process_of_its_own_says_what_that_takes(serve: Serve, visit: Visit) -> None:
    studio, url = serve(demo=True, isolate="demo-chat")
    list(studio.models.load("demo-chat").events())
    desk = opened(visit(url))
    chat = row(desk, "demo-chat")
    expect(chat).to_contain_text(re.compile(r"in a process of its own that holds \d+ MB"))
    expect(desk.page.locator("#models .a-legend")).to_contain_text(re.compile(r"The studio itself \d"))
    press(desk, "demo-chat", "unload")
    expect(chat).not_to_contain_text("process of its own")


def test_the_panel_speaks_chinese(stocked: tuple[Studio, str], visit: Visit) -> None:
    desk = opened(visit(stocked[1], locale="zh-CN"))
    expect(desk.page.get_by_role("dialog", name="模型")).to_contain_text("需下载 2.4 GB")
    expect(row(desk, "sd-turbo").get_by_role("button", name="加载：SD-Turbo")).to_be_visible()
    expect(desk.page.locator("#models .a-models-programs")).to_contain_text(f"可通过 {stocked[1]}v1 使用这些模型")


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
    assert desk.page.evaluate(
        "(() => { const m = document.querySelector('.a-models-body'); return m.scrollWidth <= m.clientWidth; })()"
    )
    keep(desk, f"models-{language}-{theme}-{width}")
    desk.page.locator("#models .a-filter label").nth(1).click()
    keep(desk, f"models-here-{language}-{theme}-{width}")


def test_the_studio_starts_again_from_the_page_and_the_page_comes_back(tmp_path: Path, visit: Visit) -> None:
    with Program(tmp_path / "home") as program:
        desk = opened(visit(program.url))
        before = desk.page.evaluate("window.gradio_config.app_id")
        button = "<button data-do=restart>x</button>"  # as it is there when a device hangs
        desk.page.locator(".a-models-body").evaluate("(body, it) => body.insertAdjacentHTML('beforeend', it)", button)
        with desk.page.expect_event("load", timeout=PATIENCE):
            desk.page.locator("#models [data-do=restart]").click()
            expect(desk.page.locator("#models")).to_contain_text("This page comes back by itself")
        expect(desk.page.locator("#chat-prompt textarea")).to_be_visible()
        assert desk.page.url == program.url
        assert desk.page.evaluate("window.gradio_config.app_id") != before
