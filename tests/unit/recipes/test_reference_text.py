"""Reference pictures in recipes and in the text of other web UIs, which write them as ControlNet units."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from studio.errors import StudioError
from studio.recipes import infotext, inspect, recipe, reproduce, untrusted
from studio.request_parts import Control, Reference
from studio.requests import ImageRequest, light

SHOWN = (
    Reference("ip-adapter-plus_sd15", b"one", 0.75, 0.1, 0.9, "style", b"mask"),
    Reference("ip-adapter_sd15", b"two"),
)
REQUEST = ImageRequest(
    prompt="a house", model="m", width=64, height=64, steps=2, guidance_scale=1.0, scheduler="Euler", seed=7,
    strength=0.5, hires_strength=0.5, variation_seed=0, references=SHOWN,
)  # fmt: skip
KEPT = {hashlib.sha256(data).hexdigest(): data for data in (b"one", b"mask", b"two")}
LINE = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 64x64, Model: x, "


def made(request: ImageRequest = REQUEST, **changes: Any) -> dict[str, Any]:
    return {
        "format": recipe.FORMAT, "task": "image", "parameters": recipe.parameters(request), "seed": 7, "device": "cpu",
        "model": {"id": "m", "title": "M", "revision": "", "licence": "", "licence_url": "", "commercial": True},
        "made": "2026-01-31T12:00:00+00:00", "software": {"studio": "0.1.0"}, "finish": "stop", "seconds": 0.5,
    } | changes  # fmt: skip


def test_a_recipe_names_pictures_and_masks_by_their_hashes_and_is_run_again_with_them() -> None:
    written = recipe.from_json(recipe.to_json(made(ipadapters={"ip-adapter_sd15": "ab" * 32})))
    assert written is not None
    assert written["ipadapters"] == {"ip-adapter_sd15": "ab" * 32}
    names = ("references.0", "references.0.mask", "references.1")
    assert recipe.sources(written) == dict(zip(names, KEPT, strict=True))
    assert reproduce.request(written, KEPT.get) == REQUEST
    for missing in KEPT:
        with pytest.raises(StudioError) as caught:
            reproduce.request(written, {hash: data for hash, data in KEPT.items() if hash != missing}.get)
        assert caught.value.code == "no_source"


def test_another_ip_adapter_or_encoder_under_the_same_name_is_named() -> None:
    before, now = (made(ipadapters={"plus/image_encoder": hash}) for hash in ("ab", "cd"))
    assert [one.what for one in reproduce.differences(before, now)] == ["IP-Adapter plus/image_encoder"]


def test_what_is_over_keeps_no_pictures() -> None:
    assert [(one.image, one.mask) for one in light(REQUEST).references] == [(b"", b"")] * 2
    assert light(REQUEST).references[0].use == "style"


def test_the_text_of_other_web_uis_is_written_as_they_do_and_read_back() -> None:
    text = infotext.write(made())
    assert (
        'ControlNet 0: "Module: ip-adapter-auto, Model: ip-adapter-plus_sd15, Weight: 0.75, '
        "Resize Mode: Crop and Resize, Guidance Start: 0.1, Guidance End: 0.9, Pixel Perfect: True, "
        'Control Mode: Balanced"'
    ) in text
    found = inspect.from_text(text)
    assert found is not None
    assert found.fields["references"] == (
        Reference("ip-adapter-plus_sd15", b"", 0.75, 0.1, 0.9),
        Reference("ip-adapter_sd15"),
    )
    assert "controls" not in found.fields
    assert not found.unknown


def test_beside_controlnets_each_has_a_number_of_its_own() -> None:
    both = made(replace(REQUEST, controls=(Control("canny-sd15", b"map", "canny"),)))
    text = infotext.write(both)
    assert [f"ControlNet {number}:" in text for number in range(4)] == [True, True, True, False]
    found = inspect.from_text(text)
    assert found is not None
    assert [one.model for one in found.fields["controls"]] == ["canny-sd15"]
    assert [one.model for one in found.fields["references"]] == [one.model for one in SHOWN]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("Module: ip-adapter_clip_sd15, Model: ip-adapter_sd15 [6a3f6166], Weight: 1, Resize Mode: Crop and Resize, "
         "Low Vram: False, Processor Res: 512, Guidance Start: 0, Guidance End: 0.77, Control Mode: Balanced",
         [Reference("ip-adapter_sd15", end=0.77)]),
        ("Module: CLIP-ViT-H (IPAdapter), Model: ip-adapter-plus_sdxl_vit-h [bc449f62], Weight: 0.5",
         [Reference("ip-adapter-plus_sdxl_vit-h", weight=0.5)]),
        ("Module: none, Model: ip-adapter_sd15_light [932b88cf], Weight: 0.75",
         [Reference("ip-adapter_sd15_light", weight=0.75)]),
        ("Module: ip-adapter_clip_h, Model: None, Weight: 1", []),
    ],
)  # fmt: skip
def test_units_as_other_programs_write_them(unit: str, expected: list[Reference]) -> None:
    found = inspect.from_text(f'a cat\n{LINE}ControlNet 0: "{unit}"')
    assert found is not None
    assert list(found.fields.get("references", ())) == expected
    assert "controls" not in found.fields


def test_faces_that_need_another_network_are_named_as_not_ours() -> None:
    unit = "Module: ip-adapter_face_id_plus, Model: ip-adapter-faceid-plusv2_sd15 [6e14fc1a], Weight: 1"
    found = inspect.from_text(f'a cat\n{LINE}ControlNet 0: "{unit}"')
    assert found is not None
    assert "references" not in found.fields
    assert found.unknown == ("ControlNet 0: ip-adapter_face_id_plus",)


@pytest.mark.parametrize(
    "given",
    ["x", [3], [{}], [{"model": ""}], [{"model": "a", "use": "mood"}], [{"model": "a", "weight": "much"}],
     [{"model": "a"}] * 99],
)  # fmt: skip
def test_what_strangers_wrote_is_taken_whole_or_not_at_all(given: Any) -> None:
    found, wrong = untrusted.image_fields({"prompt": "a", "references": given})
    assert "references" not in found
    assert wrong == ("references",)


def test_numbers_are_held_and_what_is_too_many_is_cut() -> None:
    found, wrong = untrusted.image_fields({"references": [{"model": "a", "weight": 9, "end": "0.5"}] * 6})
    assert found["references"] == (Reference("a", weight=2.0, end=0.5),) * 4
    assert wrong == ("references",)
