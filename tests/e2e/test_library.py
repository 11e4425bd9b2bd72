"""The library on the page: what was made in any tab is found, taken up again with all its fields, and had back."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect

from e2e.conftest import Serve, Visit
from e2e.desk import Desk
from e2e.test_axe import found
from studio.requests import CaptionRequest, CodeRequest, ImageRequest, MusicRequest
from studio.service import Studio
from studio.tasks.chat.conversation import Entry

NASTY = '<img src=x onerror="window.harmed=1"><b>hill</b>'


class Shelf:
    """The library, open."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.page = desk, desk.page
        self.box = desk.page.locator("#library")
        if not self.box.is_visible():
            desk.page.locator("[data-library]").click()
        expect(self.box.locator(".a-lib-count")).not_to_be_empty()

    def tiles(self) -> Locator:
        return self.box.locator(".a-lib-tile")

    def tile(self, name: str) -> Locator:
        return self.box.get_by_role("button", name=name).first

    def press(self, name: str) -> None:
        self.box.get_by_role("button", name=name, exact=True).first.click()

    def details(self, name: str) -> Locator:
        self.tile(name).click()
        part = self.box.locator(".a-lib-details")
        expect(part.locator("dl")).to_be_visible()
        return part

    def search(self, words: str, count: int) -> None:
        self.box.get_by_role("searchbox").fill(words)
        expect(self.tiles()).to_have_count(count)


