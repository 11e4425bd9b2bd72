"""The image tab: regions drawn by hand, the edge of a mask, details painted again."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Keep, Visit
from e2e.desk import Desk
from e2e.test_image import asked
from studio.service import Studio
from tabs.image.source import PAINT


@pytest.fixture
def faces(studio: Studio) -> Iterator[Path]:
    folder = studio.home.detectors / "faces"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "yolos", "architectures": ["YolosForObjectDetection"]})
    )
    (folder / "model.safetensors").write_bytes(b"a stand-in")
    yield folder
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def drag(desk: Desk, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Across the canvas, from and to shares of its sides, again where the page had just drawn it and emptied it."""
    field = desk.find("region-map").locator("textarea, input").first
    before = field.input_value()
    for _ in range(10):
        _drag(desk, start, end)
        desk.page.wait_for_timeout(200)
        if field.input_value() != before:
            return


def _drag(desk: Desk, start: tuple[float, float], end: tuple[float, float]) -> None:
    canvas = desk.find("regions-canvas").locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    mouse = desk.page.mouse
    mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    mouse.down()
    mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=4)
    mouse.up()


def marked(mask: bytes | None) -> tuple[int, int, int, int] | None:
    return Image.open(io.BytesIO(mask or b"")).getbbox()


def drawn(studio: Studio) -> list[bytes | None]:
    """The masks of the last picture's regions, as the studio keeps them."""
    artifact = studio.jobs()[-1].snapshot().artifact
    assert artifact is not None
    return [studio.source(one["mask"]["sha256"]) for one in artifact.recipe["parameters"]["regions"]]


def test_regions_are_drawn_painted_and_come_back(visit: Visit, url: str, studio: Studio, keep: Keep) -> None:
    desk = visit(url).go("image").fold("regions")
    drag(desk, (0.001, 0.001), (0.499, 0.999))
    desk.find("regions-canvas").get_by_role("button", name="Region 2").click()
    desk.find("regions-canvas").get_by_role("button", name="Brush").click()
    drag(desk, (0.75, 0.25), (0.75, 0.75))
    desk.type("a fox", "region-1-prompt").type("a lake", "region-2-prompt").type("0.5", "region-2-weight")
    keep(desk, "image-regions")
    desk.paint("hills")
    one, two = asked(studio).regions
    assert (one.prompt, one.weight, two.prompt, two.weight) == ("a fox", 1.0, "a lake", 0.5)
    first, second = drawn(studio)
    assert marked(first) == (0, 0, 48, 96)
    left, top, right, bottom = marked(second) or (0, 0, 0, 0)
    assert 66 <= left < right <= 78
    assert 18 <= top < bottom <= 78
    artifact = studio.jobs()[-1].snapshot().artifact
    assert artifact is not None

    other = visit(url).go("image")
    other.drop(artifact.files[0], "prompt").fold("regions")
    expect(other.field("region-2-weight")).to_have_value("0.5")
    other.paint("hills")
    assert drawn(studio) == [first, second]
    other.find("regions-canvas").get_by_role("button", name="Clear all").click()
    other.run()
    expect(other.error).to_contain_text("Region 1 has a prompt and is not drawn anywhere.")


def test_the_edge_of_a_mask_is_shown_and_nothing_is_painted(
    visit: Visit, url: str, studio: Studio, tmp_path: Path, keep: Keep
) -> None:
    Image.new("RGB", (256, 256), "#204060").save(tmp_path / "start.png")
    desk = visit(url).go("image")
    jobs = len(studio.jobs())
    desk.start_from(tmp_path / "start.png")
    desk.find("edge").click()
    expect(desk.find("edge-shown")).to_contain_text("Nothing is marked")
    desk.find("picture").scroll_into_view_if_needed()
    canvas = desk.find("picture").locator("canvas").first.bounding_box()
    assert canvas is not None
    mouse = desk.page.mouse
    middle = canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2
    mouse.move(*middle)
    mouse.down()
    mouse.move(middle[0] + 20, middle[1], steps=5)
    mouse.up()
    desk.find("masked-only").locator("input").check()
    desk.find("edge").click()
    shown = desk.find("edge-shown").locator("img")
    expect(shown).to_be_visible()
    picture = Image.open(io.BytesIO(desk.bytes_of(shown))).convert("RGB")
    colours = {picture.getpixel((x, 128)) for x in range(256)}
    assert (32, 64, 96) in colours
    assert max(colour[0] for colour in colours if isinstance(colour, tuple)) > 150, PAINT
    keep(desk, "image-edge")
    assert len(studio.jobs()) == jobs


def test_a_press_paints_faces_again(visit: Visit, url: str, studio: Studio, faces: Path) -> None:
    desk = visit(url).go("image").fold("detail")
    expect(desk.find("detail-folder")).to_have_text("")
    desk.type("0.7", "detail-strength").paint("hills")
    before = studio.jobs()[-1].snapshot().artifact
    assert before is not None
    assert asked(studio).details == ()
    desk.press("Detail faces and hands")
    desk.until(lambda: studio.jobs()[-1].done and bool(asked(studio).details))
    desk.idle()
    (detail,) = asked(studio).details
    assert (detail.detector, detail.strength) == (faces.name, 0.7)
    after = studio.jobs()[-1].snapshot().artifact
    assert after is not None
    sizes = [Image.open(each.files[0]).size for each in (before, after)]
    assert sizes[0] == sizes[1]


def test_without_a_detector_one_line_says_where_it_goes(desk: Desk, studio: Studio) -> None:
    desk.go("image").fold("detail")
    expect(desk.find("detail-folder")).to_contain_text(str(studio.home.detectors))
    desk.paint("hills").press("Detail faces and hands")
    expect(desk.error).to_contain_text(str(studio.home.detectors))
