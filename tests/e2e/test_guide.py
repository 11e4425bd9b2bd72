"""docs/guide.md, walked with the starters as somebody who reads it would: a series, a training set, a loop."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from e2e.conftest import Keep, Visit
from e2e.desk import PATIENCE
from e2e.program import Program
from e2e.test_library import Shelf
from e2e.test_series import pick, series

IDEA, ROWS = "a {colour} {animal}, flat", "colour = blue, orange\nanimal = owl, fox"


@pytest.mark.timeout(300)  # sixteen runs of real models
def test_a_series_then_a_training_set(program: Program, visit: Visit, keep: Keep, tmp_path: Path) -> None:
    desk = visit(program.url).go("image")
    series(desk, IDEA, ROWS)
    expect(desk.find("series-line")).to_contain_text("4 pictures")
    expect(desk.find("series-line")).to_contain_text("a blue owl, flat")
    desk.painted(4)
    keep(desk, "guide-series-en-light-1440")
    pick(desk, 1)
    before = desk.pictures.first.get_attribute("src") or ""
    desk.find("picks-vary").click()
    expect(desk.pictures.first).not_to_have_attribute("src", before, timeout=PATIENCE)
    desk.idle()
    expect(desk.pictures).to_have_count(4)

    shelf = Shelf(desk)
    shelf.box.get_by_role("searchbox").fill("flat")
    expect(shelf.tiles()).to_have_count(8)
    for box in shelf.box.locator(".a-lib-check").all():
        box.check()
    shelf.press("Caption them")
    desk.tab = "caption"
    expect(desk.find("files").locator(".file-preview tr, .file")).to_have_count(8)
    desk.run()
    expect(desk.progress).to_contain_text(re.compile("8 of 8|8 captions"), timeout=2 * PATIENCE)
    desk.idle()
    keep(desk, "guide-captions-en-light-1440")

    shelf = Shelf(desk)
    shelf.box.get_by_role("searchbox").fill("flat")
    expect(shelf.tiles()).not_to_have_count(0)
    for box in shelf.box.locator(".a-lib-check").all():
        box.check()
    with desk.page.expect_download() as coming:
        shelf.press("Export for training")
    coming.value.save_as(tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip") as packed:
        rows = [json.loads(line) for line in packed.read("metadata.jsonl").decode().splitlines()]
        assert {row["file_name"] for row in rows} <= set(packed.namelist())
    assert len(rows) >= 8
    assert all(row["text"] for row in rows)


def test_a_loop_for_a_picture(program: Program, visit: Visit, keep: Keep) -> None:
    desk = visit(program.url).go("image").paint("a ship on the sea, painted")
    desk.press("Caption this")
    desk.tab = "caption"
    expect(desk.field("text")).not_to_have_value("", timeout=PATIENCE)
    said = desk.field("text").input_value()
    desk.press("Use as mood for music")
    desk.tab = "music"
    expect(desk.field("prompt")).to_have_value(said)
    desk.find("loop").locator("input").check()
    desk.type("8", "bars").run()
    expect(desk.takes).to_have_count(1, timeout=PATIENCE)
    desk.idle()
    expect(desk.takes.first).to_contain_text("loop")
    keep(desk, "guide-loop-en-light-1440")
