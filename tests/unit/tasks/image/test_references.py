"""Reference pictures as they are asked for: their bounds, which file an IP-Adapter is, and where its encoder lies."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.errors import StudioError
from studio.paths import Home
from studio.request_parts import Reference
from studio.requests import ImageRequest
from studio.store.safetensors import header_bytes
from studio.tasks import limits
from studio.tasks.image import control_files, lora_files, reference_files
from studio.tasks.image.control_files import ControlNets
from studio.tasks.image.reference_files import IPAdapters
from studio.tasks.table import rules


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


GOOD = Reference("plus", png(), 1.0, 0.0, 1.0, "style", png())
CARD = tiny_card(Source("local"), 1, tasks=("image",))
PLAIN = {"image_proj.proj.weight": (16, 24), "ip_adapter.1.to_k_ip.weight": (4, 4)}
PLUS = {"image_proj.latents": (1, 2, 4), "image_proj.proj_in.weight": (4, 32), "ip_adapter.1.to_k_ip.weight": (4, 4)}


def check(*references: Any, public: bool = False) -> str:
    """The code of the refusal, "" where there is none."""
    try:
        limits.check(ImageRequest(prompt="a", references=references), CARD, public=public)
    except StudioError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""), ({"weight": 0}, ""), ({"weight": 2}, ""), ({"weight": 2.1}, "out_of_range"), ({"mask": b""}, ""),
        ({"weight": -0.1}, "out_of_range"), ({"weight": "1"}, "not_a_number"), ({"start": 0.5, "end": 0.6}, ""),
        ({"start": 0.6, "end": 0.6}, "reference_order"), ({"end": 1.1}, "out_of_range"),
        ({"start": float("nan")}, "not_a_number"), ({"use": "mood"}, "not_a_choice"), ({"use": "composition"}, ""),
        ({"image": b""}, "no_picture"), ({"image": b"GIF8"}, "bad_image"), ({"mask": b"GIF8"}, "bad_image"),
        ({"mask": None}, "bad_image"), ({"model": ""}, "empty"), ({"model": "../plus"}, "not_plain"),
        ({"model": "a" * 101}, "too_long"), ({"model": 3}, "not_text"),
    ],
)  # fmt: skip
def test_each_value_has_its_bounds(changes: dict[str, Any], code: str) -> None:
    assert check(replace(GOOD, **changes)) == code


def test_how_many_and_what_else() -> None:
    assert check(*[GOOD] * 4) == ""
    assert check(*[GOOD] * 5) == "too_many"
    assert check(*[GOOD] * 3, public=True) == "too_many"
    assert check("plus") == "not_text"


def test_pictures_and_masks_are_kept_and_memory_is_learned_apart() -> None:
    asked = ImageRequest(prompt="a", references=(GOOD, replace(GOOD, mask=b"")))
    assert rules(asked).sources(asked) == (GOOD.image, GOOD.mask, GOOD.image)
    assert rules(asked).marks(asked) == ("references",)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def file(place: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """A safetensors file with tensors of these shapes."""
    place.parent.mkdir(parents=True, exist_ok=True)
    table, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        table[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end := end + size]}
    place.write_bytes(header_bytes(table) + bytes(end))
    return place


def encoder(folder: Path, **widths: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(widths))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_whole_repository_may_lie_in_the_folder(home: Home) -> None:
    """As its makers publish it: two kinds of models, each with an encoder, one of which serves both."""
    small, large = home.ipadapters / "models", home.ipadapters / "sdxl_models"
    file(small / "ip-adapter-plus_sd15.safetensors", PLUS)
    plain = file(large / "ip-adapter_sdxl.safetensors", {**PLAIN, "image_proj.proj.weight": (16, 40)})
    shared = file(large / "ip-adapter_sdxl_vit-h.safetensors", PLAIN)
    first = encoder(small / "image_encoder", hidden_size=32, projection_dim=24)
    second = encoder(large / "image_encoder", hidden_size=52, projection_dim=40)
    files = IPAdapters(home)
    assert files.names() == ("ip-adapter-plus_sd15", "ip-adapter_sdxl", "ip-adapter_sdxl_vit-h")
    where = files.folders()
    assert reference_files.find("ip-adapter_sdxl", where) == plain
    assert [reference_files.encoder(one, where) for one in (plain, shared)] == [second, first]
    asked = ImageRequest(prompt="a", references=(replace(GOOD, model="ip-adapter_sdxl"),))
    told = reference_files.hashes([asked, None], where)
    assert told.keys() == {"ip-adapter_sdxl", "ip-adapter_sdxl/image_encoder"}


def test_files_of_other_programs_find_the_encoder_in_the_studios_folder(home: Home, tmp_path: Path) -> None:
    other = file(tmp_path / "ComfyUI" / "models" / "ipadapter" / "face.safetensors", PLUS)
    files = IPAdapters(home, lambda: (other,))
    assert files.names() == ("face",)
    assert reference_files.find("face", files.folders()) == other
    assert reference_files.encoder(other, files.folders()) is None
    encoder(home.ipadapters / "image_encoder_g", hidden_size=52, projection_dim=40)
    right = encoder(home.ipadapters / "image_encoder_h", vision_config={"hidden_size": 32}, projection_dim=24)
    assert reference_files.encoder(other, files.folders()) == right
    (right / "config.json").write_text("[" * 100_000)
    assert reference_files.encoder(other, files.folders()) is None


def test_others_may_have_the_same_name(home: Home) -> None:
    (home.loras / "ink.safetensors").write_bytes(b"lora")
    (home.controlnets / "ink.safetensors").write_bytes(b"control")
    mine = file(home.ipadapters / "ink.safetensors", PLUS)
    where = (home.loras, *IPAdapters(home).folders(), *ControlNets(home).folders())
    assert reference_files.find("ink", where) == mine
    assert lora_files.find("ink", where) == home.loras / "ink.safetensors"
    assert control_files.find("ink", where) == home.controlnets / "ink.safetensors"
    mine.write_bytes(b"damaged")
    assert reference_files.find("ink", (home.ipadapters,)) == mine, "so that it can be said what is wrong with it"


def test_what_is_not_here_is_named_with_what_is(home: Home) -> None:
    file(home.ipadapters / "plus.safetensors", PLUS)
    files = IPAdapters(home)
    for name in ("../plus", "", ".", "a/b", "nobody", "\x00", "x" * 5000):
        assert reference_files.find(name, files.folders()) is None, name
    files.require(ImageRequest(prompt="a", references=(GOOD,)))
    with pytest.raises(StudioError) as caught:
        files.require(ImageRequest(prompt="a", references=(replace(GOOD, model="nobody"),)))
    assert (caught.value.code, caught.value.params["known"]) == ("no_reference", "plus")


def test_strangers_get_none(home: Home) -> None:
    file(home.ipadapters / "plus.safetensors", PLUS)
    files = IPAdapters(home, public=True)
    assert (files.names(), files.folders()) == ((), ())
    with pytest.raises(StudioError) as caught:
        files.require(ImageRequest(prompt="a", references=(GOOD,)))
    assert caught.value.code == "not_for_public"


def test_a_look_through_folders_finds_them(tmp_path: Path) -> None:
    from studio.store.disk.look import Headers, look
    from studio.store.disk.places import Place

    file(tmp_path / "shelf" / "plus.safetensors", PLUS)
    file(tmp_path / "shelf" / "faceid.safetensors", {**PLAIN, "ip_adapter.0.to_q_lora.down.weight": (4, 4)})
    found = look([Place(tmp_path / "shelf")], Headers())
    assert {(one.path.stem, one.reason) for one in found} == {("plus", "reference"), ("faceid", "reference")}
