"""The image tab: batches, grids, pictures from pictures, and what can be done with a result."""

import io
import re

from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Gate
from e2e.desk import Desk
from studio.recipes import recipe
from studio.requests import ImageRequest, UpscaleRequest
from studio.service import Studio


def asked(studio: Studio) -> ImageRequest:
    """The request of the newest job."""
    request = studio.jobs()[-1].request
    assert isinstance(request, ImageRequest)
    return request


def source(studio: Studio, name: str) -> bytes:
    """The picture or the mask that the newest result was made from."""
    made = studio.jobs()[-1].snapshot().artifact
    assert made is not None
    named = made.recipe["parameters"][name]
    return (studio.source(named["sha256"]) if named else None) or b""


def test_every_picture_of_a_batch_shows_its_own_seed_and_the_seed_makes_it_again(desk: Desk, studio: Studio) -> None:
    desk.go("image").type("2", "count").type("41", "seed").paint("hills", 2)
    expect(desk.details).to_contain_text(re.compile("1 of 2 · .*Seed 41"))
    desk.pictures.nth(1).click()
    expect(desk.details).to_contain_text(re.compile("2 of 2 · .*Seed 42"))
    second = studio.jobs()[-1].snapshot().artifact
    assert second is not None
    desk.press("Use seed")
    expect(desk.field("seed")).to_have_value("42")
    desk.type("1", "count").painted()
    again = studio.jobs()[-1].snapshot().artifact
    assert again is not None
    assert Image.open(again.files[0]).tobytes() == Image.open(second.files[1]).tobytes()
    desk.page.get_by_role("button", name="New seed each time").click()
    expect(desk.field("seed")).to_have_value("")
    desk.page.get_by_role("button", name="Seed of the picture shown").click()
    expect(desk.field("seed")).to_have_value("42")


def test_a_shape_gives_the_pixels_of_the_model_and_can_be_turned(desk: Desk, studio: Studio) -> None:
    desk.go("image")
    expect(desk.find("size")).to_contain_text("512 × 512")
    desk.shape("16:9")
    expect(desk.find("size")).to_contain_text("680 × 384")
    desk.page.get_by_role("button", name="Swap sides").click()
    expect(desk.find("size")).to_contain_text("384 × 680")
    desk.paint("hills")
    assert (asked(studio).width, asked(studio).height) == (384, 680)
    desk.shape("Custom")
    desk.type("320", "width").type("256", "height").page.get_by_role("button", name="Swap sides").click()
    expect(desk.field("width")).to_have_value("256")
    desk.painted()
    assert (asked(studio).width, asked(studio).height) == (256, 320)


def test_a_grid_of_two_by_two_is_four_pictures_with_labels(desk: Desk, studio: Studio) -> None:
    desk.go("image").fold("grid").choose("x-field", "Steps").type("2, 4", "x-values")
    expect(desk.find("cells")).to_contain_text("2 × 1: 2 pictures")
    desk.choose("y-field", "Guidance scale").type("1-9 [2]", "y-values")
    expect(desk.find("cells")).to_contain_text("2 × 2: 4 pictures")
    desk.paint("hills", 4)
    expect(desk.page.locator("#image-gallery .caption-label")).to_have_text(
        [re.compile("2.*1"), re.compile("4.*1"), re.compile("2.*9"), re.compile("4.*9")]
    )
    desk.pictures.nth(3).click()
    expect(desk.details).to_contain_text("4 steps · guidance 9")
    made = studio.jobs()[-1].snapshot().artifact
    assert made is not None
    assert len({each["seed"] for each in made.recipes}) == 1
    with desk.page.expect_download() as download:
        desk.press("Sheet")
    assert Image.open(download.value.path()).width > 1000


def test_a_grid_that_cannot_be_is_refused_and_the_fields_stay(desk: Desk) -> None:
    desk.go("image").fold("grid").choose("x-field", "Steps").type("1-99", "x-values").type("hills").run()
    expect(desk.error).to_have_count(1)
    expect(desk.field("x-values")).to_have_value("1-99")


def test_a_result_becomes_a_start_and_is_compared_with_what_came_of_it(desk: Desk, studio: Studio) -> None:
    desk.go("image").type("5", "seed").paint("hills")
    start = desk.bytes_of(desk.pictures.first)
    desk.press("Use as start")
    expect(desk.find("picture").locator("canvas").first).to_be_visible()
    desk.type("0.4", "strength").page.wait_for_timeout(500)
    desk.paint("mountains")
    assert source(studio, "image") == start
    assert source(studio, "mask") == b""
    assert asked(studio).strength == 0.4
    desk.press("Compare")
    expect(desk.find("compared")).to_contain_text("what it started from")
    expect(desk.find("slider").locator("img")).to_have_count(2)
    desk.find("clear").click()
    expect(desk.field("strength")).to_have_value("")
    desk.painted()
    assert source(studio, "image") == b""


