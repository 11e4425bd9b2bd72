"""Enlarging a picture: what may be asked for, which model answers, and what is kept of it."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.catalog.card import Card
from studio.catalog.catalog import Catalog
from studio.errors import StudioError
from studio.jobs.planner import Intake
from studio.paths import Home
from studio.recipes import recipe
from studio.requests import UpscaleRequest
from studio.service import Studio
from studio.settings import Settings
from studio.store import Store
from studio.tasks import limits


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def cards(home: Home) -> dict[str, Card]:
    return {card.id: card for card in Catalog.load(home).for_task("upscale")}


def picture(width: int = 30, height: int = 20) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def large(width: int, height: int) -> bytes:
    """The header of a PNG of this size, which is all that may be looked at before it is refused."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def refusal(request: UpscaleRequest, card: Card, public: bool = False) -> StudioError:
    with pytest.raises(StudioError) as caught:
        limits.check(request, card, public=public)
    return caught.value


def put(home: Home, card: Card) -> None:
    """Files that count as those of `card`."""
    folder = home.models / "hub" / card.source.repo.replace("/", "--") / card.source.revision
    folder.mkdir(parents=True)
    sizes = {}
    for name in card.source.files:
        (folder / name).write_bytes(b"x")
        sizes[name] = 1
    (folder / "complete.json").write_text(json.dumps({" ".join(card.source.files): sizes}))


@pytest.mark.parametrize("scale", [2, 3, 4, 4.0])
def test_whole_scales_from_two_to_four_are_taken(cards: dict[str, Card], scale: Any) -> None:
    request = UpscaleRequest(image=picture(), scale=scale)
    limits.check(request, cards["lanczos"])
    resolved = limits.resolve(request, cards["lanczos"], lambda: 7)
    assert (resolved.scale, type(resolved.scale), resolved.seed) == (scale, int, 0)


@pytest.mark.parametrize(
    ("scale", "code"),
    [(1, "out_of_range"), (5, "out_of_range"), (2.5, "not_a_number"), (True, "not_a_number"), ("2", "not_a_number")],
)
def test_others_are_refused(cards: dict[str, Card], scale: Any, code: str) -> None:
    error = refusal(UpscaleRequest(image=picture(), scale=scale), cards["lanczos"])
    assert (error.code, error.params["field"]) == (code, "field.scale")


def test_a_model_is_not_asked_for_a_scale_that_it_does_not_have(cards: dict[str, Card]) -> None:
    assert refusal(UpscaleRequest(image=picture(), scale=4), cards["swin2sr-x2"]).code == "out_of_range"
    limits.check(UpscaleRequest(image=picture(), scale=3), cards["swin2sr-x4"])


@pytest.mark.parametrize(
    ("size", "scale", "public", "fits"),
    [
        ((4000, 4000), 2, False, True),
        ((4000, 4001), 2, False, False),
        ((2000, 2000), 4, False, True),
        ((2000, 2001), 4, False, False),
        ((2000, 2000), 2, True, True),
        ((1000, 1001), 4, True, False),
    ],
)
def test_the_result_is_bounded_and_the_error_speaks_of_the_picture_that_was_given(
    cards: dict[str, Card], size: tuple[int, int], scale: int, public: bool, fits: bool
) -> None:
    request = UpscaleRequest(image=large(*size), scale=scale)
    if fits:
        limits.check(request, cards["lanczos"], public=public)
        return
    error = refusal(request, cards["lanczos"], public)
    assert error.code == "image_too_large"
    assert float(error.params["limit"]) * 1e6 == (16e6 if public else 64e6) / scale**2


@pytest.mark.parametrize(("data", "code"), [(b"", "no_picture"), (b"no picture", "bad_image"), ("text", "bad_image")])
def test_what_is_no_picture_is_refused(cards: dict[str, Card], data: Any, code: str) -> None:
    assert refusal(UpscaleRequest(image=data), cards["lanczos"]).code == code


def test_a_model_on_disk_that_has_the_scale_is_taken_else_none(home: Home, cards: dict[str, Card]) -> None:
    catalog = Catalog.load(home)

    def chosen(scale: int) -> str:
        pictures: Any = None
        request = UpscaleRequest(image=picture(), scale=scale)
        return Intake(catalog, Store(home), pictures, public=False).default_model("upscale", request).id

    assert [chosen(scale) for scale in (2, 3, 4)] == ["lanczos"] * 3
    put(home, cards["swin2sr-x2"])
    assert [chosen(scale) for scale in (2, 3, 4)] == ["swin2sr-x2", "lanczos", "lanczos"]
    put(home, cards["swin2sr-x4"])
    assert [chosen(scale) for scale in (2, 3, 4)] == ["swin2sr-x2", "swin2sr-x4", "swin2sr-x4"]


def test_without_a_model_the_picture_is_resampled_and_its_recipe_says_so(home: Home) -> None:
    with Studio(Settings.model_validate({"home": home.root})) as studio:
        artifact = studio.submit(UpscaleRequest(image=picture(), scale=3)).result()
    (file,) = artifact.files
    assert file.parent.parent == home.outputs / "upscale"
    with Image.open(file) as result:
        assert result.size == (90, 60)
    found = recipe.read_recipe(file.read_bytes())
    assert found is not None
    assert (found["task"], found["model"]["id"], found["parameters"]["scale"]) == ("upscale", "lanczos", 3)
    assert found["parameters"]["image"]["bytes"] == len(picture())


def test_a_card_without_a_model_is_always_ready_and_takes_no_space(home: Home, cards: dict[str, Card]) -> None:
    store = Store(home)
    assert store.state(cards["lanczos"]) == "ready"
    assert store.bytes_on_disk(cards["lanczos"]) == 0
    assert store.delete(cards["lanczos"]) == 0
    assert store.revision(cards["lanczos"]) == ""
