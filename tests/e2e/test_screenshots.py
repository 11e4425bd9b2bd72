"""Pictures of every tab in both languages, both themes and two widths: for people to look at, plain faults checked.

`python start.py test tests/e2e/test_screenshots.py --screenshots` writes docs/screenshots anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Gate, Serve
from e2e.desk import Desk, Tab
from e2e.test_library import Shelf, fill
from studio.devices import memory
from studio.engines.base import Context
from studio.engines.demo.fake import FakeModel
from studio.recipes import recipe
from studio.requests import CodeRequest, ImageRequest, MusicRequest
from studio.results import Output
from studio.service import Studio

MORE = pytest.param("zh-CN", "dark", 1440, marks=pytest.mark.picture)
WIDE = pytest.param("en", "light", 1440, marks=pytest.mark.picture)
VIEWS = [WIDE, MORE, ("en", "light", 420)]
WORDS = {
    "chat": "Why is the sky blue?", "image": "hills at dawn", "music": "calm piano", "caption": "",
    "code": "def area(radius: float) -> float:",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _same_figures_each_time(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, seconds and speed as they might be, so that the pictures differ only where the page does."""
    say, make = FakeModel._say, recipe.make_recipe
    for manager in studio._runner.fleet:
        monkeypatch.setattr(manager._budget, "_read", lambda _: memory.Reading(16_000_000_000, 11_200_000_000))
    monkeypatch.setattr(recipe, "make_recipe", lambda *values, **named: make(*values, **(named | {"seconds": 3.2})))

    def steady(model: FakeModel, text: str, context: Context, opening: str = "") -> Output:
        output = say(model, text, context, opening)
        return replace(output, stats=dict(output.stats) | {"tokens_per_second": 90.0})

    monkeypatch.setattr(FakeModel, "_say", steady)


def _work(desk: Desk, tab: Tab, picture: Path) -> None:
    """A result in the open tab."""
    if tab == "caption":
        desk.page.locator("#caption-image input[type=file]").set_input_files(picture)
        expect(desk.page.locator("#caption-image img")).to_be_visible()
    elif tab == "code":
        desk.write(WORDS["code"])
    else:
        desk.type(WORDS[tab])
    if tab in ("image", "music", "caption"):
        desk.more().type("7", "seed")
        expect(desk.field("seed")).to_have_value("7")
        desk.more()
    desk.find("run").click()
    result = {
        "chat": "#chat-talk .bot-row", "image": "#image-gallery img", "music": ".a-take .a-play",
        "code": "#code-accept", "caption": "#caption-text textarea",
    }  # fmt: skip
    expect(desk.page.locator(result[tab]).first).to_be_visible()
    desk.idle()
    expect(desk.page.locator("#strip-text .a-job")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "theme", "width"),
    [
        ("en", "light", 1440),
        MORE,
        ("zh-CN", "dark", 420),
        *(pytest.param("en", "light", width, marks=pytest.mark.picture) for width in (420, 1920)),
    ],
)
def test_every_tab_looks_right_empty_and_with_a_result(
    visit: Callable[..., Desk], url: str, keep: Callable[[Desk, str], None], tmp_path: Path,
    language: str, theme: str, width: int,
) -> None:  # fmt: skip
    height = {420: 860, 1440: 900, 1920: 1080}[width]
    desk = visit(url, locale=language, color_scheme=theme, viewport={"width": width, "height": height})
    upload = tmp_path / "upload.png"
    Image.linear_gradient("L").resize((640, 420)).save(upload)
    tabs: tuple[Tab, ...] = ("chat", "image", "music", "code", "caption")
    for tab in tabs:
        desk.go(tab)
        assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{tab} scrolls sideways"
        assert desk.page.evaluate("document.body.classList.contains('dark')") == (theme == "dark")
        if (language, theme) == ("en", "light"):
            desk.page.evaluate("scrollTo(0, 0)")
            keep(desk, f"{tab}-empty-{language}-{theme}-{width}")
        _work(desk, tab, upload)
        assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{tab} scrolls sideways"
        assert desk.error.count() == 0
        keep(desk, f"{tab}-{language}-{theme}-{width}")


@pytest.mark.parametrize(("language", "theme", "width"), VIEWS)
def test_the_parts_of_the_image_tab_look_right(
    visit: Callable[..., Desk], url: str, keep: Callable[[Desk, str], None], language: str, theme: str, width: int
) -> None:
    desk = visit(url, locale=language, color_scheme=theme, viewport={"width": width, "height": 1000}).go("image")
    for part in ("more", "start", "detail", "grid", "files"):
        desk.fold(part)
        expect(desk.find(part)).to_be_visible()
        desk.find(f"{part}-fold").evaluate("(button) => button.scrollIntoView()")
        assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{part} scrolls sideways"
        keep(desk, f"image-{part}-{language}-{theme}-{width}")
        desk.fold(part)


@pytest.mark.parametrize(("language", "theme", "width"), VIEWS)
def test_many_pictures_look_right(
    visit: Callable[..., Desk], url: str, keep: Callable[[Desk, str], None], tmp_path: Path,
    language: str, theme: str, width: int,
) -> None:  # fmt: skip
    sent = []
    for number, colour in enumerate(("#7a9e7e", "#c8553d", "#588b8b", "#f28f3b"), 1):
        file = tmp_path / f"photo {number}.png"
        shades = Image.linear_gradient("L").resize((120, 90)).convert("RGB")
        Image.blend(shades, Image.new("RGB", (120, 90), colour), 0.6).save(file)
        sent.append(file)
    (tmp_path / "photo 2.txt").write_text("a terracotta wall")
    desk = visit(url, locale=language, color_scheme=theme, viewport={"width": width, "height": 900}).go("caption")
    desk.find("what").get_by_role("radio").nth(1).click()
    desk.find("mode").get_by_role("radio").nth(2).click()
    desk.page.locator("#caption-files input[type=file]").set_input_files([*sent, tmp_path / "photo 2.txt"])
    expect(desk.find("files")).to_contain_text("photo")
    desk.run()
    expect(desk.page.locator(".a-row")).to_have_count(4)
    expect(desk.page.locator(".a-row img")).to_have_count(4)
    desk.idle()
    if width < 800:
        desk.find("run-line").evaluate("(line) => line.scrollIntoView()")
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep(desk, f"caption-many-{language}-{theme}-{width}")


