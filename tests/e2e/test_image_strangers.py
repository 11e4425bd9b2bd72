"""The image tab and what others bring: settings that name what is not here, and files that a browser cannot show."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Keep
from e2e.desk import Desk
from e2e.test_image import asked
from studio.service import Studio


def test_what_is_not_here_is_seen_and_comes_out_with_one_press(
    desk: Desk, studio: Studio, tmp_path: Path, keep: Keep
) -> None:
    desk.go("image")
    desk.page.wait_for_timeout(500)  # what the page itself keeps is written a moment later
    kept = json.dumps({"image-styles": ["gone style"], "image-x-field": "gone axis"})
    # and nothing more, so that what was put there is what the next page finds
    leave = "(kept) => { localStorage.setItem('atelier_fields_image', kept); Storage.prototype.setItem = () => {}; }"
    desk.page.evaluate(leave, kept)
    desk.page.reload()
    desk.go("image")
    expect(desk.find("styles")).to_contain_text("gone style (not here)")
    expect(desk.find("drop")).to_have_text("Leave out what is not here: gone style")
    keep(desk, "not-here")
    desk.find("drop").click()
    expect(desk.find("styles")).not_to_contain_text("gone style")
    expect(desk.find("drop")).not_to_be_visible()
    desk.paint("a hill")
    assert asked(studio).styles == ()


def test_a_picture_that_the_browser_cannot_show_is_painted_over(desk: Desk, studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "scan.tiff"
    Image.new("RGB", (512, 512), (200, 30, 30)).save(file)
    desk.go("image").fold("start")
    desk.find("picture").locator("input[type=file]").first.set_input_files(file)
    expect(desk.find("picture")).not_to_contain_text("Drop a picture here")
    desk.type("0.2", "strength").paint("a hill")
    painted = studio.library.recent("image", 1)[0]
    assert painted.recipe["parameters"]["image"]["bytes"] > 0
    red, green, _ = np.asarray(Image.open(painted.files[0]).convert("RGB"))[5, 5].tolist()
    assert red - green > 60


@pytest.mark.parametrize(
    ("way", "name"), [("chosen", "broken.png"), ("dropped", "broken.tiff"), ("dropped", "broken.png")]
)
def test_a_picture_that_nobody_can_read_is_refused_aloud(desk: Desk, tmp_path: Path, way: str, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    desk.go("image").fold("start")
    if way == "chosen":
        desk.find("picture").locator("input[type=file]").first.set_input_files(file)
    else:
        desk.drop(file, "picture")
    expect(desk.find("start-line")).to_contain_text("picture")


def test_a_whole_picture_that_is_dropped_is_painted_over(desk: Desk, studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(file)
    desk.go("image").fold("start")
    desk.find("picture").get_by_text("Drop a picture here").evaluate("(part) => part.id = 'image-drop-zone'")
    desk.drop(file, "drop-zone")  # the editor listens in the middle
    expect(desk.find("picture")).not_to_contain_text("Drop a picture here")
    desk.type("0.2", "strength").paint("a hill")
    assert studio.library.recent("image", 1)[0].recipe["parameters"]["image"]["bytes"] > 0


def test_what_the_browser_cannot_show_is_described_too_or_refused_aloud(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "scan.tiff"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(file)
    desk.go("caption").drop(file, "image")
    expect(desk.page.locator("#caption-image img")).to_be_visible()
    assert (
        desk.page.locator("#caption-image img").evaluate("async (one) => (await one.decode(), one.naturalWidth)") == 64
    )
    file.write_bytes(b"II*\0")
    desk.page.reload()
    desk.go("caption").drop(file, "image")
    expect(desk.error).to_contain_text("picture")


def test_the_counter_says_what_of_the_negative_prompt_is_not_read(desk: Desk) -> None:
    desk.go("image").more().type("word " * 75 + "lost at the end", "negative-prompt")
    expect(desk.find("tokens")).to_contain_text("Negative prompt · not read: lost at the end")
