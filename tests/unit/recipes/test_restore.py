"""What a picture tells of how it was made is found wherever programs put it, and nothing hostile is an error."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from studio.recipes import embed_image, inspect, recipe
from studio.request_parts import Lora
from studio.requests import ImageRequest

PICTURE = Image.new("RGB", (8, 8), "red")
A1111 = "a château\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x64, Model: x"
SWARMUI = json.dumps({"sui_image_params": {"prompt": "a château", "seed": 5, "steps": "20"}})
TEXTGEN = json.dumps({"image_prompt": "a château", "image_seed": 5, "model": "x"})
UNSLOTH = json.dumps({"prompt": "a château", "steps": 20, "guidance": 7, "seed": 5, "model": "x"})
REQUEST = ImageRequest(
    prompt="a {red|blue} house", prompts=("a red house",), negative_prompt="rain", model="m", styles=("ink",), width=64,
    height=96, steps=4, guidance_scale=1.5, scheduler="Euler a", seed=7, image=b"picture", mask=b"mask", strength=0.6,
    variation=0.1, variation_seed=9, clip_skip=1, masked_only=True, mask_padding=16,
    mask_blur=2, tiling=True, seamless="x", loras=(Lora("fog", 0.5),), hires_scale=2.0,
    hires_strength=0.4,
)  # fmt: skip


def made(**changes: Any) -> dict[str, Any]:
    return {
        "format": recipe.FORMAT,
        "task": "image",
        "model": {"id": "m", "title": "M", "revision": "", "licence": "", "licence_url": "", "commercial": True},
        "parameters": recipe.parameters(REQUEST) | changes,
        "seed": 7,
        "made": "2026-01-31T12:00:00+00:00",
        "software": {"studio": "0.1.0"},
        "device": "cpu",
        "finish": "stop",
        "seconds": 0.5,
    }


def png(*texts: tuple[str, str], zipped: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts:
        info.add_text(key, text, zip=zipped)
    out = io.BytesIO()
    PICTURE.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def international_png(text: str, zipped: bool) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("parameters", text, zip=zipped)
    out = io.BytesIO()
    PICTURE.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def tiff(comment: bytes, order: str) -> bytes:
    """An EXIF block by hand: one directory that points to one with the comment."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    first = struct.pack(order + "HHHIII", 1, 0x8769, 4, 1, 26, 0)
    second = struct.pack(order + "HHHIII", 1, 0x9286, 7, len(comment), 44, 0)
    return b"Exif\0\0" + mark + struct.pack(order + "I", 8) + first + second + comment


def with_comment(form: str, comment: bytes, order: str = "<") -> bytes:
    out = io.BytesIO()
    PICTURE.save(out, form, exif=tiff(comment, order))
    return out.getvalue()


def gif(comment: str) -> bytes:
    out = io.BytesIO()
    PICTURE.convert("P").save(out, "GIF", comment=comment.encode())
    return out.getvalue()


def read(data: bytes) -> inspect.Restored:
    found = inspect.read_settings(data)
    assert found is not None
    return found


PLACES: dict[str, Callable[[str], bytes]] = {
    "PNG text": lambda text: png(("parameters", text)),
    "PNG text, packed": lambda text: png(("parameters", text), zipped=True),
    "PNG international text": lambda text: international_png(text, False),
    "PNG international text, packed": lambda text: international_png(text, True),
    "GIF comment": gif,
}
for form in ("JPEG", "WEBP"):
    for order in "<>":
        for coding in ("utf-16-be", "utf-16-le"):
            PLACES[f"{form} {order} {coding}"] = lambda text, form=form, order=order, coding=coding: with_comment(
                form, b"UNICODE\0" + text.encode(coding), order
            )
        PLACES[f"{form} {order} ascii"] = lambda text, form=form, order=order: with_comment(
            form, b"ASCII\0\0\0" + text.encode(), order
        )
    PLACES[f"{form} without a code"] = lambda text, form=form: with_comment(form, text.encode())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("text", "form"), [(A1111, "a1111"), (SWARMUI, "swarmui")])
