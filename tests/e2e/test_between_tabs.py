"""Results: what they are, and how one becomes the beginning of another."""

import io
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from e2e.desk import Desk


def test_a_caption_becomes_an_image_prompt(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "sky.png"
    Image.new("RGB", (80, 60), (20, 20, 200)).save(file)
    desk.go("caption").page.locator("#caption-image input[type=file]").set_input_files(file)
    expect(desk.page.locator("#caption-image").get_by_label("Remove")).to_be_visible()
    desk.run()
    desk.press("Use as image prompt")
    expect(desk.page.locator("#image-model")).to_be_visible()
    desk.tab = "image"
    expect(desk.field("prompt")).to_have_value("a wide picture, mostly blue, 80 by 60 pixels")


def test_a_picture_becomes_a_caption(desk: Desk) -> None:
    desk.go("image").type("hills").run()
    desk.press("Caption this")
    desk.tab = "caption"
    expect(desk.find("image").locator("img")).to_be_visible()
    desk.run()
    expect(desk.field("text")).to_have_value(re.compile("a square picture, mostly .*, 512 by 512 pixels"))


def test_the_same_seed_makes_the_same_picture(desk: Desk) -> None:
    desk.go("image").type("hills").more().run()
    picture = desk.page.locator("#image-gallery img").first
    first = _bytes(desk, picture.get_attribute("src"))
    desk.press("Use seed")
    expect(desk.field("seed")).not_to_have_value("")
    source = picture.get_attribute("src")
    desk.run()
    expect(picture).not_to_have_attribute("src", source or "")
    assert _pixels(_bytes(desk, picture.get_attribute("src"))) == _pixels(first)


def test_a_picture_downloads_with_its_recipe(desk: Desk) -> None:
    desk.go("image").type("hills at dawn").run()
    with desk.page.expect_download() as download:
        desk.find("save").click()
    with Image.open(download.value.path()) as picture:
        assert "hills at dawn" in str(picture.info)


def _bytes(desk: Desk, source: str | None) -> bytes:
    assert source
    return desk.page.request.get(source).body()


def _pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).tobytes()
