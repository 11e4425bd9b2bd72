"""Pictures in work stand where they will stand, and one that is opened becomes larger."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from e2e.conftest import Gate
from e2e.desk import Desk

PLACES = """(parts) => [...document.querySelectorAll(parts)].map((part) => {
    const box = part.getBoundingClientRect();
    return [box.x + box.width / 2, box.y, box.height].map(Math.round);
})"""
"""Middle, top and height of each."""


def places(desk: Desk, parts: str) -> list[Any]:
    return desk.page.evaluate(PLACES, parts)


@pytest.mark.parametrize(("count", "before"), [(1, False), (3, True)])
def test_nothing_jumps_when_pictures_are_done(desk: Desk, gate: Gate, count: int, before: bool) -> None:
    desk.go("image")
    if before:
        desk.paint("a valley")
    desk.field("count").fill(str(count))
    desk.more().field("steps").fill("20")
    gate.shut(after=10 if count == 1 else 30)
    desk.type("hills").run()
    cells = desk.page.locator(".a-cells > div")
    expect(cells.locator("img").last).to_be_visible()
    expect(cells).to_have_count(count)
    if count > 1:
        expect(desk.progress).to_contain_text("Step 30 of 60")
        desk.page.wait_for_timeout(500)  # previews keep their distance
        gate.shut(after=2)
        expect(cells.locator("img")).to_have_count(2)  # the first is done, the second in work, the third to come
        expect(desk.pictures.first).to_be_hidden()
    during = places(desk, ".a-cells > div")
    gate.open()
    expect(cells).to_have_count(0)
    expect(desk.pictures).to_have_count(count)
    desk.until(lambda: places(desk, "#image-gallery .grid-wrap img") == during)
    assert places(desk, "#image-gallery .grid-wrap img") == during


def test_what_was_there_comes_back_where_nothing_came(desk: Desk, gate: Gate) -> None:
    desk.go("image").paint("a valley")
    gate.shut(after=3)
    desk.type("hills").run()
    expect(desk.page.locator(".a-cells img")).to_be_visible()
    expect(desk.pictures.first).to_be_hidden()
    desk.stop().idle()
    expect(desk.page.locator(".a-cells")).to_have_count(0)
    expect(desk.pictures.first).to_be_visible()


@pytest.mark.parametrize("count", [1, 4])
def test_a_picture_that_is_opened_is_larger(desk: Desk, count: int) -> None:
    desk.go("image").shape("Custom").type("192", "width").type("128", "height").field("count").fill(str(count))
    desk.paint("hills", count)
    desk.until(lambda: bool(desk.pictures.first.evaluate("(picture) => picture.complete && picture.naturalHeight")))
    before = places(desk, "#image-gallery .grid-wrap img")[0]
    desk.page.locator("#image-gallery .thumbnail-lg").first.click()
    opened = desk.page.locator("#image-gallery .media-button img")
    expect(opened).to_be_visible()
    desk.until(lambda: places(desk, "#image-gallery .media-button img")[0][2] > before[2])
    assert places(desk, "#image-gallery .media-button img")[0][2] > before[2]
