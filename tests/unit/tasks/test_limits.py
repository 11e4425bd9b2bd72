"""What may be asked for: every bound refuses, every gap is filled, and nothing is changed in silence."""

from __future__ import annotations

import io
import math
import time
from dataclasses import fields
from typing import Any, get_args

import pytest
from PIL import Image
from tiny_card import tiny_card

from studio import i18n
from studio.catalog.card import Card, Source
from studio.errors import StudioError
from studio.request_parts import Lora, Message
from studio.requests import CaptionRequest, ChatRequest, CodeRequest, ImageRequest, MusicRequest, Request
from studio.tasks import bounds, limits


def card(**changes: Any) -> Card:
    tasks = ("chat", "image", "music", "code", "caption")
    return tiny_card(
        Source("bundled", path="m"), 1, **{"id": "m", "title": "M", "tasks": tasks, "engine": "fake"} | changes
    )


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
    chat("Hello", "Hi", "How are you?", temperature=0, top_p=1, seed=2**64 - 1, stop=("\n",)),
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
        (CaptionRequest(image=b""), "no_picture", "image"),
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
        (ImageRequest(prompt="a", seed=-2), "out_of_range", "seed"),
        (ImageRequest(prompt="a", seed=2**64), "out_of_range", "seed"),
        (ImageRequest(prompt="a", seed=2**64 - 1, count=2), "out_of_range", "seed"),
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
        (CaptionRequest(image=png(), style="loud"), "not_a_choice", "style"),  # type: ignore[arg-type]
        (CaptionRequest(image=png(), require="word"), "not_text", "require"),  # type: ignore[arg-type]
        (CaptionRequest(image=png(), forbid=("a",) * 21), "too_many", "forbid"),
        (CaptionRequest(image=png(), forbid=("",)), "empty", "forbid"),
        (CaptionRequest(image=png(), opening="a" * 401), "too_long", "opening"),
        (CaptionRequest(image=png(), count=9), "out_of_range", "count"),
        (ImageRequest(prompt="a", scheduler="../x"), "not_a_choice", "scheduler"),
        (ImageRequest(prompt="a", strength=1.5), "out_of_range", "strength"),
        (ImageRequest(prompt="a", strength=math.nan), "not_a_number", "strength"),
        (ImageRequest(prompt="a", variation=-0.1), "out_of_range", "variation"),
        (ImageRequest(prompt="a", variation=None), "not_a_number", "variation"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", variation_seed=2**64), "out_of_range", "variation_seed"),
        (ImageRequest(prompt="a", clip_skip=13), "out_of_range", "clip_skip"),
        (ImageRequest(prompt="a", hires_scale=0.5), "out_of_range", "hires_scale"),
        (ImageRequest(prompt="a", hires_scale=None), "not_a_number", "hires_scale"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", hires_scale=2, width=64), "out_of_range", "width"),
        (ImageRequest(prompt="a", hires_scale=4, width=2560, height=2568), "out_of_range", "pixels"),
        (ImageRequest(prompt="a", hires_strength=2), "out_of_range", "hires_strength"),
        (ImageRequest(prompt="a", tiling="yes"), "not_a_choice", "tiling"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", seamless="xy"), "not_a_choice", "seamless"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", rng="gpu"), "not_a_choice", "rng"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", masked_only="yes"), "not_a_choice", "masked_only"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", mask_padding=-1), "out_of_range", "mask_padding"),
        (ImageRequest(prompt="a", mask_blur=65), "out_of_range", "mask_blur"),
        (ImageRequest(prompt="a", prompts=("b", "c")), "prompts_count", "prompts"),
        (ImageRequest(prompt="a", count=2, prompts=("b",)), "prompts_count", "prompts"),
        (ImageRequest(prompt="a", prompts=("b",) * 17), "too_many", "prompts"),
        (ImageRequest(prompt="a", prompts="b"), "not_text", "prompts"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", prompts=(7,)), "not_text", "prompts"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", prompts=("b" * 30_000,)), "too_long", "prompts"),
        (ImageRequest(prompt="a", styles=("",)), "empty", "styles"),
        (ImageRequest(prompt="a", styles=("ink",) * 17), "too_many", "styles"),
        (ImageRequest(prompt="a", loras=(Lora("x"),) * 9), "too_many", "loras"),
        (ImageRequest(prompt="a", loras=(Lora("x", 5),)), "out_of_range", "lora_weight"),
        (ImageRequest(prompt="a", loras=(Lora("x", math.nan),)), "not_a_number", "lora_weight"),
        (ImageRequest(prompt="a", loras=("x",)), "not_text", "loras"),  # type: ignore[arg-type]
        (ImageRequest(prompt="a", loras=(Lora("../x"),)), "not_plain", "loras"),
        (ImageRequest(prompt="a", loras=(Lora(".hidden"),)), "not_plain", "loras"),
        (ImageRequest(prompt="a", loras=(Lora("a\0b"),)), "not_plain", "loras"),
        (ImageRequest(prompt="a", loras=(Lora("c:\\x"),)), "not_plain", "loras"),
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
    start = time.thread_time()
    for request in requests:
        assert refusal(request).code == "too_long"
    assert time.thread_time() - start < 0.1


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
    elsewhere |= {"prompts", "styles", "mask", "loras", "tiling", "masked_only", "seamless", "metre", "loop", "sound"}
    elsewhere |= {"sound_use", "style", "require", "forbid", "controls", "files", "edits", "only_prompt", "summarise"}
    elsewhere |= {"details", "pictures", "references", "regions", "rng"}
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
    assert refusal(CaptionRequest(image=png() + bytes(bounds.MAX_IMAGE_BYTES))).code == "file_too_large"
    assert refusal(CaptionRequest(image="cat.png")).code == "bad_image"  # type: ignore[arg-type]


