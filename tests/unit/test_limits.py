"""What may be asked for: every bound refuses, every gap is filled, and nothing is changed in silence."""

from __future__ import annotations

import io
import math
import time
from dataclasses import fields, replace
from typing import Any, get_args

import pytest
from PIL import Image

from studio import i18n, limits
from studio.cards import Card, Source
from studio.errors import StudioError
from studio.types import (
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    Message,
    MusicRequest,
    Request,
)


def card(**changes: Any) -> Card:
    plain = Card(
        id="m",
        title="M",
        tasks=("chat", "image", "music", "code", "caption"),
        engine="fake",
        source=Source("bundled", path="m"),
        licence="MIT",
        licence_url="",
        commercial=True,
        parameters=1,
        disk_bytes=1,
        memory_bytes=1,
        least_memory=1,
        languages=("en",),
        summary={"en": "M."},
    )
    return replace(plain, **changes)


def chat(*contents: str, **more: Any) -> ChatRequest:
    roles = ("user", "assistant")
    messages = tuple(Message(roles[index % 2], content) for index, content in enumerate(contents))  # type: ignore[arg-type]
    return ChatRequest(messages=messages, **more)


def png(size: tuple[int, int] = (4, 4)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "PNG")
    return out.getvalue()


def refusal(request: Request, model: Card | None = None, public: bool = False) -> StudioError:
    with pytest.raises(StudioError) as caught:
        limits.check(request, model or card(), public=public)
    return caught.value


GOOD: tuple[Request, ...] = (
    chat("Hello"),
    chat("Hello", "Hi", "How are you?", temperature=0, top_p=1, seed=2**32 - 1, stop=("\n",)),
    ImageRequest(prompt="a cat", width=512, height=768, steps=1, guidance_scale=0, count=4),
    ImageRequest(prompt="一只猫", width=512.0),  # type: ignore[arg-type]
    MusicRequest(prompt="a reel", duration=3.5),
    CodeRequest(prefix="def f(", suffix=")"),
    CodeRequest(prefix="", suffix="return 1"),
    CaptionRequest(image=png()),
)