def test_a_stroke_of_the_brush_is_a_mask(desk: Desk, studio: Studio, tmp_path) -> None:
    file = tmp_path / "sky.png"
    Image.new("RGB", (512, 512), (40, 90, 200)).save(file)
    desk.go("image").start_from(file)
    canvas = desk.find("picture").locator("canvas").first
    canvas.evaluate("(canvas) => canvas.scrollIntoView({block: 'center'})")
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    desk.page.mouse.move(x - 30, y)
    desk.page.mouse.down()
    desk.page.mouse.move(x + 30, y, steps=6)
    desk.page.mouse.up()
    desk.page.wait_for_timeout(500)
    desk.paint("a balloon")
    mask = Image.open(io.BytesIO(source(studio, "mask"))).convert("L")
    assert mask.size == (512, 512)
    assert set(mask.tobytes()) == {0, 255}
    assert mask.getpixel((256, 256)) == 255
    assert mask.getpixel((5, 5)) == 0
    assert (asked(studio).width, asked(studio).height) == (512, 512)


def test_extending_makes_a_wider_canvas_and_a_mask_of_what_is_new(desk: Desk, studio: Studio, tmp_path) -> None:
    file = tmp_path / "sky.png"
    Image.new("RGB", (512, 512), (40, 90, 200)).save(file)
    desk.go("image").start_from(file)
    desk.type("128", "extend-left").paint("a wide sky")
    canvas, mask = (Image.open(io.BytesIO(data)) for data in (source(studio, "image"), source(studio, "mask")))
    assert canvas.size == mask.size == (640, 512) == (asked(studio).width, asked(studio).height)
    assert mask.getpixel((60, 256)) == 255
    assert mask.getpixel((400, 256)) == 0


def test_upscaling_says_with_what_and_is_compared_with_the_original(desk: Desk, studio: Studio) -> None:
    desk.go("image").shape("Custom").type("256", "width").type("256", "height").paint("hills")
    button = desk.page.get_by_role("button", name="Upscale ×2", include_hidden=True)
    expect(button).to_have_attribute("title", studio.default_model("upscale").title)
    before = desk.pictures.first.get_attribute("src") or ""
    desk.press("Upscale ×2")
    expect(desk.pictures.first).not_to_have_attribute("src", before)
    desk.idle()
    expect(desk.details).to_contain_text(studio.default_model("upscale").title)
    assert isinstance(studio.jobs()[-1].request, UpscaleRequest)
    assert Image.open(io.BytesIO(desk.bytes_of(desk.pictures.first))).size == (512, 512)
    desk.press("Compare")
    expect(desk.find("compared")).to_contain_text("what it started from")
    expect(desk.find("slider").locator("img")).to_have_count(2)


def test_a_clean_copy_has_the_pixels_and_no_metadata(desk: Desk) -> None:
    desk.go("image").paint("a secret garden")
    full = desk.bytes_of(desk.pictures.first)
    assert b"secret garden" in full
    with desk.page.expect_download() as download:
        desk.press("Clean copy")
    data = download.value.path().read_bytes()
    assert b"secret garden" not in data
    assert recipe.read_recipe(data) is None
    assert Image.open(io.BytesIO(data)).tobytes() == Image.open(io.BytesIO(full)).tobytes()


def test_one_picture_is_skipped_and_stop_keeps_what_is_done(desk: Desk, studio: Studio, gate: Gate) -> None:
    gate.shut(after=2)
    desk.go("image").type("3", "count").type("10", "seed").fold("more").type("4", "steps").type("hills").run()
    expect(desk.find("skip")).to_be_visible()
    expect(desk.progress).to_contain_text("Step 2 of 12")
    desk.page.keyboard.press("Alt+Enter")
    expect(desk.progress).to_contain_text("Step 3 of 12")
    gate.open()
    expect(desk.pictures).to_have_count(2)
    desk.idle()
    expect(desk.find("skip")).to_be_hidden()
    expect(desk.details).to_contain_text("Seed 11")

    gate.shut(after=6)
    desk.type("100", "seed").run()
    expect(desk.progress).to_contain_text("Step 6 of 12")
    desk.page.keyboard.press("Escape")
    expect(desk.details).to_contain_text("Seed 100")
    kept = studio.jobs()[-1].snapshot().artifact
    assert kept is not None
    assert len(kept.files) == 1
    expect(desk.pictures).to_have_count(1)
