"""Names follow a pattern with the tokens that other web UIs have, and are safe on every file system."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.library import file_names
from studio.library.file_names import name

NOW = datetime(2026, 1, 31, 12, 5, 9)
FORBIDDEN = set('<>:"\\|?*') | {chr(code) for code in range(32)}
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def made(**changes: Any) -> dict[str, Any]:
    parameters = {
        "prompt": "a {red|blue} (house:1.3)", "prompts": ["a red (house:1.3)"], "steps": 20, "guidance_scale": 7.5,
        "width": 512, "height": 768, "scheduler": "DPM++ 2M Karras", "styles": ["ink", "fog"],
    }  # fmt: skip
    return {"parameters": parameters | changes, "seed": 42, "model": {"id": "sd-xl", "title": "SD XL"}}


def test_the_usual_name_is_day_time_words_and_seed() -> None:
    assert name("", made(), 1, NOW) == "2026-01-31/120509-a-red-house-42"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[seed]", "42"),
        ("[steps]-[cfg]-[width]x[height]", "20-7.5-512x768"),
        ("[sampler]", "DPM++ 2M Karras"),
        ("[model_name] [style]", "sd-xl ink+fog"),
        ("[date]_[time]", "2026-01-31_120509"),
        ("[datetime]", "2026-01-31 12-05-09"),
        ("[datetime<%Y>][datetime<%H><Europe/Berlin>]", "202612"),
        ("[datetime<%H:%M/%S>]", "12-05-09"),
        ("[prompt]", "a red house"),
        ("[prompt_words]", "a-red-house"),
        ("[prompt_hash]", hashlib.sha256(b"a red (house:1.3)").hexdigest()[:8]),
        ("[batch_number]-[generation_number]", "3-3"),
        ("[SEED]", "42"),
        ("[nothing]", "[nothing]"),
        ("[seed<5>]", "[seed-5-]"),
        ("plain words", "plain words"),
    ],
)
def test_tokens_stand_for_what_made_the_picture(pattern: str, expected: str) -> None:
    assert name(pattern, made(), 3, NOW) == f"2026-01-31/{expected}"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[model_name]/[seed]", "sd-xl/42"),
        ("[date]\\[seed]", "2026-01-31/42"),
        ("../../etc/[seed]", "etc/42"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\x", "C-/x"),
        ("a//b", "a/b"),
        ("./.hidden/[seed]", "hidden/42"),
        ("~/x", "2026-01-31/x"),
        ("a/b/c/d/e/f/g", "a/b/c/d/g"),
        ("a/", "a/untitled"),
        ("/", "2026-01-31/untitled"),
        ("...", "2026-01-31/untitled"),
        ("nul", "2026-01-31/_nul"),
        ("CON.txt/com1", "_CON.txt/_com1"),
        ("[seed]. ", "2026-01-31/42"),
        ("-rf", "2026-01-31/rf"),
    ],
)
def test_a_pattern_makes_folders_and_never_leads_out(pattern: str, expected: str) -> None:
    assert name(pattern, made(), 1, NOW) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "../../x",
        "a/b\\c",
        "CON",
        "nul.txt",
        "木" * 500,
        "👩‍👩‍👧‍👦" * 50,
        "",
        " ",
        "\0",
        "\u202egnp.exe",
        "\ud800",
        "...",
    ],
)
def test_a_prompt_makes_no_folder_and_leaves_room_for_the_seed(prompt: str) -> None:
    path = name("[prompt]-[seed]", made(prompt=prompt, prompts=[]), 1, NOW)
    assert path.startswith("2026-01-31/")
    assert path.count("/") == 1
    assert path.endswith("42")


def test_the_words_stand_in_where_there_is_no_prompt() -> None:
    assert name("", made(prompt="", prompts=[]), 1, NOW, "A caption.") == "2026-01-31/120509-a-caption-42"


@settings(max_examples=400, deadline=None)
@given(
    st.text(max_size=400), st.text(max_size=400), st.sampled_from(["", "[prompt]", "[datetime<", ">]", "/", "\\", ".."])
)
def test_any_name_is_one_that_every_system_takes(pattern: str, prompt: str, more: str) -> None:
    path = name(pattern + more + pattern, made(prompts=[prompt]), 1, NOW)
    parts = path.split("/")
    assert 2 <= len(parts) <= file_names.MAX_FOLDERS + 1
    for part in parts:
        assert part
        assert not set(part) & FORBIDDEN
        assert not part.startswith((".", "-", "~", " "))
        assert not part.endswith((".", " "))
        assert len(part.encode()) <= file_names.MAX_BYTES + 1
        assert re.split(r"\.", part.casefold())[0] not in RESERVED


@pytest.mark.parametrize(
    ("played", "expected"),
    [
        ({}, "120509-a-reel-7"),
        ({"tempo": 112.4, "key": "F♯ minor"}, "120509-a-reel-112bpm-fsharp-minor-7"),
        ({"tempo": 90.0}, "120509-a-reel-90bpm-7"),
    ],
)
def test_music_is_called_by_its_tempo_and_key(played: dict[str, Any], expected: str) -> None:
    music = {"parameters": {"prompt": "a reel"}, "seed": 7, "model": {"id": "composer"}, "played": played}
    assert name("", music, 1, NOW) == f"2026-01-31/{expected}"


def test_a_pattern_may_name_what_is_played() -> None:
    played = {"tempo": 90.0, "key": "B♭ major", "metre": "6/8", "bars": 16}
    music = {"parameters": {}, "seed": 7, "model": {"id": "composer"}, "played": played}
    assert name("[key] [metre] [bars] [tempo]", music, 1, NOW, "x") == "2026-01-31/bflat-major 6-8 16 90"
