"""What may be asked of music: keys, metres, tempos, and bars that do not last for ever."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.errors import StudioError
from studio.requests import MusicRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.limits import check, resolve

CARD = tiny_card(Source("bundled", path="m"), 1)


def refused(public: bool = False, **fields: Any) -> str:
    with pytest.raises(StudioError) as caught:
        check(MusicRequest(prompt="a reel", **fields), CARD, public=public)
    assert caught.value.what("en")
    assert caught.value.what("zh-CN") != caught.value.what("en")
    return caught.value.code


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"key": "D major"}, {"key": "f#m"}, {"key": "降B小调"}, {"key": " Eb "}, {"metre": "6/8"}, {"tempo": 30},
        {"tempo": 260.0}, {"tempo": 0}, {"bars": 128}, {"bars": 16, "tempo": 120}, {"loop": True}, {"players": "oud"},
    ],
)  # fmt: skip
def test_what_can_be_played_passes(fields: dict[str, Any]) -> None:
    check(MusicRequest(prompt="a reel", **fields), CARD)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"key": "K major"}, "not_a_key"),
        ({"key": "x" * 100}, "too_long"),
        ({"key": None}, "not_text"),
        ({"metre": "5/4"}, "not_a_choice"),
        ({"metre": None}, "not_a_choice"),
        ({"tempo": 29}, "out_of_range"),
        ({"tempo": 1e9}, "out_of_range"),
        ({"tempo": float("nan")}, "not_a_number"),
        ({"tempo": "fast"}, "not_a_number"),
        ({"bars": -1}, "out_of_range"),
        ({"bars": 1.5}, "not_a_number"),
        ({"loop": "yes"}, "not_a_choice"),
        ({"players": "p" * 1000}, "too_long"),
        ({"bars": 128, "tempo": 40}, "too_many_bars"),
    ],
)
def test_what_cannot_is_refused(fields: dict[str, Any], code: str) -> None:
    assert refused(**fields) == code


def test_strangers_get_fewer_seconds_however_they_ask() -> None:
    fields: dict[str, Any] = {"bars": 16, "tempo": 60}
    check(MusicRequest(prompt="a reel", **fields), CARD)
    assert refused(public=True, **fields) == "too_many_bars"


def test_nothing_asked_for_stays_nothing() -> None:
    full = resolve(MusicRequest(prompt="a reel"), CARD, lambda: 1)
    assert (full.tempo, full.key, full.metre, full.bars, full.players, full.loop) == (0.0, "", "", 0, "", False)


@pytest.mark.parametrize("prompt", ["an air, 128 bars", "a waltz of 300 seconds", "极慢的歌调，一百二十小节"])
def test_a_prompt_asks_no_more_of_a_public_studio_than_the_fields(settings: Settings, prompt: str) -> None:
    composer = MusicRequest(prompt=prompt, model="composer")
    with (
        Studio(settings.model_copy(update={"demo": False, "profile": "space"})) as studio,
        pytest.raises(StudioError) as e,
    ):
        studio.submit(composer)
    assert e.value.code == "too_many_bars"
    with Studio(settings.model_copy(update={"demo": False})) as studio:
        read = studio.reading(composer)
        assert read is not None
        assert read.brief.seconds > 60


def test_the_reading_knows_how_long_its_model_can_play(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"demo": False})) as studio:
        read = studio.reading(MusicRequest(prompt="30 bpm, 128 bars, rock", model="composer"))
    assert read is not None
    assert read.brief.bars == 37
    assert read.changes == (("bars_fit", {"asked": 128, "played": 37, "seconds": "300"}),)