def test_settings_are_found_wherever_programs_put_them(place: str, text: str, form: str) -> None:
    found = read(PLACES[place](text))
    assert (found.form, found.broken, found.recipe) == (form, False, None)
    assert (found.fields["prompt"], found.fields["seed"], found.fields["steps"]) == ("a château", 5, 20)


@pytest.mark.parametrize(
    ("key", "text", "form"), [("image_gen_settings", TEXTGEN, "textgen"), ("unsloth", UNSLOTH, "unsloth")]
)
def test_programs_with_a_key_of_their_own_are_found(key: str, text: str, form: str) -> None:
    found = read(png(("parameters", A1111.replace("château", "other")), (key, text)))
    assert (found.form, found.fields["prompt"], found.model) == (form, "a château", "x")


def test_our_own_recipe_comes_first_and_gives_every_field() -> None:
    found = read(embed_image.encode_png(PICTURE, made()))
    assert (found.form, found.model, found.unknown, found.broken) == ("atelier", "m", (), False)
    assert found.recipe == made()
    given = {name: getattr(REQUEST, name) for name in REQUEST.__dataclass_fields__}
    assert found.fields == {k: v for k, v in given.items() if k not in ("task", "model", "image", "mask")}
    assert recipe.sources(found.recipe or {}).keys() == {"image", "mask"}


@pytest.mark.parametrize("encode", [embed_image.encode_jpeg, embed_image.encode_webp])
def test_our_recipe_is_found_in_every_format(encode: Callable[..., bytes]) -> None:
    assert read(encode(PICTURE, made())).recipe == made()


def test_another_task_has_a_recipe_and_no_fields() -> None:
    found = inspect.from_text(recipe.to_json({**made(), "task": "music"}))
    assert found is not None
    assert (found.form, found.fields, (found.recipe or {})["task"]) == ("atelier", {}, "music")


