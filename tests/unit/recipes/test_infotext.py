"""The text that other web UIs read is written by their rules, and theirs is read; so are three programs' JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.recipes import infotext, inspect, other_uis, recipe, sampler_names
from studio.recipes.untrusted import image_fields
from studio.request_parts import Lora
from studio.requests import ImageRequest
from studio.tasks.image.schedulers import SCHEDULERS

REQUEST = ImageRequest(
    prompt="a red house", model="m", width=512, height=512, steps=20, guidance_scale=7.0, scheduler="Euler a", seed=7,
    strength=0.75, hires_strength=0.5, variation_seed=1,
)  # fmt: skip


def made(**changes: Any) -> dict[str, Any]:
    request = {name: getattr(REQUEST, name) for name in REQUEST.__dataclass_fields__} | changes
    parameters = recipe.parameters(ImageRequest(**request))
    return {
        "format": recipe.FORMAT,
        "task": "image",
        "model": {"id": "m", "title": "M", "revision": "", "licence": "", "licence_url": "", "commercial": True},
        "parameters": parameters,
        "seed": request["seed"],
        "software": {"studio": "0.1.0"},
    }


def found(text: str) -> infotext.Found:
    understood = infotext.parse(text)
    assert understood is not None
    return understood


# ---- written

# The settings line, read as AUTOMATIC1111 reads it (modules/infotext_utils.py: re_param and its "fewer than 3" rule).
PARAM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def as_other_web_uis_read(text: str) -> dict[str, str]:
    *lines, last = text.strip().split("\n")
    if len(PARAM.findall(last)) < 3:
        lines, last = [*lines, last], ""
    said, negative = {"Prompt": "", "Negative prompt": ""}, False
    for line in lines:
        rest = line.strip()
        if rest.startswith("Negative prompt:"):
            negative, rest = True, rest[16:].strip()
        key = "Negative prompt" if negative else "Prompt"
        said[key] += ("\n" if said[key] else "") + rest
    for name, value in PARAM.findall(last):
        said[name] = json.loads(value) if value.startswith('"') else value
    return said


def test_other_web_uis_read_the_same_settings() -> None:
    text = made(prompt="a cat,\nfluffy: very", negative_prompt="rain, snow", steps=4, guidance_scale=1.5)
    text["model"]["title"] = 'Model 1.5: "turbo", big'
    said = as_other_web_uis_read(infotext.write(text))
    assert said["Prompt"] == "a cat,\nfluffy: very"
    assert said["Negative prompt"] == "rain, snow"
    assert (said["Steps"], said["CFG scale"], said["Sampler"]) == ("4", "1.5", "Euler a")
    assert (said["Seed"], said["Size"], said["Model"]) == ("7", "512x512", 'Model 1.5: "turbo", big')


def test_what_decided_nothing_is_not_written() -> None:
    said = as_other_web_uis_read(infotext.write(made()))
    assert said.keys() == {
        "Prompt", "Negative prompt", "Steps", "Sampler", "CFG scale", "Seed", "Size", "Model", "RNG", "Version",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"scheduler": "DPM++ 2M Karras"}, {"Sampler": "DPM++ 2M", "Schedule type": "Karras"}),
        ({"clip_skip": 1}, {"Clip skip": "2"}),
        ({"image": b"x", "strength": 0.6}, {"Denoising strength": "0.6"}),
        ({"image": b"x", "mask": b"y"}, {"Mask blur": "4"}),
        ({"seamless": "both"}, {"Tiling": "True"}),
        ({"seamless": "y"}, {"Tile X": "False", "Tile Y": "True"}),
        (
            {"image": b"x", "mask": b"y", "masked_only": True, "mask_padding": 0, "mask_blur": 8},
            {"Mask blur": "8", "Inpaint area": "Only masked", "Masked area padding": "0"},
        ),
        ({"variation": 0.25, "variation_seed": 9}, {"Variation seed": "9", "Variation seed strength": "0.25"}),
        ({"hires_scale": 1.5, "hires_strength": 0.4}, {"Hires upscale": "1.5", "Denoising strength": "0.4"}),
        ({"hires_scale": 2.0, "height": 768}, {"Size": "256x384", "Hires resize": "512x768"}),
        ({"loras": (Lora("ink", 0.8), Lora("fog"))}, {"Prompt": "a red house <lora:ink:0.8> <lora:fog:1>"}),
        ({"prompt": "a __x__", "prompts": ("a dog",)}, {"Prompt": "a dog", "Wildcard prompt": "a __x__"}),
        ({"guidance_scale": 7.123456789}, {"CFG scale": "7.123456789"}),
    ],
)
def test_a_setting_is_written_under_the_name_that_others_know(
    changes: dict[str, Any], expected: dict[str, str]
) -> None:
    said = as_other_web_uis_read(infotext.write(made(**changes)))
    assert said | expected == said


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)
NAME = st.text("abcXYZ09_-. ", min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "prompt": TEXT.map(str.strip).filter(lambda text: "<lora" not in text and "Negative prompt:" not in text),
            "negative_prompt": TEXT.map(str.strip),
            "steps": st.integers(1, 150),
            "guidance_scale": st.floats(0, 30),
            "scheduler": st.sampled_from([*SCHEDULERS, "Default"]),
            "seed": st.integers(0, 2**64 - 1),
            "width": st.integers(8, 512).map(lambda side: side * 8),
            "variation": st.floats(0.01, 1),
            "variation_seed": st.integers(0, 2**64 - 1),
            "clip_skip": st.integers(0, 12),
            "hires_scale": st.floats(1.01, 4),
            "hires_strength": st.floats(0, 1),
            "tiling": st.booleans(),
            "loras": st.lists(st.builds(Lora, NAME, st.floats(-4, 4)), max_size=3, unique_by=lambda one: one.name),
        }
    )
)
def test_what_is_written_is_read_again(given: dict[str, Any]) -> None:
    given["loras"] = tuple(given["loras"])
    fields, wrong = image_fields(found(infotext.write(made(**given))).fields)
    assert not wrong
    read = {name: fields.get(name, REQUEST.__dataclass_fields__[name].default) for name in given}
    assert read == given


# ---- read

THEIRS = """a castle on a (hill:1.2) <lora:castleLora:0.8>
second line
Negative prompt: blurry, ugly
and more
Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 12345, Size: 512x768, Model hash: abc, Model: \
dreamshaper_8, Denoising strength: 0.4, Clip skip: 2, ENSD: 31337, Lora hashes: "castleLora: dead, x: y", Version: v1"""


def test_a_text_of_another_web_ui_is_read_by_its_rules() -> None:
    read = found(THEIRS)
    assert image_fields(read.fields)[0] == {
        "prompt": "a castle on a (hill:1.2)\nsecond line", "negative_prompt": "blurry, ugly\nand more", "steps": 20,
        "guidance_scale": 7.0, "seed": 12345, "width": 512, "height": 768, "scheduler": "Euler a", "strength": 0.4,
        "clip_skip": 1, "loras": (Lora("castleLora", 0.8),),
    }  # fmt: skip
    assert read.model == "dreamshaper_8"
    assert read.unknown == ("ENSD: 31337", "Schedule type: Karras"), "an Euler a with that schedule we do not have"


def test_a_last_line_with_two_settings_belongs_to_the_prompt() -> None:
    assert infotext.parse("a cat\nSteps: 20, Seed: 5") is None
    assert found("a cat\nSteps: 20, Seed: 5, Size: 64x64").fields["prompt"] == "a cat"
    assert found("a cat\nNegative prompt: dog\nratio: 1, b: 2").fields["negative_prompt"] == "dog\nratio: 1, b: 2"


@pytest.mark.parametrize("text", ["", "a cat", "Dear all,\nthe results: they came.\n", "x" * 300_000])
def test_words_without_settings_are_none(text: str) -> None:
    assert infotext.parse(text) is None


@pytest.mark.parametrize(
    ("name", "schedule", "ours", "missing"),
    [
        ("DPM++ 2M Karras", "", "DPM++ 2M Karras", ()),
        ("DPM++ 2M", "Karras", "DPM++ 2M Karras", ()),
        ("DPM++ 2M", "Automatic", "DPM++ 2M Karras", ()),
        ("DPM++ 2M", "", "DPM++ 2M", ()),
        ("DPM++ 2M SDE", "Automatic", "DPM++ 2M SDE", ("Schedule type: Exponential",)),
        ("Euler", "Automatic", "Euler", ()),
        ("euler_ancestral", "normal", "Euler a", ()),
        ("dpmpp_2m_sde_gpu", "karras", "DPM++ 2M SDE Karras", ()),
        ("PLMS", "", "PNDM", ()),
        ("unipc", "", "UniPC", ()),
        ("DPM++ 2S a Karras", "", "", ("Sampler: DPM++ 2S a Karras",)),
        ("Euler", "Beta", "Euler", ("Schedule type: Beta",)),
    ],
)
def test_samplers_and_schedules_become_ours_or_are_named(
    name: str, schedule: str, ours: str, missing: tuple[str, ...]
) -> None:
    known, lacking = sampler_names.sampler(name, schedule)
    assert known == ours
    assert set(missing) <= set(lacking)
    assert bool(missing) == bool(lacking)


def test_a_second_painting_is_told_from_a_picture_to_start_from() -> None:
    line = "a\nSteps: 1, Seed: 1, Size: 64x96, Denoising strength: 0.5"
    assert found(line).fields["strength"] == "0.5"
    enlarged = found(line + ", Hires upscale: 2, Hires upscaler: Latent").fields
    assert (enlarged["hires_scale"], enlarged["hires_strength"], "strength" in enlarged) == (2, "0.5", False)
    assert (enlarged["width"], enlarged["height"]) == (128, 192), "ours is the size of the finished picture"
    resized = image_fields(found(line + ", Hires resize: 128x200").fields)[0]
    assert (resized["hires_scale"], resized["width"], resized["height"]) == (2, 128, 200)


def test_a_model_that_was_taught_to_follow_one_number_gets_that_one() -> None:
    text = "a\nSteps: 20, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 1"
    assert image_fields(found(text).fields)[0]["guidance_scale"] == 3.5


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_reading_never_raises(text: str) -> None:
    infotext.parse(text)
    inspect.from_text(text)
    inspect.from_text(THEIRS.replace("12345", text).replace("0.8", text))


@pytest.mark.parametrize("part", ["ab cd ", "a: ", 'ab: "', 'ab: "\\', " ", "<lora:", "ab:,", "(", "\n"])
def test_a_hostile_text_takes_no_time(part: str) -> None:
    inspect.from_text("x\nSteps: 1, Seed: 1, CFG scale: 1, " + part * (190_000 // len(part)))


# ---- JSON of three programs

SWARMUI = {
    "sui_image_params": {
        "prompt": "a cat <lora:fog:0.5>", "negativeprompt": "dog", "model": "Official/sd_xl", "seed": "5", "steps": 20,
        "cfgscale": "6.5", "aspectratio": "1:1", "width": 1024, "height": 768, "sampler": "dpmpp_2m",
        "scheduler": "karras", "initimagecreativity": 0.6, "variationseed": 9, "variationseedstrength": 0.2,
        "clipstopatlayer": -2, "loras": ["styles/ink"], "loraweights": ["0.7"], "refinerupscale": 2,
        "refinercontrolpercentage": 0.3, "freeublock1": 1.1, "zeronegative": False, "swarm_version": "0.9.3.1",
    },
    "sui_extra_data": {"date": "2024-11-13"},
}  # fmt: skip
TEXTGEN = {
    "image_prompt": "a cat", "image_neg_prompt": "dog", "image_width": 1024, "image_height": 768,
    "image_aspect_ratio": "4:3 Photo", "image_steps": 9, "image_seed": 5, "image_cfg_scale": 0.0,
    "generated_at": "2026-01-31T12:00:00", "model": "Z-Image-Turbo",
}  # fmt: skip
UNSLOTH = {
    "prompt": "a cat", "negative_prompt": "dog", "width": 1024, "height": 768, "steps": 9, "guidance": 4.5, "seed": 5,
    "model": "unsloth/Z-Image", "created_at": 1.0, "true_cfg": 2,
}  # fmt: skip


def test_swarmui_is_read_with_numbers_as_text_and_comfyui_names() -> None:
    restored = inspect.from_text(json.dumps(SWARMUI, indent=2))
    assert restored is not None
    assert (restored.form, restored.model, restored.broken) == ("swarmui", "Official/sd_xl", False)
    assert restored.unknown == ("freeublock1: 1.1",), "what is switched off decided nothing"
    assert restored.fields == {
        "prompt": "a cat", "negative_prompt": "dog", "seed": 5, "steps": 20, "guidance_scale": 6.5, "width": 2048,
        "height": 1536, "scheduler": "DPM++ 2M Karras", "strength": 0.6, "variation": 0.2, "variation_seed": 9,
        "clip_skip": 1, "loras": (Lora("fog", 0.5), Lora("ink", 0.7)), "hires_scale": 2.0, "hires_strength": 0.3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "form", "model", "unknown"),
    [(TEXTGEN, "textgen", "Z-Image-Turbo", ()), (UNSLOTH, "unsloth", "unsloth/Z-Image", ("true_cfg: 2",))],
)
def test_textgen_and_unsloth_are_read(said: Any, form: str, model: str, unknown: tuple[str, ...]) -> None:
    restored = inspect.from_text(json.dumps(said))
    assert restored is not None
    assert (restored.form, restored.model, restored.unknown, restored.broken) == (form, model, unknown, False)
    guidance = restored.fields.pop("guidance_scale")
    assert guidance == (0.0 if form == "textgen" else 4.5)
    assert restored.fields == {
        "prompt": "a cat", "negative_prompt": "dog", "width": 1024, "height": 768, "steps": 9, "seed": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    "said", [["fog"], [{"name": "fog", "weight": 1}], [{"path": "a\\b/fog.safetensors", "scale": "1.0"}], "fog"]
)
def test_adaptations_are_taken_in_the_usual_forms(said: Any) -> None:
    restored = inspect.from_text(json.dumps({**UNSLOTH, "loras": said}))
    assert restored is not None
    assert (restored.fields["loras"], restored.broken) == ((Lora("fog", 1.0),), False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_value_in_any_place_is_taken_or_left(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([SWARMUI, TEXTGEN, UNSLOTH]))
    inner = dict(whole.get("sui_image_params", whole))
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(JSON)
    understood = other_uis.parse({"sui_image_params": inner} if "sui_image_params" in whole else inner)
    if understood is None:
        return
    fields, _ = image_fields(understood[1].fields)
    request = ImageRequest(**{"prompt": "", **fields})
    recipe.to_json(recipe.parameters(request)).encode()


# ---- pictures that were painted in (modules/processing.py writes these three)


def test_what_others_painted_in_a_mask_is_read() -> None:
    text = "a hat\nSteps: 20, Sampler: Euler, Seed: 5, Size: 512x512, Denoising strength: 0.75, "
    read = found(text + "Mask blur: 8, Inpaint area: Only masked, Masked area padding: 64")
    fields, wrong = image_fields(read.fields)
    assert (fields["masked_only"], fields["mask_padding"], fields["mask_blur"]) == (True, 64, 8)
    assert (fields["strength"], read.unknown, wrong) == (0.75, (), ())
    whole = found(text + "Mask blur: 4, Inpaint area: Whole picture")
    assert ("masked_only" in whole.fields, whole.unknown) == (False, ())
    odd = found(text + "Mask blur: soft, Inpaint area: Elsewhere")
    assert odd.unknown == ("Inpaint area: Elsewhere",)
    assert image_fields(odd.fields)[1] == ("mask_blur",)


def test_a_mask_is_told_again_by_a_recipe_that_was_enlarged() -> None:
    before = made(image=b"x", mask=b"y", masked_only=True)
    larger = {"format": recipe.FORMAT, "task": "upscale", "model": before["model"], "parameters": {"scale": 2},
              "seed": 0, "software": {}, "origin": before}  # fmt: skip
    from studio.recipes import origins

    said = as_other_web_uis_read(origins.text(larger))
    assert (said["Inpaint area"], said["Masked area padding"]) == ("Only masked", "32")


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("Tiling: True", "both"), ("Tile X: True, Tile Y: False", "x"), ("Tile X: False, Tile Y: True", "y"),
        ("Tile X: True, Tile Y: True, Start Tiling From Step: 0, Stop Tiling After Step: -1", "both"),
        ("Tiling: False", None),
    ],
)  # fmt: skip
def test_edges_that_fit_together_are_read_as_others_write_them(said: str, way: str | None) -> None:
    read = found(f"moss\nSteps: 20, Sampler: Euler, Seed: 5, Size: 512x512, {said}")
    assert (read.fields.get("seamless"), read.unknown) == (way, ())
    assert "tiling" not in read.fields, "decoding in tiles is another thing"


def test_embeddings_stay_words_of_the_prompt_and_their_hashes_are_told_as_others_tell_them() -> None:
    told = made(prompt="a wall of moss", negative_prompt="EasyNegative")
    told["embeddings"] = {"moss": "0123456789abcdef", "EasyNegative": "c74b4e810b030f6b"}
    text = infotext.write(told)
    assert as_other_web_uis_read(text)["TI hashes"] == "moss: 0123456789ab, EasyNegative: c74b4e810b03"
    read = found(text)
    assert (read.fields["prompt"], read.fields["negative_prompt"], read.unknown) == (
        "a wall of moss", "EasyNegative", (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "rng"),
    [
        ("Version: v1.10.1", "nv"), ("Version: f2.0.1v1.10.1-previous-224-g900196889", "nv"), ("RNG: NV", "nv"),
        ("RNG: CPU, Version: v1.10.1", None), ("Version: ComfyUI", None), ("App: SD.Next, Version: 0eb4a98", None),
        ("Version: Fooocus v2.5.5", None),
    ],
)  # fmt: skip
def test_whose_noise_it_was_is_read(said: str, rng: str | None) -> None:
    """The two programs that draw it on the card unless told otherwise say nothing of it then."""
    found = infotext.parse(f"a\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64, {said}")
    assert found is not None
    assert (found.fields.get("rng"), [one for one in found.unknown if "RNG" in one]) == (rng, [])


@pytest.mark.parametrize(("rng", "written"), [("nv", "NV"), ("", "CPU")])
def test_whose_noise_it_is_is_said_to_others(rng: str, written: str) -> None:
    assert as_other_web_uis_read(infotext.write(made(rng=rng)))["RNG"] == written