@pytest.mark.parametrize(("language", "theme", "width"), VIEWS)
def test_the_library_looks_right(
    visit: Callable[..., Desk], serve: Serve, keep: Callable[[Desk, str], None], language: str, theme: str, width: int
) -> None:
    studio, url = serve(demo=True)
    fill(studio)
    for prompt, seed in (("hills at dawn", 5), ("the sea in winter", 9)):
        asked = ImageRequest(prompt=prompt, count=4, seed=seed, width=256, height=256)
        list(studio.submit(asked).events())
    desk = visit(url, locale=language, color_scheme=theme, viewport={"width": width, "height": 900})
    shelf = Shelf(desk)
    expect(shelf.tiles()).to_have_count(13)
    if width == 1440 and language == "en":
        for place in range(3):
            shelf.box.locator(".a-lib-picture").nth(place).focus()
            desk.page.keyboard.press(" ")
    shelf.box.locator(".a-lib-picture").first.click()
    expect(shelf.box.locator(".a-lib-details dl")).to_be_visible()
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width < 800:
        keep(desk, f"library-details-{language}-{theme}-{width}")
        desk.page.keyboard.press("Escape")
    keep(desk, f"library-{language}-{theme}-{width}")
    shelf.box.locator(".a-lib-tools [data-do=disk]").click()
    expect(shelf.box.locator(".a-lib-parts li")).not_to_have_count(0)
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("language", "theme", "width"), VIEWS)
def test_the_queue_looks_right(
    visit: Callable[..., Desk],
    studio: Studio,
    gate: Gate,
    url: str,
    keep: Callable[[Desk, str], None],
    language: str,
    theme: str,
    width: int,
) -> None:
    list(studio.submit(MusicRequest(prompt="a slow waltz", duration=2), "me").events())
    pace = studio._runner.pace
    pace._seconds.known.clear()  # what earlier tests took
    gate.shut(3)
    first = studio.submit(ImageRequest(prompt="a lighthouse in the fog", steps=8), "me")
    asked = [
        ImageRequest(prompt="the same in winter"), CodeRequest(prefix="def area(radius):\n    return "),
        ImageRequest(prompt="three foxes in the snow"),
    ]  # fmt: skip
    jobs = [studio.submit(one, "me") for one in asked]
    studio.queue.hold(jobs[2].id, None, True)
    desk = visit(url, locale=language, color_scheme=theme, viewport={"width": width, "height": 900})
    desk.until(lambda: first.snapshot().step == 3)
    desk.page.locator("[data-queue]").click()
    expect(desk.page.locator("#queue li")).to_have_count(5)
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep(desk, f"queue-{language}-{theme}-{width}")


def test_a_grid_and_a_comparison_look_right(desk: Desk, keep: Callable[[Desk, str], None]) -> None:
    desk.go("image").type("7", "seed").fold("grid").choose("x-field", "Steps").type("2, 4, 6", "x-values")
    desk.choose("y-field", "Guidance scale").type("1-9 [2]", "y-values").paint("hills at dawn", 6)
    keep(desk, "image-grid-made-en-light-1440")
    desk.fold("grid").press("Compare")
    expect(desk.find("slider").locator("img")).to_have_count(2)
    desk.find("slider").evaluate("(slider) => slider.scrollIntoView({block: 'end'})")
    keep(desk, "image-compare-en-light-1440")


def test_work_in_progress_looks_right(desk: Desk, gate: Gate, keep: Callable[[Desk, str], None]) -> None:
    gate.shut(after=3)
    desk.go("image").type("hills at dawn").more().type("7", "seed").type("8", "steps").more().run()
    expect(desk.progress).to_contain_text("Step 3 of 8")
    expect(desk.page.locator(".a-cells img")).to_be_visible()
    keep(desk, "image-running-en-light-1440")


def test_an_error_looks_right(desk: Desk, keep: Callable[[Desk, str], None]) -> None:
    desk.go("image").type("hills").more().type("-3", "steps").run()
    expect(desk.error).to_contain_text("-3")
    expect(desk.error).to_be_in_viewport()
    keep(desk, "image-error-en-light-1440")


def test_a_model_to_be_fetched_shows_size_licence_and_what_to_do(
    serve: Callable[..., tuple[Studio, str]], visit: Callable[..., Desk], keep: Callable[[Desk, str], None]
) -> None:
    _, url = serve(offline=True, device="cpu")
    desk = visit(url).go("image").type("hills")
    expect(desk.page.locator("#image-download")).to_be_visible()
    expect(desk.page.locator("#tab-image .a-about, [id=image-model]").first).to_be_visible()
    desk.run()
    expect(desk.error).to_contain_text("not on this machine")
    keep(desk, "image-missing-en-light-1440")
    desk.page.locator("#image-download").click()
    expect(desk.page.locator(".a-picker [role=alert]:visible")).to_contain_text("STUDIO_OFFLINE")
