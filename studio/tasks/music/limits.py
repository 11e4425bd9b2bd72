"""Limits of a piece: key, metre, tempo and length, and the sound that it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.media.audio import measure
from studio.paths import gigabytes
from studio.requests import MusicRequest, SoundUse
from studio.tasks.bounds import (
    PROMPT,
    SEED,
    TEMPERATURE,
    WORDS,
    Bound,
    Letters,
    check_choice,
    check_number,
    with_card,
)
from studio.tasks.music.keys import key_of
from studio.tasks.music.melody_tokens import METRES
from studio.tasks.music.prompt_numbers import SLOWEST
from studio.tasks.music.timing import lasting

NUMBERS: Mapping[str, Bound] = {
    "duration": Bound(1, 600, 30, 8.0, whole=False),
    "steps": Bound(1, 500, 100, 50),
    "guidance_scale": Bound(0, 30, 30, 3.0, whole=False),
    "temperature": replace(TEMPERATURE, default=1.0),
    "top_k": Bound(0, 2048, 2048, 250),
    "tempo": Bound(0, 260, 260, 0.0, whole=False),
    "bars": Bound(0, 128, 64, 0),
    "sound_keep": Bound(0, 600, 120, 0.0, whole=False),
    "count": Bound(1, 8, 2, 1),
    "seed": SEED,
}
"""A top_k of 0 means all tokens."""
TEXTS: Mapping[str, Letters] = {
    "prompt": PROMPT,
    "negative_prompt": WORDS,
    "lyrics": Letters(10_000, 4_000),
    "key": Letters(40, 40),
    "players": Letters(400, 400),
    "melody": Letters(60_000, 20_000),
}
MAX_SOUND_BYTES, MAX_SOUND_BYTES_PUBLIC = 96_000_000, 24_000_000
MAX_SOUND_SECONDS, MAX_SOUND_SECONDS_PUBLIC = 600, 120
SOUND_USES: tuple[SoundUse, ...] = get_args(SoundUse)


def check(request: MusicRequest, card: Card, public: bool) -> None:
    """Raises StudioError: not_a_choice, out_of_range, not_a_key, too_many_bars, bad_audio, sound_too_long,
    file_too_large.
    """
    check_choice("loop", request.loop, (True, False))
    check_choice("metre", request.metre, ("", *METRES))
    if 0 < request.tempo < SLOWEST:
        check_number("tempo", request.tempo, replace(NUMBERS["tempo"], low=SLOWEST))
    if request.key.strip() and key_of(request.key) is None:
        raise StudioError("not_a_key", value=request.key.strip()[:40])
    if (seconds := lasting(request)) is not None:
        limits = with_card(NUMBERS["duration"], "duration", card, public)
        if seconds > limits.high:
            raise StudioError("too_many_bars", seconds=f"{seconds:.0f}", limit=f"{limits.high:g}")
    check_choice("sound_use", request.sound_use, SOUND_USES)
    if request.sound != b"":
        _check_sound(request, public)


def _check_sound(request: MusicRequest, public: bool) -> None:
    data = request.sound
    if not isinstance(data, bytes):
        raise StudioError("bad_audio")
    limit = MAX_SOUND_BYTES_PUBLIC if public else MAX_SOUND_BYTES
    if len(data) > limit:
        raise StudioError("file_too_large", size=gigabytes(len(data)), limit=gigabytes(limit))
    seconds, most = measure(data), MAX_SOUND_SECONDS_PUBLIC if public else MAX_SOUND_SECONDS
    if seconds > most:
        raise StudioError("sound_too_long", seconds=f"{seconds:.0f}", limit=most)
    if request.sound_keep > seconds:
        check_number("sound_keep", request.sound_keep, replace(NUMBERS["sound_keep"], high=round(seconds, 2)))
