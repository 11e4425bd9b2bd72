"""A picture as vectors and without its ground, from the menu under it."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import expect

from e2e.desk import Desk
from studio.recipes import recipe
from studio.service import Studio

APART = """async () => {
    const pixels = async (picture) => {
        await picture.decode();
        const canvas = new OffscreenCanvas(64, 64), context = canvas.getContext("2d");
        context.drawImage(picture, 0, 0, 64, 64);
        return context.getImageData(0, 0, 64, 64).data;
    };
    const [one, other] = await Promise.all(["#image-compared img", "#image-gallery img"].map((name) => pixels(document.querySelector(name))));
    return one.reduce((sum, value, at) => sum + Math.abs(value - other[at]), 0) / one.length;
}"""  # noqa: E501
"""Mean distance, in 255 levels, between the drawing in Chromium and the picture that it was made of."""


def test_a_picture_is_saved_as_vectors_with_its_recipe(desk: Desk) -> None:
    desk.go("image").paint("hills at dawn")
    with desk.page.expect_download() as caught:
        desk.press("Save as SVG")
    file = Path(caught.value.path())
    assert caught.value.suggested_filename.endswith(".svg")
    made = recipe.read_recipe(file.read_bytes())
    assert made is not None
    assert made["parameters"]["prompt"] == "hills at dawn"
    expect(desk.find("compared")).to_contain_text(re.compile(r"\d+ shapes · \d+ kB"))
    assert desk.page.evaluate(APART) < 8


def test_a_thing_comes_off_its_ground_and_a_scene_says_that_it_has_none(desk: Desk, studio: Studio) -> None:
    desk.go("image").paint("hills")
    desk.press("Without its ground")
    expect(desk.find("compared").locator("[role=alert]")).to_contain_text("no ground of one colour")
    (file,) = studio.jobs()[-1].snapshot().artifact.files  # pyright: ignore[reportOptionalMemberAccess]
    with Image.open(file) as picture:
        size = picture.size
    thing = Image.new("RGB", size, "white")
    ImageDraw.Draw(thing).ellipse((60, 60, size[0] - 60, size[1] - 60), "#c02020")
    thing.save(file)
    for copy in studio.instance.shown.rglob(Path(file).name):
        thing.save(copy)
    with desk.page.expect_download() as caught:
        desk.press("Without its ground")
    with Image.open(caught.value.path()) as cut:
        assert cut.mode == "RGBA"
        assert cut.getpixel((4, 4))[3] == 0  # pyright: ignore[reportIndexIssue,reportOptionalSubscript]
        assert cut.getpixel((size[0] // 2, size[1] // 2)) == (192, 32, 32, 255)