def fill(studio: Studio) -> None:
    """Something made for every tab."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 40, 40)).save(picture, "PNG")
    for request in (
        ImageRequest(prompt="a red hill", seed=7, steps=9),
        MusicRequest(prompt="a slow waltz", duration=2),
        CodeRequest(prefix="def area(r):\n    ", language="python"),
        CaptionRequest(image=picture.getvalue()),
    ):
        list(studio.submit(request).events())
    said = Entry("user", "Why is the sky blue?"), Entry("assistant", "It scatters.")
    studio.chats.save(replace(studio.chats.new(), messages=said))


def test_everything_is_found_and_opens_in_its_tab_or_is_used_in_another(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    fill(studio)
    shelf = Shelf(desk := visit(url))  # a browser that has never seen any of it
    expect(shelf.tiles()).to_have_count(5)
    shelf.search("HILL", 1)
    shelf.search("sky", 1)
    shelf.search("", 5)
    part = shelf.details("a red hill")
    part.get_by_role("button", name="Use in").click()
    desk.page.locator(".a-lib-check").first.check()
    assert found(desk) == []

    part.get_by_role("button", name="Open in its tab").click()
    desk.tab = "image"
    expect(desk.field("prompt")).to_have_value("a red hill", timeout=20000)  # it is opened for the first time
    expect(desk.field("seed")).to_have_value("7")
    expect(desk.field("steps")).to_have_value("9")
    expect(desk.pictures).to_have_count(1)

    Shelf(desk).details("a slow waltz").get_by_role("button", name="Open in its tab").click()
    desk.tab = "music"
    expect(desk.field("prompt")).to_have_value("a slow waltz")
    expect(desk.takes).to_have_count(1)

    Shelf(desk).details("Caption,").get_by_role("button", name="Open in its tab").click()
    desk.tab = "caption"
    expect(desk.field("text")).not_to_have_value("")
    expect(desk.page.locator("#caption-image img")).to_be_visible()

    Shelf(desk).details("Code,").get_by_role("button", name="Open in its tab").click()
    expect(desk.page.locator("#code-editor .cm-content")).to_contain_text("def area(r):")
    desk.tab = "code"
    expect(desk.field("seed")).not_to_have_value("")

    Shelf(desk).details("Why is the sky blue?").get_by_role("button", name="Open in its tab").click()
    expect(desk.page.locator("#chat-talk")).to_contain_text("Why is the sky blue?")

    desk.tab = "chat"
    desk.type("what I was about to say")
    _use(desk, "Words for chat")
    expect(desk.field("prompt")).to_have_value("a red hill")
    desk.page.get_by_role("button", name="Bring back your text").click()  # what was replaced is one step away
    expect(desk.field("prompt")).to_have_value("what I was about to say")
    _use(desk, "Start of a picture")
    expect(desk.page.locator("#image-picture canvas").first).to_be_visible()
    _use(desk, "Caption it", shift=True)  # and runs
    expect(desk.page.locator("#strip-text, #caption-progress").filter(has_text="Caption").first).to_be_visible()


def test_marks_and_deleting_by_the_keyboard_alone(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    _many(studio, 4)
    desk = visit(url)
    desk.page.locator("[data-library]").focus()
    desk.page.keyboard.press("Enter")
    shelf = Shelf(desk)
    shown, keys = shelf.box.locator(".a-lib-open"), desk.page.keyboard
    expect(shown).to_have_count(4)
    shelf.box.get_by_role("searchbox").focus()
    for key, place in (("ArrowDown", 0), ("ArrowRight", 1), ("End", 3)):
        keys.press(key)
        expect(shown.nth(place)).to_be_focused()
    keys.press("Enter")
    expect(shelf.box.locator(".a-lib-details h3")).to_be_focused()
    keys.press("Escape")
    expect(shown.nth(3)).to_be_focused()
    for key in (" ", "ArrowLeft", " "):
        keys.press(key)
    expect(shelf.box.locator(".a-lib-bar")).to_contain_text("2 selected")
    shelf.box.get_by_role("button", name="Compare").focus()
    keys.press("Enter")
    expect(shelf.box.locator(".a-lib-side img")).to_have_count(2)
    keys.press("Escape")
    expect(shelf.box.locator(".a-lib-side")).to_have_count(0)

    shelf.box.get_by_placeholder("Tags, parted by commas").focus()
    keys.insert_text("best, 秋天")
    keys.press("Enter")
    shelf.box.get_by_role("combobox", name="Tag").select_option("秋天")
    expect(shown).to_have_count(2)
    shelf.box.get_by_role("combobox", name="Tag").select_option("")
    expect(shown).to_have_count(4)
    shelf.press("Select nothing")
    shown.nth(1).focus()
    keys.press("s")
    expect(shown.nth(1)).to_have_accessible_name(re.compile("Starred"))
    name = shown.nth(1).get_attribute("title") or ""
    keys.press("Delete")
    expect(shown).to_have_count(3)
    shelf.box.get_by_role("button", name="Undo").focus()
    keys.press("Enter")
    expect(shown).to_have_count(4)
    expect(shelf.tile(name)).to_be_focused()
    assert len(studio.library.stars.all()) == 1
    keys.press("Escape")
    expect(shelf.box).not_to_be_visible()
    expect(desk.page.locator("[data-library]")).to_be_focused()


def test_what_goes_out_comes_in_and_makes_room(visit: Visit, serve: Serve, tmp_path: Path) -> None:
    studio, url = serve(demo=True)
    _many(studio, 1)
    desk = visit(url)
    shelf = Shelf(desk)
    shelf.tile("hill 0").focus()
    desk.page.keyboard.press(" ")
    for press, name in (("Export as zip", "contact-sheet.jpg"), ("Export for training", "metadata.jsonl")):
        with desk.page.expect_download() as coming:
            shelf.press(press)
        coming.value.save_as(tmp_path / "got.zip")
        with zipfile.ZipFile(tmp_path / "got.zip") as packed:
            assert name in packed.namelist()
    Image.new("RGB", (40, 30), (90, 20, 60)).save(tmp_path / "my photo.png")
    (tmp_path / "tool.exe").write_bytes(b"MZ")
    shelf.box.locator(".a-lib-files").set_input_files([tmp_path / "my photo.png", tmp_path / "tool.exe"])
    expect(shelf.tiles()).to_have_count(2)
    expect(shelf.box.locator(".a-lib-said")).to_contain_text("1 taken in.")
    expect(shelf.box.locator(".a-lib-said")).to_contain_text("tool.exe")
    shelf.press("Disk and trash")
    shelf.box.get_by_label("Keep outputs below, in GB").fill("0.000000001")
    shelf.press("See what would go")
    expect(shelf.box.locator(".a-lib-would")).to_contain_text("2 outputs")
    assert found(desk) == []
    shelf.press("Move to trash")
    shelf.box.get_by_role("button", name="Bring back").click()
    expect(shelf.box.get_by_text("The trash is empty.")).to_be_visible()
    desk.page.keyboard.press("Escape")
    expect(shelf.tiles()).to_have_count(2)


def test_many_are_read_page_by_page_and_their_pictures_when_they_are_seen(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    _many(studio, 199)
    _many(studio, 1, NASTY)
    desk = visit(url)
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url) if "/atelier/library" in request.url else None)
    shelf = Shelf(desk)
    expect(shelf.box.locator(".a-lib-count")).to_have_text("200 items")
    expect(shelf.tiles().first).to_be_visible()
    assert shelf.tiles().count() < 200
    for _ in range(3):  # quicker than the pages come
        shelf.box.locator(".a-lib-grid").evaluate("(grid) => grid.scrollTo(0, 1e6)")
        desk.page.wait_for_timeout(60)
    shelf.desk.until(lambda: _at_the_end(shelf))
    expect(shelf.tiles()).to_have_count(200)
    ids = shelf.tiles().evaluate_all("(tiles) => tiles.map((tile) => tile.dataset.id)")
    assert len(set(ids)) == 200
    assert sum("?first" in one or "after=" in one for one in asked) == 4
    shelf.search("harmed", 1)
    expect(shelf.details("hill").locator("h3")).to_contain_text("<b>hill</b>")  # a prompt is never a part of the page
    assert desk.page.evaluate("window.harmed") is None


def _at_the_end(shelf: Shelf) -> bool:
    shelf.box.locator(".a-lib-grid").evaluate("(grid) => grid.scrollTo(0, 1e6)")
    return shelf.tiles().count() == 200


def _use(desk: Desk, name: str, shift: bool = False) -> None:
    part = Shelf(desk).details("a red hill")
    part.get_by_role("button", name="Use in").click()
    part.get_by_role("button", name=name).click(modifiers=["Shift"] if shift else [])


def _many(studio: Studio, count: int, prompt: str = "hill {}") -> None:
    """Outputs without a job behind them."""
    from studio.recipes import recipe
    from studio.results import Output

    for seed in range(count):
        made = {
            "format": recipe.FORMAT, "task": "image", "seed": seed, "made": "2026-01-31T12:00:00+00:00", "software": {},
            "model": {"id": "m", "title": "M", "revision": "", "licence": "MIT", "licence_url": "", "commercial": True},
            "parameters": {"prompt": prompt.format(seed)}, "device": "cpu", "finish": "stop", "seconds": 0.5,
        }  # fmt: skip
        colour = (seed % 256, 90, 60)
        studio.library.save("image", Output(images=(Image.new("RGB", (8, 8), colour),), seeds=(seed,)), made)
