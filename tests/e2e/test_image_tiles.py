"""Seamless tiles and their preview, and painting only what is masked, on the page."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from e2e.desk import Desk
from studio.requests import ImageRequest
from studio.service import Studio

SIZE = """async () => {
    const style = getComputedStyle(document.querySelector("#image-compared .a-nine"));
    const picture = new Image();
    picture.src = style.backgroundImage.slice(5, -2);
    await picture.decode();
    return [picture.naturalWidth, picture.naturalHeight, style.backgroundSize, style.backgroundRepeat];
}"""


def test_a_tile_is_asked_for_by_its_choice_and_shown_nine_times(desk: Desk, studio: Studio) -> None:
    desk.go("image").fold("detail")
    desk.find("seamless").get_by_role("radio", name="All round").click()
    desk.paint("moss")
    request = studio.jobs()[-1].request
    assert isinstance(request, ImageRequest)
    assert request.seamless == "both"
    desk.press("Show tiled")
    expect(desk.find("compared")).to_contain_text("Nine of this picture")
    width, height, size, repeat = desk.page.evaluate(SIZE)
    assert (width, height) == (request.width, request.height)
    assert (size, repeat) == ("33.3333% auto", "repeat")
    box = desk.find("compared").locator(".a-nine").bounding_box()
    assert box is not None
    assert abs(box["width"] / box["height"] - width / height) < 0.02


def test_only_the_masked_part_is_painted_and_the_picture_keeps_its_size(
    desk: Desk, studio: Studio, tmp_path: Path
) -> None:
    file = tmp_path / "sky.png"
    Image.new("RGB", (900, 500), (40, 90, 200)).save(file)
    desk.go("image").start_from(file)
    desk.find("masked-only").get_by_role("checkbox").check()
    desk.field("mask-padding").fill("48")
    canvas = desk.find("picture").locator("canvas").first
    canvas.evaluate("(canvas) => canvas.scrollIntoView({block: 'center'})")
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    desk.page.mouse.move(x - 20, y)
    desk.page.mouse.down()
    desk.page.mouse.move(x + 20, y, steps=6)
    desk.page.mouse.up()
    desk.page.wait_for_timeout(500)
    desk.paint("a balloon")
    job = studio.jobs()[-1]
    artifact, request = job.snapshot().artifact, job.request
    assert artifact is not None
    assert isinstance(request, ImageRequest)
    assert (request.masked_only, request.mask_padding, request.mask_blur) == (True, 48, 4)
    assert (request.width or 0) > (request.height or 0), "the shape of the stroke, at the model's own size"
    with Image.open(artifact.files[0]) as painted:
        assert painted.size == (900, 500)
        assert painted.getpixel((20, 20)) == (40, 90, 200)
        assert painted.getpixel((450, 250)) != (40, 90, 200)
