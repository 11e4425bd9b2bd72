"""A recipe names everything that decided an output, survives its file, and is read back from anybody's bytes."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.recipes import embed_image, recipe
from studio.recipes.embed_audio import encode_flac, encode_mp3, encode_wav
from studio.request_parts import Message
from studio.requests import CaptionRequest, ChatRequest, CodeRequest, ImageRequest, MusicRequest, Request
from studio.results import Audio
from studio.tasks import limits

CARD = tiny_card(
    Source("hub", repo="a/m", revision="f" * 40), 1, id="m", title="M",
    tasks=("chat", "image", "music", "code", "caption"), engine="fake", licence_url="https://example.org/licence",
)  # fmt: skip
PICTURE = Image.new("RGB", (8, 8), "red")
SOUND = Audio(np.zeros((2, 100), np.float32), 8_000)
REQUESTS: tuple[Request, ...] = (
    ChatRequest(messages=(Message("user", "Hello"), Message("assistant", "Hi"), Message("user", "Bye"))),
    ImageRequest(prompt="a red house", negative_prompt="rain"),
    MusicRequest(prompt="a reel", lyrics="la"),
    CodeRequest(prefix="def f(", suffix=")\n", language="python"),
    CaptionRequest(image=b"the bytes"),
)


def made(request: Request, **more: Any) -> dict[str, Any]:
    return recipe.make_recipe(limits.resolve(request, CARD, lambda: 7), CARD, **more)


def picture_recipe(**parameters: Any) -> dict[str, Any]:
    return made(ImageRequest(**{"prompt": "a red house", **parameters}))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.task)
def test_a_recipe_holds_every_field_of_its_request_and_no_gaps(request_: Request) -> None:
    found = made(request_)
    fields = set(type(request_).__dataclass_fields__) - {"task", "model", "seed"}
    assert set(found["parameters"]) == fields
    assert "null" not in recipe.to_json(found)
    assert (found["task"], found["model"]["id"], found["seed"]) == (request_.task, "m", 7)
    assert found["model"]["licence_url"] == "https://example.org/licence"


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.task)
def test_a_recipe_comes_back_from_json_as_it_was(request_: Request) -> None:
    found = made(request_, device="cuda:0", finish="length", seconds=1.25)
    assert recipe.from_json(recipe.to_json(found)) == found
    assert recipe.from_json(recipe.to_json(found, ascii_only=True, indent=2)) == found


def test_a_captioned_picture_is_named_by_its_hash_and_never_kept() -> None:
    found = made(CaptionRequest(image=b"the bytes"))
    assert found["parameters"]["image"] == {"sha256": hashlib.sha256(b"the bytes").hexdigest(), "bytes": 9}
    assert "the bytes" not in recipe.to_json(found)


def test_the_revision_is_that_of_the_files_that_ran() -> None:
    assert made(REQUESTS[1])["model"]["revision"] == "f" * 40
    assert made(REQUESTS[1], revision="abc")["model"]["revision"] == "abc"


def test_the_time_says_its_zone() -> None:
    assert made(REQUESTS[1], made=datetime(2026, 1, 31, 12, tzinfo=UTC))["made"] == "2026-01-31T12:00:00+00:00"
    assert datetime.fromisoformat(made(REQUESTS[1])["made"]).tzinfo is not None


def test_the_recipe_of_one_picture_of_a_batch_makes_that_one_again() -> None:
    whole = picture_recipe(count=4)
    third = recipe.for_seed(whole, 9)
    assert (third["seed"], third["parameters"]["count"]) == (9, 1)
    assert (whole["seed"], whole["parameters"]["count"]) == (7, 4), "the whole is left as it was"


FILES = {
    "png": lambda made: embed_image.encode_png(PICTURE, made),
    "jpeg": lambda made: embed_image.encode_jpeg(PICTURE, made),
    "webp": lambda made: embed_image.encode_webp(PICTURE, made),
    "wav": lambda made: encode_wav(SOUND, made),
    "flac": lambda made: encode_flac(SOUND, made),
    "mp3": lambda made: encode_mp3(SOUND, made),
    "json": lambda made: recipe.to_json(made, indent=2).encode(),
    "json with a byte order mark": lambda made: recipe.to_json(made).encode("utf-8-sig"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("prompt", ["plain", '日本語 עברית 🌲 é\n\ttab "quoted" \\', "\0 and \x1f", "x" * 9_000])
def test_a_recipe_survives_its_file(kind: str, prompt: str) -> None:
    found = picture_recipe(prompt=prompt)
    assert recipe.read_recipe(FILES[kind](found)) == found


@pytest.mark.parametrize("kind", ["png", "webp", "wav", "flac"])
def test_the_longest_prompt_survives_where_the_format_has_room(kind: str) -> None:
    found = picture_recipe(prompt="木" * 10_000, negative_prompt="é" * 10_000)
    assert recipe.read_recipe(FILES[kind](found)) == found


def test_a_file_of_somebody_else_has_no_recipe() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("recipe", "flour, eggs, milk")
    info.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1")
    out = io.BytesIO()
    PICTURE.save(out, "PNG", pnginfo=info)
    assert recipe.read_recipe(out.getvalue()) is None
    for data in (b"", b"{", b"{}", b"[]", b"RIFF", b"fLaC", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"\0" * 100):
        assert recipe.read_recipe(data) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5_000,
        '{"format": "atelier/1"}',
        '{"format": "atelier/1", "task": "image", "model": [], "parameters": {}}',
        '{"format": "atelier/1", "task": "image", "model": {}, "parameters": []}',
        '{"format": "atelier/1", "task": "dance", "model": {}, "parameters": {}}',
        '{"format": "atelier/1", "task": ["image"], "model": {}, "parameters": {}}',
        '{"format": 1, "task": "image", "model": {}, "parameters": {}}',
        '{"format": "atelier/1", "task": "image", "model": {}, "parameters": {"steps": NaN}}',
        '{"format": "atelier/1", "task": "image", "model": {}, "parameters": {"steps": 1e999}}',
        '{"format": "atelier/1", "task": "image", "model": {}, "parameters": {"prompt": "\\ud800"}}',
        " " * 7_000_000,
    ],
)
def test_what_is_not_a_recipe_is_none_and_never_an_error(text: str) -> None:
    assert recipe.from_json(text) is None


def test_a_recipe_with_odd_values_gets_the_shape_that_readers_rely_on() -> None:
    odd = {
        "format": "atelier/9",
        "task": "image",
        "model": {"id": 5, "title": "t" * 5_000, "commercial": "yes"},
        "parameters": {"steps": "many"},
        "seed": "7",
        "software": ["torch"],
        "seconds": True,
        "extra": 1,
    }
    found = recipe.from_json(json.dumps(odd))
    assert found is not None
    assert set(found) == set(picture_recipe())
    assert (found["model"]["id"], len(found["model"]["title"]), found["model"]["commercial"]) == ("", 1_000, None)
    assert (found["seed"], found["seconds"], found["software"], found["finish"]) == (0, 0.0, {}, "stop")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([*FILES]), st.integers(0, 3_000))
def test_reading_never_raises(noise: bytes, kind: str, at: int) -> None:
    data = bytearray(FILES[kind](picture_recipe()))
    at %= len(data)
    data[at : at + len(noise)] = noise
    recipe.read_recipe(bytes(data))
    recipe.read_recipe(noise)