@pytest.mark.parametrize("request_", GOOD, ids=lambda request: request.task)
@pytest.mark.parametrize("public", [False, True])
def test_ordinary_requests_pass_in_every_profile(request_: Request, public: bool) -> None:
    limits.check(request_, card(), public=public)


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (ImageRequest(prompt=""), "empty", "prompt"),
        (ImageRequest(prompt=" \n\t\u3000"), "empty", "prompt"),
        (MusicRequest(prompt="  "), "empty", "prompt"),
        (CodeRequest(prefix="\n", suffix=" "), "empty", "code"),
        (ChatRequest(messages=()), "empty", "message"),
        (chat("Hello", "Hi", "  "), "empty", "message"),
        (chat("Hello", stop=("",)), "empty", "stop"),
        (CaptionRequest(image=b""), "empty", "image"),
        (ImageRequest(prompt="a" * 1_000_000), "too_long", "prompt"),
        (chat("a" * 1_000_000), "too_long", "message"),
        (chat(*["a" * 190_000] * 5), "too_long", "messages"),
        (ImageRequest(prompt="a", model="m" * 1000), "too_long", "model"),
        (chat(*["a"] * 2001), "out_of_range", "messages"),
        (chat("a", stop=tuple("abcdefghi")), "out_of_range", "stop"),
        (ImageRequest(prompt="a", steps=0), "out_of_range", "steps"),
        (ImageRequest(prompt="a", steps=-20), "out_of_range", "steps"),
        (ImageRequest(prompt="a", steps=10**5000), "out_of_range", "steps"),
        (ImageRequest(prompt="a", steps=-(10**5000)), "out_of_range", "steps"),
        (ImageRequest(prompt="a", guidance_scale=math.inf), "out_of_range", "guidance_scale"),
        (ImageRequest(prompt="a", guidance_scale=-math.inf), "out_of_range", "guidance_scale"),
        (ImageRequest(prompt="a", width=4096, height=4096), "out_of_range", "pixels"),
        (ImageRequest(prompt="a", count=0), "out_of_range", "count"),
        (ImageRequest(prompt="a", seed=-1), "out_of_range", "seed"),
        (ImageRequest(prompt="a", seed=2**32), "out_of_range", "seed"),
        (ImageRequest(prompt="a", seed=2**32 - 1, count=2), "out_of_range", "seed"),
        (MusicRequest(prompt="a", duration=1e9), "out_of_range", "duration"),
        (chat("a", max_tokens=0), "out_of_range", "max_tokens"),
        (chat("a", temperature=math.nan), "not_a_number", "temperature"),
        (ImageRequest(prompt="a", steps="20"), "not_a_number", "steps"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", steps=True), "not_a_number", "steps"),
        (ImageRequest(prompt="a", steps=1.5), "not_a_number", "steps"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", count=None), "not_a_number", "count"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", steps=[20]), "not_a_number", "steps"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", width=500), "not_multiple", "width"),
        (ImageRequest(prompt=None), "not_text", "prompt"),  # type: ignore[arg-type]
        (ImageRequest(prompt="half \ud83d of a pair"), "not_text", "prompt"),
        (ImageRequest(prompt="a", negative_prompt=7), "not_text", "negative_prompt"),  # type: ignore[arg-type]
        (ChatRequest(messages="Hello"), "not_text", "messages"),  # type: ignore[arg-type]
        (chat("a", stop="x"), "not_text", "stop"),
        (ChatRequest(messages=(Message("system", "a"),)), "not_a_choice", "role"),  # type: ignore[arg-type]
        (CaptionRequest(image=png(), length="huge"), "not_a_choice", "length"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", scheduler="../x"), "not_a_choice", "scheduler"),
        (CodeRequest(prefix="a", fill_in_middle="yes"), "not_a_choice", "fill_in_middle"),  # type: ignore[arg-type]
        (CodeRequest(prefix="a", fill_in_middle=10**5000), "not_a_choice", "fill_in_middle"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_value_is_refused_by_name(request_: Request, code: str, field: str) -> None:
    error = refusal(request_)
    assert (error.code, error.params["field"]) == (code, f"field.{field}")


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_refusal_speaks_the_readers_language(language: str) -> None:
    error = refusal(ImageRequest(prompt="a", width=500))
    said = error.what(language) + error.next(language)
    assert i18n.text("field.width", language) in said
    assert "500" in said
    assert "496" in said
    assert "field." not in said
    assert "{" not in said


def test_a_conversation_must_end_with_the_user() -> None:
    assert refusal(chat("Hello", "Hi")).code == "last_not_user"


def test_an_answer_that_was_stopped_empty_does_not_spoil_the_conversation() -> None:
    limits.check(chat("Hello", "", "Again"), card())


def test_a_megabyte_is_refused_at_once() -> None:
    requests = [chat("a" * 1_000_000), ImageRequest(prompt=" " * 1_000_000), CodeRequest(prefix="ä" * 1_000_000)]
    start = time.perf_counter()
    for request in requests:
        assert refusal(request).code == "too_long"
    assert time.perf_counter() - start < 0.1


def test_a_public_studio_is_stricter() -> None:
    for request in (
        ImageRequest(prompt="a", width=1536, height=1536),
        ImageRequest(prompt="a", steps=100),
        ImageRequest(prompt="a" * 5000),
        MusicRequest(prompt="a", duration=120),
        chat("a", max_tokens=8192),
    ):
        limits.check(request, card())
        assert refusal(request, public=True).code in ("out_of_range", "too_long")


def test_no_row_of_the_table_lets_the_public_ask_for_more() -> None:
    for rows in limits.NUMBERS.values():
        for row in rows.values():
            assert row.low <= row.default <= row.high
            assert row.low <= row.public <= row.high
    for rows in limits.TEXTS.values():
        for letters in rows.values():
            assert letters.public <= letters.high


def test_every_number_and_text_of_every_request_is_in_the_table() -> None:
    elsewhere = {"task", "model", "messages", "stop", "image", "length", "fill_in_middle"}
    elsewhere |= {"prompts", "styles", "mask", "loras", "tiling"}
    for kind in get_args(Request):
        task = kind.__dataclass_fields__["task"].default
        names = {field.name for field in fields(kind)}
        assert names - elsewhere == set(limits.NUMBERS[task]) | set(limits.TEXTS.get(task, {})), task


def test_every_field_has_a_name_in_every_language() -> None:
    names = {name for kind in get_args(Request) for name in kind.__dataclass_fields__} - {"task"}
    for language in i18n.LANGUAGES:
        assert {f"field.{name}" for name in names} <= set(i18n.table(language)), language


def test_a_card_narrows_and_widens_the_table() -> None:
    small = card(limits={"max_duration": 30, "max_width": 256, "min_steps": 2, "multiple": 16})
    assert refusal(MusicRequest(prompt="a", duration=31), small).params["high"] == "30"
    assert refusal(ImageRequest(prompt="a", width=512), small).code == "out_of_range"
    assert refusal(ImageRequest(prompt="a", steps=1), small).code == "out_of_range"
    assert refusal(ImageRequest(prompt="a", height=520), small).params["multiple"] == 16
    limits.check(MusicRequest(prompt="a", duration=900), card(limits={"max_duration": 900}))
    assert refusal(MusicRequest(prompt="a", duration=900), card(limits={"max_duration": 900}), public=True)


def test_an_answer_cannot_be_longer_than_the_context() -> None:
    assert refusal(chat("a", max_tokens=4096), card(limits={"context": 2048})).params["high"] == "2048"


def test_a_small_models_own_size_counts_when_only_one_side_is_given() -> None:
    model = card(defaults={"width": 2048, "height": 2048}, limits={"max_pixels": 2048 * 2048})
    limits.check(ImageRequest(prompt="a"), model)
    assert refusal(ImageRequest(prompt="a", width=2560), model).params["field"] == "field.pixels"


def test_a_picture_to_caption_is_judged_before_any_model_loads() -> None:
    assert refusal(CaptionRequest(image=b"just text, named .png")).code == "bad_image"
    bomb = bytearray(png())
    bomb[16:24] = (20_000).to_bytes(4, "big") * 2
    assert refusal(CaptionRequest(image=bytes(bomb))).code == "image_too_large"
    assert refusal(CaptionRequest(image=png() + bytes(limits.MAX_IMAGE_BYTES))).code == "file_too_large"
    assert refusal(CaptionRequest(image="cat.png")).code == "bad_image"  # type: ignore[arg-type]


@pytest.mark.parametrize("request_", GOOD, ids=lambda request: request.task)
def test_a_resolved_request_has_no_gaps_and_still_passes(request_: Request) -> None:
    done = limits.resolve(request_, card(), lambda: 7)
    assert all(getattr(done, field.name) is not None for field in fields(done))
    limits.check(done, card())


def test_gaps_are_filled_by_the_card_then_by_the_table_and_given_values_stay() -> None:
    model = card(defaults={"steps": 4, "guidance_scale": 1, "scheduler": "Euler"})
    done = limits.resolve(ImageRequest(prompt="a", width=256), model, lambda: 7)
    assert (done.steps, done.guidance_scale, done.scheduler) == (4, 1.0, "Euler")
    assert (done.width, done.height) == (256, 512)
    assert limits.resolve(ImageRequest(prompt="a", steps=9), model, lambda: 7).steps == 9


def test_a_given_zero_is_a_value_and_not_a_gap() -> None:
    assert limits.resolve(chat("a", temperature=0, seed=0), card(), lambda: 7).seed == 0
    assert limits.resolve(chat("a", temperature=0), card(), lambda: 7).temperature == 0.0


def test_numbers_get_the_type_that_their_field_has() -> None:
    done = limits.resolve(ImageRequest(prompt="a", width=512.0, guidance_scale=7), card(), lambda: 7)  # type: ignore[arg-type]
    assert type(done.width) is int
    assert type(done.guidance_scale) is float


def test_a_default_outside_the_bounds_moves_inside() -> None:
    assert limits.resolve(chat("a"), card(limits={"context": 512}), lambda: 7).max_tokens == 512
    model = card(defaults={"duration": 60})
    assert limits.resolve(MusicRequest(prompt="a"), model, lambda: 7, public=True).duration == 30.0


@pytest.mark.parametrize("drawn", [0, 2**32 - 1, 2**64 - 1])
def test_a_drawn_seed_leaves_room_for_the_whole_batch(drawn: int) -> None:
    done = limits.resolve(ImageRequest(prompt="a", count=4), card(), lambda: drawn)
    assert done.seed is not None
    assert 0 <= done.seed <= done.seed + 3 <= limits.MAX_SEED
