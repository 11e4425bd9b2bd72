"""A preset holds how something is made; what it says is read as what a stranger wrote."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from studio.library.preset_values import HELD, held, settings
from studio.request_parts import CodeFile, Control, Detail, Lora, Reference, Region
from studio.requests import CaptionRequest, CodeRequest, ImageRequest, MusicRequest, Request

FULL: list[Request] = [
    ImageRequest(
        prompt="a fox", model="m", negative_prompt="blur", styles=("ink", "oil"), width=512, height=640, steps=9,
        guidance_scale=6.5, scheduler="DPM++ 2M", count=3, seed=5, image=b"i", mask=b"m", strength=0.5,
        masked_only=True, mask_padding=8, mask_blur=2, variation=0.25, variation_seed=8, clip_skip=2, tiling=True,
        seamless="x", rng="nv", loras=(Lora("a", 0.5), Lora("b", 1.0)), hires_scale=2.0, hires_strength=0.75,
        controls=(Control("c"),), pictures=(b"p",), references=(Reference("r"),), vae="v", refiner="f", refiner_at=0.5,
        regions=(Region("left", b"m"),), details=(Detail("faces", 0.3, confidence=0.6),),
    ),
    MusicRequest(
        prompt="a waltz", model="m", negative_prompt="drums", lyrics="la", tempo=120.0, key="D major", metre="3/4",
        bars=8, players="flute", loop=True, melody="w", sound=b"s", sound_use="follow", sound_keep=2.0, duration=12.0,
        steps=9, guidance_scale=3.0, temperature=0.5, top_k=20, count=2, seed=5,
    ),
    CodeRequest(
        prefix="a", suffix="b", model="m", language="python", path="p", files=(CodeFile("f", "x"),),
        fill_in_middle=False, count=3, max_tokens=64, temperature=0.5, top_p=0.75, seed=5,
    ),
    CaptionRequest(
        image=b"i", model="m", prompt="what", length="long", style="tags", opening="a photo of", require=("cat",),
        forbid=("dog", "fish"), count=2, max_tokens=64, temperature=0.5, seed=5,
    ),
]  # fmt: skip
WORK = {
    "image": {
        "prompt", "prompts", "seed", "variation_seed", "image", "mask", "controls", "pictures", "references", "regions",
    },
    "music": {"prompt", "lyrics", "melody", "seed", "sound", "sound_use", "sound_keep"},
    "code": {"prefix", "suffix", "language", "path", "files", "edits", "only_prompt", "seed"},
    "caption": {"image", "prompt", "seed"},
}  # fmt: skip
"""Fields that belong to one piece of work."""


def bare(task: str) -> Any:
    """A request of a task in which nothing is chosen."""
    return {
        "image": ImageRequest(prompt=""), "music": MusicRequest(prompt=""), "code": CodeRequest(prefix=""),
        "caption": CaptionRequest(image=b""),
    }[task]  # fmt: skip


@pytest.mark.parametrize("request_", FULL, ids=lambda one: one.task)
def test_every_setting_comes_back_and_nothing_of_the_work(request_: Request) -> None:
    values, start = json.loads(json.dumps(held(request_))), bare(request_.task)
    made = replace(start, **settings(request_.task, values))
    for name in HELD[request_.task]:
        assert getattr(made, name) == getattr(request_, name), name
        assert getattr(request_, name) != getattr(start, name), f"{name} has to be unusual to be tested"
    for name in WORK[request_.task]:
        assert name not in values, name
        assert getattr(made, name) == getattr(start, name), name


@pytest.mark.parametrize("request_", FULL, ids=lambda one: one.task)
def test_every_field_of_a_request_is_a_setting_or_belongs_to_the_work(request_: Request) -> None:
    every = {part.name for part in fields(request_)} - {"task"}
    assert set(HELD[request_.task]) | WORK[request_.task] == every
    assert not set(HELD[request_.task]) & WORK[request_.task]


@pytest.mark.parametrize("request_", FULL, ids=lambda one: one.task)
def test_what_is_as_always_is_not_written(request_: Request) -> None:
    assert held(bare(request_.task)) == {}


@pytest.mark.parametrize("task", HELD)
@pytest.mark.parametrize(
    "value", [None, True, -1, 1e400, "", "x", "\x1b[2J", [], [1], ["a", 2], {}, {"name": 3}, [{"name": "a"}], "9" * 99]
)
def test_whatever_stands_in_the_file_is_of_the_fields_type_or_left_out(task: Any, value: object) -> None:
    found = settings(task, {**dict.fromkeys(HELD[task], value), "prompt": "stolen", "task": "chat", "<b>": 1})
    assert found.keys() <= set(HELD[task])
    made = replace(bare(task), **found)
    for name, one in found.items():
        now = getattr(made, name)
        assert now == one
        assert not isinstance(now, list | dict)
        assert not isinstance(now, str) or "\x1b" not in now
