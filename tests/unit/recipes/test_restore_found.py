"""Forms of settings met in pictures of others: between pipes, JSON among the settings, an enlargement alone."""

from __future__ import annotations

import io
import json

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.recipes import inspect
from studio.request_parts import Lora

PIPED = (
    "prompt: a watermelon | city\nNegative prompt: planet, (worst quality:2)\nVersion: aa62f6d, Pipeline: Original,\n"
    "Steps: 25 | Seed: 1879635471 | Sampler: Euler a | CFG scale: 7 | Size: 768x512 | Parser: Full parser | "
    "Model: revAnimated_v122 | Clip skip: 2"
)
CIVITAI = (
    "a dog\nNegative prompt: b\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 64x64, "
    'Hashes: {"model": "7440042bbd", "lora:x":"1"}, Civitai resources: [{"type":"checkpoint","modelName":"Dream: One"},'
    '{"type":"lora","weight":0.6,"modelName":"Add More, Details"}], Civitai metadata: {"a":{"b: c":1}}, Clip skip: 2'
)


def told(text: str) -> inspect.Restored:
    out, info = io.BytesIO(), PngInfo()
    info.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    found = inspect.read_settings(out.getvalue())
    assert found is not None
    return found


def test_settings_between_pipes_are_settings() -> None:
    found = told(PIPED)
    assert (found.fields["prompt"], found.fields["negative_prompt"]) == (
        "a watermelon | city", "planet, (worst quality:2)",
    )  # fmt: skip
    assert (found.fields["seed"], found.fields["scheduler"], found.fields["width"]) == (1879635471, "Euler a", 768)
    assert (found.model, found.fields["clip_skip"], found.unknown) == ("revAnimated_v122", 1, ())


def test_a_pipe_in_a_prompt_stays() -> None:
    text = "Steps: a | b\nNegative prompt: c | d\nSteps: 20, Sampler: Euler, Seed: 5, Size: 64x64"
    assert told(text).fields["negative_prompt"] == "c | d"


def test_models_that_are_named_beside_the_prompt_are_found_and_json_breaks_no_other_setting() -> None:
    found = told(CIVITAI)
    assert found.fields["loras"] == (Lora("Add More, Details", 0.6),)
    assert (found.model, found.unknown, found.wrong) == ("Dream: One", (), ())
    assert (found.fields["prompt"], found.fields["clip_skip"], found.fields["seed"]) == ("a dog", 1, 5)


def test_json_that_is_none_is_left() -> None:
    assert told(CIVITAI.replace('"1"}', '"1"')).fields["seed"] == 5


def test_an_enlargement_alone_is_no_prompt() -> None:
    found = told("Postprocess upscale by: 2, Postprocess upscaler: ScuNET")
    assert (found.fields, found.unread, found.broken) == ({}, True, False)


def test_an_adaptation_in_the_prompt_and_in_the_list_is_one() -> None:
    said = {"prompt": "a bird <lora:foo:0.5>", "seed": 1, "loras": ["foo"], "loraweights": ["0.5"]}
    found = told(json.dumps({"sui_image_params": said}))
    assert found.fields["loras"] == (Lora("foo", 0.5),)
