"""Controls as they are asked for: their bounds, and which file or folder a ControlNet is."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.errors import StudioError
from studio.paths import Home
from studio.request_parts import Control
from studio.requests import ImageRequest
from studio.tasks import limits
from studio.tasks.image import control_files
from studio.tasks.image.control_files import ControlNets
from studio.tasks.table import rules


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


GOOD = Control("edges", png(), "canny", 1.0, 0.0, 1.0, "crop")
CARD = tiny_card(Source("local"), 1, tasks=("image",))


def check(*controls: Any, public: bool = False) -> str:
    """The code of the refusal, "" where there is none."""
    try:
        limits.check(ImageRequest(prompt="a", controls=controls), CARD, public=public)
    except StudioError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""), ({"weight": 0}, ""), ({"weight": 2}, ""), ({"weight": 2.1}, "out_of_range"),
        ({"weight": -0.1}, "out_of_range"), ({"weight": "1"}, "not_a_number"), ({"start": 0.5, "end": 0.6}, ""),
        ({"start": 0.6, "end": 0.6}, "control_order"), ({"start": 1.0}, "control_order"),
        ({"end": 1.1}, "out_of_range"),
        ({"start": float("nan")}, "not_a_number"), ({"preprocessor": "pose"}, "not_a_choice"),
        ({"fit": "round"}, "not_a_choice"), ({"image": b""}, "no_picture"), ({"image": b"GIF8"}, "bad_image"),
        ({"image": "x"}, "bad_image"), ({"model": ""}, "empty"), ({"model": "../edges"}, "not_plain"),
        ({"model": ".edges"}, "not_plain"), ({"model": "a" * 101}, "too_long"), ({"model": 3}, "not_text"),
    ],
)  # fmt: skip
def test_each_value_has_its_bounds(changes: dict[str, Any], code: str) -> None:
    assert check(replace(GOOD, **changes)) == code


def test_how_many_and_what_else() -> None:
    assert check(*[GOOD] * 4) == ""
    assert check(*[GOOD] * 5) == "too_many"
    assert check(*[GOOD] * 3, public=True) == "too_many"
    assert check("edges") == "not_text"


def test_the_pictures_are_kept_and_memory_is_learned_apart() -> None:
    asked = ImageRequest(prompt="a", image=b"start", controls=(GOOD, GOOD))
    assert rules(asked).sources(asked) == (b"start", GOOD.image, GOOD.image)
    assert rules(asked).marks(asked) == ("image", "controls")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def folder(place: Path) -> Path:
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    (place / "diffusion_pytorch_model.safetensors").write_bytes(b"folder")
    return place


def test_names_are_stems_and_folders_and_the_studios_own_count_first(home: Home, tmp_path: Path) -> None:
    (home.controlnets / "edges.safetensors").write_bytes(b"own")
    (home.controlnets / "notes.txt").write_text("x")
    (home.controlnets / ".hidden.safetensors").write_bytes(b"x")
    folder(home.controlnets / "depth")
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("edges", "lines"):
        (other / f"{name}.safetensors").write_bytes(b"other")
    nets = ControlNets(home, lambda: (other / "lines.safetensors", other / "edges.safetensors"))
    assert nets.names() == ("depth", "edges", "lines")
    where = (home.loras, *nets.folders())
    assert control_files.find("edges", where) == home.controlnets / "edges.safetensors"
    assert control_files.find("lines", where) == other / "lines.safetensors"
    assert control_files.find("depth", where) == home.controlnets / "depth"
    for name in ("../edges", "", ".", "..", "a/b", "nobody", "\x00", "x" * 5000):
        assert control_files.find(name, where) is None, name
    asked = ImageRequest(prompt="a", controls=(GOOD, replace(GOOD, model="depth"), replace(GOOD, model="nobody")))
    assert control_files.hashes([asked, None], where).keys() == {"edges", "depth"}
    with pytest.raises(StudioError) as caught:
        nets.require(asked)
    assert (caught.value.code, caught.value.params["known"]) == ("no_control", "depth, edges, lines")


def test_an_adaptation_and_a_controlnet_may_have_the_same_name(home: Home) -> None:
    from studio.tasks.image import lora_files

    for place in (home.loras, home.controlnets):
        (place / "ink.safetensors").write_bytes(place.name.encode())
    where = (home.loras, *ControlNets(home).folders())
    assert lora_files.find("ink", where) == home.loras / "ink.safetensors"
    assert control_files.find("ink", where) == home.controlnets / "ink.safetensors"


def test_those_of_the_hubs_cache_are_called_by_their_repository(home: Home, tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--maker--canny-xl-1.0"
    old, new = (folder(cache / "snapshots" / name) for name in ("0ld", "aew"))
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0ld\n")
    nets = ControlNets(home, lambda: (old,))
    assert nets.names() == ("canny-xl-1.0",)
    assert control_files.find("canny-xl-1.0", nets.folders()) == old
    (cache / "refs" / "main").unlink()
    assert control_files.find("canny-xl-1.0", nets.folders()) == new
    assert control_files.find("0ld", nets.folders()) is None


def test_what_tells_depth_is_found_where_it_is_put_and_named_where_it_is_not(home: Home, tmp_path: Path) -> None:
    (home.controlnets / "edges.safetensors").write_bytes(b"own")
    asked = ImageRequest(prompt="a", controls=(replace(GOOD, preprocessor="depth"),))
    elsewhere: list[Path] = []
    nets = ControlNets(home, depths=lambda: elsewhere)
    folder(home.preprocessors / "other")
    (home.preprocessors / "stray.txt").write_text("x")
    with pytest.raises(StudioError) as caught:
        nets.require(asked)
    assert (caught.value.code, caught.value.params["path"]) == ("no_depth", str(home.preprocessors))
    nets.require(replace(asked, controls=(GOOD,)))
    for kind, place in (
        ("DPTForDepthEstimation", tmp_path / "hub" / "models--maker--deep" / "snapshots" / "1"),
        ("DepthAnythingForDepthEstimation", home.preprocessors / "Depth-Anything-V2-Small-hf"),
    ):
        folder(place)
        (place / "config.json").write_text(f'{{"architectures": ["{kind}"]}}')
        elsewhere.append(place)
        assert nets.depth() == place, "the studio's own first"
        nets.require(asked)
    assert nets.names() == ("edges",), "no ControlNet"
    assert control_files.hashes([asked], nets.folders()).keys() == {"edges", "Depth-Anything-V2-Small-hf"}
    with pytest.raises(StudioError) as caught:
        ControlNets(home, public=True).depth()
    assert caught.value.code == "not_for_public"


def test_a_look_through_folders_finds_files_and_folders(home: Home, tmp_path: Path) -> None:
    from studio.store.disk.look import Headers, look
    from studio.store.disk.places import Place
    from studio.store.safetensors import header_bytes

    place = folder(tmp_path / "shelf" / "depth")
    (place / "config.json").write_text('{"_class_name": "ControlNetModel"}')
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    (tmp_path / "shelf" / "lines.safetensors").write_bytes(
        header_bytes({"control_model.input_hint_block.0.weight": tensor}) + bytes(4)
    )
    adapter = folder(tmp_path / "shelf" / "sketch")
    (adapter / "config.json").write_text('{"_class_name": "T2IAdapter"}')
    deep = folder(tmp_path / "shelf" / "deep")
    (deep / "config.json").write_text('{"architectures": ["DepthAnythingForDepthEstimation"]}')
    for name, key in (("t2i", "adapter.body.0.resnets.0.block1.weight"), ("t2i-old", "body.0.block1.weight")):
        (tmp_path / "shelf" / f"{name}.safetensors").write_bytes(header_bytes({key: tensor}) + bytes(4))
    found = look([Place(tmp_path / "shelf")], Headers())
    assert {(one.path.name, one.reason, one.weights.kind) for one in found} == {
        ("depth", "control", "control"), ("lines.safetensors", "control", "control"),
        ("sketch", "control", "control"), ("deep", "depth", "other"), ("t2i.safetensors", "control", "control"),
        ("t2i-old.safetensors", "control", "control"),
    }  # fmt: skip


def test_strangers_get_none(home: Home) -> None:
    (home.controlnets / "edges.safetensors").write_bytes(b"own")
    nets = ControlNets(home, public=True)
    assert (nets.names(), nets.folders()) == ((), ())
    with pytest.raises(StudioError) as caught:
        nets.require(ImageRequest(prompt="a", controls=(GOOD,)))
    assert caught.value.code == "not_for_public"