def test_a_picture_without_settings_is_none() -> None:
    for data in (png(), png(("Comment", "holiday")), gif("Created with GIMP"), with_comment("JPEG", b"ASCII\0\0\0hm")):
        assert inspect.read_settings(data) is None
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBP", b"{", b"\0" * 99):
        assert inspect.read_settings(data) is None


def test_a_prompt_alone_is_a_prompt() -> None:
    found = read(png(("parameters", "a cat in a hat\n")))
    assert (found.form, found.fields, found.broken) == ("a1111", {"prompt": "a cat in a hat"}, False)


def test_pasted_words_are_no_settings() -> None:
    assert inspect.from_text("a cat in a hat") is None
    assert inspect.from_text("{a|b} cat") is None
    assert inspect.from_text("") is None


# ---- damaged and hostile


@pytest.mark.parametrize(
    "texts",
    [
        [("recipe", '{"format": "atelier/1", "task": "image", "mod')],
        [("parameters", '{"sui_image_params": {"prompt": "a ca')],
        [("parameters", "[" * 90_000), ("recipe", "{" + '"a":{' * 90_000)],
        [("parameters", '{"a":' * 90_000)],
        [("image_gen_settings", "{}")],
        [("unsloth", "9" * 5_000)],
    ],
)
def test_damaged_settings_are_told_and_nothing_is_taken(texts: list[tuple[str, str]]) -> None:
    found = read(png(*texts))
    assert found.broken
    assert set(found.fields) <= {"prompt"}


def test_where_our_recipe_is_damaged_the_other_text_is_taken_and_the_damage_told() -> None:
    found = read(png(("recipe", '{"format": "atelier/1",'), ("parameters", A1111)))
    assert (found.form, found.fields["seed"], found.broken, found.recipe) == ("a1111", 5, True, None)


def test_a_cut_file_gives_what_came_before_the_cut() -> None:
    whole = png(("parameters", A1111), ("recipe", recipe.to_json(made())))
    found = read(whole[: whole.index(b"atelier/1") + 20])
    assert (found.form, found.broken) == ("a1111", True)


def test_a_text_that_claims_to_be_huge_is_not_unpacked() -> None:
    bomb = zlib.compress(b"x" * 100_000_000)
    body = b"parameters\0\0" + bomb
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    clean = png()
    found = read(clean[:33] + chunk * 40 + clean[33:])
    assert (found.broken, found.fields) == (True, {})


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"steps": "many"}, {}),
        ({"steps": 1e999, "width": float("nan")}, {}),
        ({"width": -5, "height": 10**9, "steps": 10**30}, {"width": 64, "height": 4096}),
        ({"width": 515, "steps": 0}, {"width": 512, "steps": 1}),
        ({"seed": 2**64}, {}),
        ({"seed": -7}, {}),
        ({"guidance": [7]}, {"guidance_scale": None}),
        ({"prompt": "a\0b\u202e\x1b[31m\ttab"}, {"prompt": "ab\u202e[31m\ttab"}),
        ({"negative_prompt": {"a": 1}}, {}),
        ({"prompt": "x" * 20_000}, {"prompt": "x" * 10_000}),
        (
            {"loras": ["fog", {"name": "", "weight": 1}, {"name": "ok", "weight": 99}]},
            {"loras": (Lora("fog"), Lora("ok", 4.0))},
        ),
        ({"loras": 7}, {}),
    ],
)
def test_values_that_cannot_be_are_cut_or_left_out(said: dict[str, Any], fields: dict[str, Any]) -> None:
    whole = {"prompt": "", "guidance": 7, **said}
    found = inspect.from_text(json.dumps(whole))
    assert found is not None
    expected = {"prompt": "", "guidance_scale": 7.0} | fields
    assert found.fields == {name: value for name, value in expected.items() if value is not None}
    assert bool(found.wrong) == (said.get("prompt", "")[:1] != "a"), "control characters alone are no damage"
    assert not found.broken, "a value that cannot be is named, and the rest is fine"


def test_any_seed_is_no_seed_and_no_damage() -> None:
    found = inspect.from_text(json.dumps({"prompt": "a", "guidance": 7, "seed": -1}))
    assert found is not None
    assert (found.fields, found.broken) == ({"prompt": "a", "guidance_scale": 7.0}, False)


def test_unknown_settings_are_few_short_and_printable() -> None:
    many = {f"key{number}": "\n\x1b" + "x" * 1_000 for number in range(500)}
    found = inspect.from_text(json.dumps({"prompt": "a", "guidance": 7, **many}))
    assert found is not None
    assert len(found.unknown) == inspect.MAX_UNKNOWN
    assert all(len(one) <= 200 and one.isprintable() for one in found.unknown)


FILES = [place("a cat\nSteps: 20, Seed: 5, Size: 8x8") for place in PLACES.values()]
FILES += [
    embed_image.encode_png(PICTURE, made()),
    embed_image.encode_jpeg(PICTURE, made()),
    embed_image.encode_webp(PICTURE, made()),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FILES), st.binary(max_size=40), st.integers(0, 4_000), st.integers(0, 4_000))
def test_reading_never_raises(file: bytes, noise: bytes, at: int, end: int) -> None:
    data = bytearray(file)
    data[at % len(data) : at % len(data) + len(noise)] = noise
    inspect.read_settings(bytes(data))
    inspect.read_settings(bytes(data[: end % len(data)]))
    inspect.read_settings(noise)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(made()["parameters"])),
        st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=5) | st.integers()),
    )
)
def test_a_recipe_with_any_values_gives_a_request_or_none(given: dict[str, Any]) -> None:
    odd = recipe.from_json(json.dumps(made(**given)))
    if odd is None:
        return
    request = recipe.to_request(odd)
    if request is not None:
        recipe.to_json(recipe.parameters(request)).encode()
