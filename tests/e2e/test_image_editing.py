"""The image tab: pictures edited with words, from two files to a result that is edited again and restored."""

import hashlib
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Keep, Visit
from e2e.desk import Desk
from e2e.test_image import asked
from studio.results import Artifact
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
    desk = visit(url).go("image").more().type("2", "steps").more().fold("start")
    expect(desk.find("edit")).to_be_hidden()
    desk.find("start-use").get_by_role("radio", name="Edit with words").check()
    expect(desk.find("edit")).to_be_visible()
    expect(desk.find("change")).to_be_hidden()
    expect(desk.find("edit-slot-2")).to_be_hidden()
    put(desk, 1, pictures[0])
    put(desk, 2, pictures[1])
    expect(desk.find("edit-slot-3")).to_be_visible()
    desk.find("edit-slot-3").scroll_into_view_if_needed()
    keep(desk, "image-editing")
    first = desk.find("edit-1").locator("img")
    before = first.get_attribute("src")
    desk.find("edit-2-earlier").click()
    expect(first).not_to_have_attribute("src", before or "")
    assert edited(desk, studio) == hashes(pictures[1], pictures[0])
    made = asked(studio)
    assert (made.width or 0) / (made.height or 1) == pytest.approx(2, abs=0.05)
    result = last(studio).files[0]
    desk.press("Edit with words")
    expect(desk.find("edit-3").locator("img")).to_be_visible()
    desk.find("edit-1").get_by_role("button", name=re.compile("clear|remove", re.I)).first.click()
    expect(desk.find("edit-slot-4")).to_be_hidden()
    assert edited(desk, studio) == hashes(pictures[0], result)
    desk.find("start-use").get_by_role("radio", name="Change a picture").check()
    expect(desk.find("change")).to_be_visible()
    expect(desk.find("edit")).to_be_hidden()


def last(studio: Studio) -> Artifact:
    made = studio.jobs()[-1].snapshot().artifact
    assert made is not None
    return made


def edited(desk: Desk, studio: Studio) -> list[str]:
    """Paint, and what the result says was edited."""
    desk.paint("make it night")
    return [one["sha256"] for one in last(studio).recipe["parameters"]["pictures"]]


def hashes(*files: Path) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
