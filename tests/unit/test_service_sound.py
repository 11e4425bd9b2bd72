"""A sound to start from: what may be given, who takes it, and that it is still there when the piece is made again."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.errors import StudioError
from studio.media import recordings
from studio.media.audio import measure
from studio.recipes import recipe
from studio.recipes.embed_audio import encode_flac, encode_mp3, encode_wav
from studio.requests import MusicRequest
from studio.results import Audio
from studio.service import Studio
from studio.settings import Settings
from studio.tasks import limits
from studio.tasks.music.limits import MAX_SOUND_BYTES

CARD = tiny_card(Source("bundled", path="m"), 1)
RATE = 8_000


def tone(seconds: float = 2.0) -> Audio:
    return Audio(0.3 * np.sin(np.arange(round(seconds * RATE)) / 3, dtype=np.float32)[None], RATE)


WAV = encode_wav(tone())


def refused(public: bool = False, **fields: Any) -> str:
    with pytest.raises(StudioError) as caught:
        limits.check(MusicRequest(prompt="on", **fields), CARD, public=public)
    assert caught.value.what("en")
    assert caught.value.next("zh-CN") != caught.value.next("en")
    return caught.value.code


@pytest.mark.parametrize("fields", [{}, {"sound_keep": 1.5}, {"sound_keep": 2}, {"sound_use": "follow"}])
def test_a_sound_passes(fields: dict[str, Any]) -> None:
    limits.check(MusicRequest(prompt="on", sound=WAV, **fields), CARD)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"sound": "a.wav"}, "bad_audio"),
        ({"sound": None}, "bad_audio"),
        ({"sound": b"RIFFnothing"}, "bad_audio"),
        ({"sound": WAV[:5000]}, "bad_audio"),
        ({"sound": WAV, "sound_keep": 2.5}, "out_of_range"),
        ({"sound": WAV, "sound_keep": -1}, "out_of_range"),
        ({"sound": WAV, "sound_keep": float("nan")}, "not_a_number"),
        ({"sound": WAV, "sound_use": "sing"}, "not_a_choice"),
        ({"sound": WAV + bytes(MAX_SOUND_BYTES)}, "file_too_large"),
        ({"sound": encode_wav(Audio(np.zeros((1, 601 * RATE), np.float32), RATE))}, "sound_too_long"),
    ],
)
def test_what_is_no_sound_or_too_much_of_it_is_refused(fields: dict[str, Any], code: str) -> None:
    assert refused(**fields) == code


def test_strangers_bring_less() -> None:
    longer = encode_wav(Audio(np.zeros((1, 130 * RATE), np.float32), RATE))
    limits.check(MusicRequest(prompt="on", sound=longer), CARD)
    assert refused(public=True, sound=longer) == "sound_too_long"


@pytest.mark.parametrize(("encode", "ending"), [(encode_wav, ".wav"), (encode_flac, ".flac"), (encode_mp3, ".mp3")])
def test_a_file_is_known_by_its_first_bytes_and_measured_by_its_header(encode: Any, ending: str) -> None:
    data = encode(tone(3.0))
    assert recordings.ending(data) == ending
    assert measure(data) == pytest.approx(3.0, abs=0.2)


def test_a_model_that_does_not_hear_says_so(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"demo": False})) as studio:
        assert studio.hears("composer") == ()
        assert studio.hears("musicgen-small") == ("continue",)
        assert studio.hears("musicgen-melody") == ("follow",)
        assert studio.hears("ace-step-xl-turbo") == ("continue",)
        assert studio.hears("icons") == studio.hears("nobody") == ()
        with pytest.raises(StudioError) as caught:
            studio.submit(MusicRequest(prompt="on", model="composer", sound=WAV))
        assert caught.value.code == "cannot_hear"


def test_without_a_model_one_that_hears_is_taken(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"demo": False})) as studio, pytest.raises(StudioError) as caught:
        studio.submit(MusicRequest(prompt="on", sound=WAV))
    assert caught.value.code == "not_on_disk"
    assert caught.value.params["id"] == "musicgen-small"


def test_the_sound_is_kept_and_named_in_the_recipe(studio: Studio) -> None:
    made = studio.submit(MusicRequest(prompt="on", sound=WAV, sound_keep=1.0, duration=1.0)).result()
    hash = recipe.sources(made.recipe)["sound"]
    assert hash == hashlib.sha256(WAV).hexdigest()
    assert studio.source(hash) == WAV
    assert made.recipe["parameters"]["sound_keep"] == 1.0
    assert measure(made.files[0].read_bytes()) == pytest.approx(2.0, abs=0.01)


def test_strangers_sounds_are_not_kept(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"profile": "space"})) as studio:
        made = studio.submit(MusicRequest(prompt="on", sound=WAV, duration=1.0)).result()
        assert studio.source(recipe.sources(made.recipe)["sound"]) is None