def test_a_picture_to_start_from_is_judged_by_its_header() -> None:
    assert refusal(ImageRequest(prompt="a", image=b"just text, named .png")).code == "bad_image"
    assert refusal(ImageRequest(prompt="a", image=None)).code == "bad_image"  # type: ignore[arg-type]
    assert refusal(ImageRequest(prompt="a", image=png() + bytes(bounds.MAX_IMAGE_BYTES))).code == "file_too_large"
    assert refusal(ImageRequest(prompt="a", image=png(), mask=b"x")).code == "bad_image"


def test_a_mask_belongs_to_a_picture_of_its_size() -> None:
    assert refusal(ImageRequest(prompt="a", mask=png())).code == "mask_alone"
    error = refusal(ImageRequest(prompt="a", image=png((64, 32)), mask=png((32, 64))))
    assert (error.code, error.params) == ("mask_size", {"mask": "32 × 64", "image": "64 × 32"})
    limits.check(ImageRequest(prompt="a", image=png((64, 32)), mask=png((64, 32))), card())


def test_a_photo_lying_on_its_side_is_measured_as_people_see_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (64, 32)).save(out, "JPEG", exif=exif)
    limits.check(ImageRequest(prompt="a", image=out.getvalue(), mask=png((32, 64))), card())
    done = limits.resolve(ImageRequest(prompt="a", image=out.getvalue()), card(), lambda: 7)
    assert (done.width, done.height) == (360, 728)


# How large a picture becomes


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        ((512, 512), {}, (512, 512)),
        ((3000, 2000), {}, (624, 416)),
        ((200, 300), {}, (416, 624)),
        ((300, 200), {"width": 768}, (768, 512)),
        ((300, 200), {"height": 256}, (384, 256)),
        ((300, 200), {"width": 320, "height": 512}, (320, 512)),
        ((4000, 10), {}, (4096, 64)),
        ((10, 4000), {}, (64, 4096)),
        ((4000, 10), {"height": 4096}, (1600, 4096)),
    ],
)
def test_sides_that_nobody_asked_for_follow_the_picture(
    given: tuple[int, int], asked: dict[str, int], expected: tuple[int, int]
) -> None:
    request = ImageRequest(prompt="a", image=png(given), **asked)  # type: ignore[arg-type]
    limits.check(request, card())
    done = limits.resolve(request, card(), lambda: 7)
    assert (done.width, done.height) == expected
    limits.check(done, card())


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1.3, 2.0])
@pytest.mark.parametrize("given", [(1, 1), (4000, 3000), (3, 1000), (1000, 3), (1023, 1025)])
@pytest.mark.parametrize(
    "model",
    [
        card(),
        card(defaults={"width": 1024, "height": 1024}, limits={"max_width": 2048, "max_height": 2048, "multiple": 32}),
        card(defaults={"width": 96, "height": 96}, limits={"max_width": 192, "max_height": 192, "min_width": 48}),
    ],
    ids=["plain", "large", "small"],
)
def test_sides_that_are_made_up_always_pass(given: tuple[int, int], model: Card, public: bool, scale: float) -> None:
    for image in (b"", png(given)):
        request = ImageRequest(prompt="a", image=image, hires_scale=scale)
        limits.check(request, model, public=public)
        done = limits.resolve(request, model, lambda: 7, public=public)
        limits.check(done, model, public=public)


def test_painting_small_and_enlarging_goes_beyond_the_models_own_sides() -> None:
    model = card(limits={"max_width": 512, "max_height": 512, "max_pixels": 512 * 512})
    assert refusal(ImageRequest(prompt="a", width=1024, height=1024), model).params["field"] == "field.width"
    limits.check(ImageRequest(prompt="a", width=1024, height=1024, hires_scale=2), model)
    assert refusal(ImageRequest(prompt="a", width=1032, hires_scale=2), model).params["high"] == "1024"
    done = limits.resolve(ImageRequest(prompt="a", hires_scale=2), model, lambda: 7)
    assert (done.width, done.height) == (1024, 1024)


def test_a_seed_for_variation_is_drawn_only_where_something_varies() -> None:
    assert limits.resolve(ImageRequest(prompt="a"), card(), lambda: 7).variation_seed == 0
    assert limits.resolve(ImageRequest(prompt="a", variation=0.2), card(), lambda: 7).variation_seed == 7
    assert (
        limits.resolve(ImageRequest(prompt="a", variation=0.2, variation_seed=3), card(), lambda: 7).variation_seed == 3
    )


def test_lists_become_tuples() -> None:
    request = ImageRequest(prompt="a", prompts=["b"], styles=["ink"], loras=[Lora("x")])  # type: ignore[arg-type]
    done = limits.resolve(request, card(), lambda: 7)
    assert (done.prompts, done.styles, done.loras) == (("b",), ("ink",), (Lora("x"),))


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
    assert 0 <= done.seed <= done.seed + 3 <= bounds.MAX_SEED
