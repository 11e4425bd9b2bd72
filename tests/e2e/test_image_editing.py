"""The image tab: pictures edited with words, from two files to a result that is edited again and restored."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Keep, Visit
from e2e.desk import Desk
from e2e.test_image import asked
from studio.service import Studio


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "house.png", tmp_path / "hat.png"]
    for file, colour in zip(files, ("#203050", "#a02030"), strict=True):
        Image.new("RGB", (320, 160), colour).save(file)
    return files


def put(desk: Desk, slot: int, file: Path) -> None:
    part = desk.find(f"edit-{slot}")
    part.locator("input[type=file]").first.set_input_files(file)
    expect(part.locator("img")).to_be_visible()


def test_pictures_are_edited_in_their_order_and_the_result_is_edited_again(
    visit: Visit, url: str, studio: Studio, pictures: list[Path], keep: Keep
) -> None:
    desk = visit(url).go("image").fold("start")
    expect(desk.find("edit")).to_be_hidden()
    desk.find("start-use").get_by_text("Edit with words").click()
    expect(desk.find("edit")).to_be_visible()
    expect(desk.find("change")).to_be_hidden()
    expect(desk.find("edit-slot-2")).to_be_hidden()
    put(desk, 1, pictures[0])
    put(desk, 2, pictures[1])
    expect(desk.find("edit-slot-3")).to_be_visible()
    keep(desk, "image-editing")
    desk.paint("make it night")
    given = asked(studio)
    assert given.pictures == tuple(file.read_bytes() for file in pictures)
    assert given.width / given.height == pytest.approx(2, abs=0.05)
    desk.find("edit-2-earlier").click()
    desk.find("edit-1").locator("img").wait_for()
    desk.until(lambda: _again(desk, studio).pictures == tuple(file.read_bytes() for file in reversed(pictures)))
    result = Path(studio.jobs()[-1].snapshot().artifact.files[0])
    desk.find("use-menu").click()
    desk.find("edit-with-words").click()
    expect(desk.find("edit-3").locator("img")).to_be_visible()
    assert _again(desk, studio).pictures[2] == result.read_bytes()
    desk.find("edit-1").get_by_role("button", name=re.compile("clear|remove", re.I)).first.click()
    expect(desk.find("edit-3").locator("img")).to_be_hidden()
    assert _again(desk, studio).pictures == (pictures[0].read_bytes(), result.read_bytes())
    desk.find("start-use").get_by_text("Change a picture").click()
    expect(desk.find("change")).to_be_visible()
    assert _again(desk, studio).pictures == ()


def _again(desk: Desk, studio: Studio):
    desk.paint("make it night")
    return asked(studio)
