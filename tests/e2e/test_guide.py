"""docs/guide.md, walked as somebody who reads it would: a series, a training set, a loop."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Keep
from e2e.desk import PATIENCE, Desk
from e2e.test_library import Shelf
from e2e.test_series import pick, series
from studio.requests import ImageRequest
from studio.service import Studio

IDEA, ROWS = "a {colour} {animal}, flat", "colour = blue, orange\nanimal = owl, fox"

pytestmark = pytest.mark.timeout(300)


def test_a_series_of_pictures_from_one_idea(desk: Desk, studio: Studio) -> None:
    desk.go("image")
    series(desk, IDEA, ROWS)
    expect(desk.find("series-line")).to_contain_text("4 pictures")
    expect(desk.find("series-line")).to_contain_text("a blue owl, flat")
    desk.painted(4)
    pick(desk, 2)
    before = desk.pictures.first.get_attribute("src") or ""
    desk.find("picks-vary").click()
    expect(desk.pictures.first).not_to_have_attribute("src", before, timeout=PATIENCE)
    desk.idle()
    expect(desk.pictures).to_have_count(4)
    relatives = studio.library.recent("image", 4)
    assert {one.recipe["parameters"]["prompt"] for one in relatives} == {"a blue fox, flat"}
    assert len({one.recipe["parameters"]["variation_seed"] for one in relatives}) == 4


def test_a_captioned_training_set(desk: Desk, studio: Studio, keep: Keep, tmp_path: Path) -> None:
    for number, animal in enumerate(("owl", "fox", "hare")):
        list(studio.submit(ImageRequest(prompt=f"a blue {animal}, linocut", seed=number, steps=1)).events())
    shelf = Shelf(desk)
    shelf.box.get_by_role("searchbox").fill("linocut")
    expect(shelf.tiles()).to_have_count(3)
    for box in shelf.box.locator(".a-lib-check").all():
        box.check()
    shelf.press("Caption them")
    desk.tab = "caption"
    expect(desk.find("files").locator(".file-preview tr, .file")).to_have_count(3, timeout=PATIENCE)
    desk.find("dry").locator("input").uncheck()
    desk.run()
    expect(desk.find("run-line")).to_contain_text("written 3", timeout=PATIENCE)
    desk.idle()
    first = desk.page.locator("#caption-list textarea").first
    first.fill("mystyle, a picture in blue")
    expect(desk.find("said")).to_contain_text("Saved")
    keep(desk, "guide-captions-en-light-1440")
    with desk.page.expect_download() as coming:
        desk.page.get_by_role("button", name="Download metadata.jsonl").click()
    rows = [json.loads(line) for line in Path(coming.value.path()).read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 3
    assert "mystyle, a picture in blue" in {row["text"] for row in rows}

    shelf = Shelf(desk)
    shelf.box.get_by_role("searchbox").fill("linocut")
    expect(shelf.tiles()).to_have_count(3)
    for box in shelf.box.locator(".a-lib-check").all():
        box.check()
    with desk.page.expect_download() as coming:
        shelf.press("Export for training")
    with zipfile.ZipFile(Path(coming.value.path())) as packed:
        packed.extractall(tmp_path / "set")
    rows = [json.loads(line) for line in (tmp_path / "set" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["text"] for row in rows} == {f"a blue {animal}, linocut" for animal in ("owl", "fox", "hare")}
    for row in rows:
        with Image.open(tmp_path / "set" / row["file_name"]) as picture:
            picture.load()


def test_a_looping_track_for_a_picture(desk: Desk, studio: Studio, keep: Keep) -> None:
    desk.go("image").paint("a ship on the sea, painted")
    desk.press("Caption this")
    desk.tab = "caption"
    expect(desk.page.locator("#caption-image img")).to_be_visible(timeout=PATIENCE)
    desk.run()
    expect(desk.field("text")).not_to_have_value("", timeout=PATIENCE)
    desk.idle()
    said = desk.field("text").input_value()
    desk.press("Use as mood for music")
    desk.tab = "music"
    expect(desk.field("prompt")).to_have_value(said, timeout=PATIENCE)
    desk.find("loop").locator("input").check()
    desk.type("8", "bars").type("120", "tempo").run()
    expect(desk.takes).to_have_count(1, timeout=PATIENCE)
    desk.idle()
    keep(desk, "guide-loop-en-light-1440")
    asked = studio.library.recent("music", 1)[0].recipe["parameters"]
    assert (asked["prompt"], asked["loop"], asked["bars"], asked["tempo"]) == (said, True, 8, 120.0)
