"""The image tab: pictures that steer the painting, from an empty folder to a result that is restored."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from e2e.conftest import Keep, Visit
from e2e.desk import Desk
from e2e.test_image import asked
from studio.media.control_maps import control_map
from studio.service import Studio


@pytest.fixture
def networks(studio: Studio) -> Iterator[Path]:
    file = studio.home.controlnets / "edges.safetensors"
    file.write_bytes(b"a stand-in")
    yield file
    file.unlink()


@pytest.fixture
def house(tmp_path: Path) -> Path:
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).rectangle((90, 60, 210, 160), fill="#203050")
    picture.save(tmp_path / "house.png")
    return tmp_path / "house.png"


def test_without_a_controlnet_one_line_says_where_it_goes(desk: Desk, studio: Studio) -> None:
    desk.go("image").fold("control")
    expect(desk.find("control-folder")).to_contain_text(str(studio.home.controlnets))
    expect(desk.find("control-slots")).to_be_hidden()


def test_a_picture_steers_is_shown_as_a_map_and_comes_back_with_the_result(
    visit: Visit, url: str, studio: Studio, networks: Path, house: Path, tmp_path: Path, keep: Keep
) -> None:
    desk = visit(url).go("image").fold("control")
    expect(desk.find("control-folder")).to_have_text("")
    expect(desk.find("control-2")).to_be_hidden()
    desk.choose("control-1-model", "edges").choose("control-1-preprocessor", "Fine edges (canny)")
    desk.find("control-1-picture").locator("input[type=file]").first.set_input_files(house)
    expect(desk.find("control-1-picture").locator("img")).to_be_visible()
    desk.find("control-1-show").click()
    shown = desk.find("control-1-map").locator("img")
    expect(shown).to_be_visible()
    made = Image.open(io.BytesIO(desk.bytes_of(shown))).convert("RGB")
    assert made.tobytes() == control_map(Image.open(house).convert("RGB"), "canny", (512, 512)).tobytes()
    desk.type("0.5", "control-1-weight").type("0.8", "control-1-end")
    keep(desk, "image-steering")
    desk.find("control-more").click()
    expect(desk.find("control-2")).to_be_visible()
    desk.paint("hills")
    (control,) = asked(studio).controls
    assert (control.model, control.preprocessor, control.weight, control.end) == ("edges", "canny", 0.5, 0.8)
    artifact = studio.jobs()[-1].snapshot().artifact
    assert artifact is not None
    named = artifact.recipe["parameters"]["controls"][0]["image"]["sha256"]
    assert studio.source(named) == house.read_bytes()

    other = visit(url).go("image")
    other.drop(artifact.files[0], "prompt").fold("control")
    expect(other.field("control-1-weight")).to_have_value("0.5")
    expect(other.field("control-1-model")).to_have_value("edges")
    expect(other.find("control-1-picture").locator("img")).to_be_visible()
    other.painted()
    again = studio.jobs()[-1].snapshot().artifact
    assert again is not None
    assert Image.open(again.files[0]).tobytes() == Image.open(artifact.files[0]).tobytes()


def test_a_slot_without_a_picture_is_one_sentence(visit: Visit, url: str, networks: Path) -> None:
    desk = visit(url).go("image").fold("control")
    desk.choose("control-1-model", "edges")
    desk.find("control-1-show").click()
    expect(desk.find("control-1-said").locator("[role=alert]")).to_be_visible()
    desk.type("hills").run()
    expect(desk.error).to_contain_text("The picture to steer by")


def test_in_chinese(visit: Visit, url: str, networks: Path, keep: Keep) -> None:
    desk = visit(url, locale="zh-CN").go("image").fold("control")
    expect(desk.find("control-fold")).to_have_text("用图片引导")
    expect(desk.find("control-1")).to_contain_text("引导用的图片")
    keep(desk, "image-steering-zh")
