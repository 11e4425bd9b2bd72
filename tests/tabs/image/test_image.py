"""The image tab without a browser: from fields to a request and back, sizes, masks, and what strangers see."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image, ImageDraw

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.recipes import recipe
from studio.recipes.embed_image import encode_png
from studio.recipes.inspect import Restored
from studio.request_parts import Lora
from studio.requests import ImageRequest, UpscaleRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.image import grid_axes
from tabs import page
from tabs.image import form, shapes, source
from tabs.image.import_settings import _usable
from tabs.image.prompt_tools import looks_like_settings
from tabs.image.reproduce import sentence
from tabs.image.result import Result, Shown
from tabs.image.source import Drawing
from tabs.shared import context


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    home = tmp_path_factory.mktemp("home")
    with Studio(Settings(demo=True, home=home, _env_file=None)) as studio:  # pyright: ignore[reportCallIssue]
        yield studio.default_model("image")


def values(**given: Any) -> dict[str, Any]:
    base = {"pattern": "", "format": "png", "metadata": True, "previews": True, "prompt": "hills"}
    return {**form.EMPTY, **base, **given}


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


# Fields


def test_empty_fields_leave_everything_to_the_model(card: Card) -> None:
    made = form.wanted_pictures(values(), card, Drawing())
    assert (made.request.width, made.request.steps, made.request.seed, made.request.strength) == (None,) * 4
    assert (made.request.count, made.request.variation, made.request.hires_scale) == (1, 0.0, 1.0)
    assert made.x is None
    assert made.keep.format == "png"


def test_what_is_typed_is_what_is_asked(card: Card) -> None:
    made = form.request(
        values(
            steps="12", guidance_scale="5,5", seed=" 7 ", count="3", styles=["ink"], variation="0.2", clip_skip="1",
            loras=["moss", "rain"], lora_weights="0.8", hires_scale="2", tiling=True,
        ), card, Drawing(),
    )  # fmt: skip
    assert (made.steps, made.guidance_scale, made.seed, made.count, made.clip_skip) == (12, 5.5, 7, 3, 1)
    assert made.styles == ("ink",)
    assert made.loras == (Lora("moss", 0.8), Lora("rain", 1.0))
    assert (made.hires_scale, made.tiling, made.variation) == (2.0, True, 0.2)


@pytest.mark.parametrize("name", ["steps", "strength", "lora_weights", "extend_left", "width"])
def test_a_word_for_a_number_is_refused_by_name(card: Card, name: str) -> None:
    given = values(**{name: "many", "loras": ["moss"], "shape": "custom" if name == "width" else ""})
    with pytest.raises(StudioError) as caught:
        form.request(given, card, Drawing())
    assert caught.value.code == "not_a_number"
    assert "field." not in caught.value.what()


def test_one_axis_goes_across_whichever_was_filled(card: Card) -> None:
    made = form.wanted_pictures(values(y_field="steps", y_values="2-6 (+2)"), card, Drawing())
    assert made.y is None
    assert made.x is not None
    assert grid_axes.values(made.x) == ("2", "4", "6")


def test_a_quoted_value_keeps_its_comma(card: Card) -> None:
    made = form.wanted_pictures(values(x_field="negative_prompt", x_values='"people, text"'), card, Drawing())
    assert made.x is not None
    assert grid_axes.values(made.x) == ("people, text",)


def test_a_request_comes_back_as_the_fields_that_made_it(card: Card) -> None:
    given = values(
        prompt="a (red:1.2) house", negative_prompt="people", steps="12", guidance_scale="5.5", seed="7", count="2",
        shape="wide", styles=["ink"], variation="0.25", variation_seed="9", clip_skip="1", hires_strength="0.4",
        hires_scale="2", loras=["moss"], lora_weights="0.8", tiling=True, masked_only=True, mask_padding="0",
        mask_blur="9", seamless="y",
    )  # fmt: skip
    request = form.request(given, card, Drawing())
    made = {name: getattr(request, name) for name in request.__slots__ if getattr(request, name) is not None}
    back = form.fields(made, card)
    again = form.request(values() | back, card, Drawing())
    assert again == request


def test_what_a_picture_does_not_say_is_emptied(card: Card) -> None:
    back = form.fields({"prompt": "hills"}, card)
    assert back == {**form.EMPTY, "prompt": "hills"}


# Sizes


@pytest.mark.parametrize("shape", shapes.RATIOS)
def test_a_preset_has_the_proportion_asked_and_the_pixels_of_the_model(card: Card, shape: str) -> None:
    width, height = shapes.sized(shape, card)
    across, down = shapes.RATIOS[shape]
    assert width % 8 == height % 8 == 0
    assert width / height == pytest.approx(across / down, rel=0.03)
    assert width * height == pytest.approx(512 * 512, rel=0.03)
    assert shapes.shape_of(width, height, card) in (shape, "")
    turned = shapes.turned(shape)
    assert shapes.turned(turned) == shape


def test_a_picture_keeps_its_size_where_the_model_can_paint_it(card: Card) -> None:
    assert shapes.following(640, 512, card) == (640, 512)
    wide, high = shapes.following(4000, 3000, card)
    assert wide / high == pytest.approx(4 / 3, rel=0.02)
    assert wide * high < 512 * 512 * 2
    assert shapes.following(100, 100, card) == (512, 512)


# Starts


def test_paint_becomes_a_mask_and_no_paint_none() -> None:
    picture = png(Image.new("RGB", (64, 48), "blue"))
    layer = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    assert source.start(Drawing(picture, (png(layer),))).mask == b""
    ImageDraw.Draw(layer).rectangle((10, 10, 20, 20), fill=(255, 0, 0, 120))
    start = source.start(Drawing(picture, (png(layer),)))
    mask = Image.open(io.BytesIO(start.mask))
    assert start.image == picture
    assert mask.size == (start.width, start.height) == (64, 48)
    assert mask.getbbox() == (10, 10, 21, 21)
    assert set(mask.tobytes()) == {0, 255}


def test_a_mask_comes_back_as_the_paint_that_makes_it() -> None:
    mask = Image.new("L", (64, 48))
    mask.paste(255, (10, 10, 30, 30))
    layer = source.strokes(png(mask), (64, 48))
    again = source.start(Drawing(png(Image.new("RGB", (64, 48))), (layer,))).mask
    assert Image.open(io.BytesIO(again)).tobytes() == mask.tobytes()


def test_extending_keeps_the_picture_and_masks_what_is_new() -> None:
    picture = Image.linear_gradient("L").resize((64, 48)).convert("RGB")
    start = source.start(Drawing(png(picture)), (16, 0, 0, 8))
    canvas, mask = Image.open(io.BytesIO(start.image)), Image.open(io.BytesIO(start.mask))
    assert canvas.size == mask.size == (80, 56) == (start.width, start.height)
    assert canvas.crop((16, 0, 80, 48)).tobytes() == picture.tobytes()
    assert mask.getpixel((15, 20)) == mask.getpixel((50, 55)) == 255
    assert mask.getpixel((60, 20)) == 0


@pytest.mark.parametrize("extend", [(-1, 0, 0, 0), (0, 0, 0, 100_000)])
def test_a_canvas_has_bounds(extend: tuple[int, ...]) -> None:
    with pytest.raises(StudioError) as caught:
        source.start(Drawing(png(Image.new("RGB", (64, 64)))), extend)
    assert caught.value.code == "out_of_range"


def test_a_drawing_that_is_no_picture_is_refused() -> None:
    with pytest.raises(StudioError):
        source.start(Drawing(b"not a picture"))
    with pytest.raises(StudioError):
        source.start(Drawing(png(Image.new("RGB", (64, 64))), (b"nor is this",)))


# Words


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("hills\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x64", True),
        ('{"sui_image_params": {"prompt": "hills"}}', True),
        ("steps in the snow, a seed in the ground", False),
        ("", False),
        (None, False),
    ],
)
def test_a_text_of_settings_is_told_from_a_prompt(prompt: str | None, expected: bool) -> None:
    assert looks_like_settings(prompt) is expected


def test_a_damaged_text_counts_only_with_what_a_picture_needs() -> None:
    assert _usable(Restored("a1111", {"prompt": "x", "seed": 1}, broken=True))
    assert not _usable(Restored("a1111", {"steps": 1}, broken=True))
    assert not _usable(Restored("atelier", broken=True))


def test_a_second_run_says_what_was_not_the_same() -> None:
    from studio.recipes.reproduce import Comparison, Difference

    size = ((8, 8), (8, 8))
    assert "same pixels" in sentence(Comparison(size, 0.0, 0, ()), "en")
    said = sentence(Comparison(size, 0.5, 3, (Difference("torch", "2.8", "2.13"),)), "en")
    assert "50 %" in said
    assert "torch: 2.8 → 2.13" in said


# The line under a picture


@pytest.mark.parametrize(("demo", "said"), [(False, "Lanczos"), (True, "Demo upscaler")])
def test_an_enlarged_picture_shows_its_own_size_and_the_licence_of_a_model_that_made_it(
    tmp_path: Path, demo: bool, said: str
) -> None:
    with Studio(Settings(demo=demo, home=tmp_path, _env_file=None)) as studio, gr.Blocks() as blocks:  # pyright: ignore[reportCallIssue]
        small = png(Image.new("RGB", (20, 10)))
        made = recipe.make_recipe(
            ImageRequest(prompt="hills", width=20, height=10, seed=7), studio.default_model("image")
        )
        asked = UpscaleRequest(image=encode_png(Image.open(io.BytesIO(small)), made), scale=2)
        artifact = studio.submit(asked).result()
        shown = Shown(artifact, tuple(str(file) for file in artifact.files))
        line = Result(context.Page(studio, blocks)).line(shown, 0, "en")
        assert "Seed 7 · 40 × 20" in line
        assert "enlarged ×2" in line
        assert f"<summary>{said} · " in line
        assert ("Apache-2.0" in line) == demo  # what has no files has no licence
        shown.artifact.files[0].unlink()
        assert " × " not in Result(context.Page(studio, blocks)).line(shown, 0, "en"), "no size of what is gone"


# What strangers see


@pytest.mark.parametrize("public", [False, True])
def test_a_public_studio_offers_no_pictures_of_others(tmp_path: Path, public: bool) -> None:
    settings = Settings(demo=True, profile="space" if public else "local", home=tmp_path, _env_file=None)  # pyright: ignore
    with Studio(settings) as studio:
        blocks = page.build(studio)
    parts = {part.elem_id: part for part in blocks.blocks.values() if getattr(part, "elem_id", None)}
    assert ("image-recent-gallery" in parts) is not public
    assert parts["image-history"].visible is not public
