"""Takes, for all music engines: one piece a seed, what the fields beside the prompt mean, sound fit to be heard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from studio.catalog.card import Card
from studio.engines.base import Context
from studio.errors import Cancelled, StudioError
from studio.media import morse
from studio.media.audio import decode_audio
from studio.requests import MusicRequest, Request
from studio.results import Audio, Output
from studio.tasks.music.timing import lasting

LOUDNESS = -14.0
"""LUFS of a finished piece."""
_LOWEST_RATE = 8_000
"""Frames a second below which the ear's filters of the measurement make no sense."""
_SEAM = 0.5
"""Seconds over which the end of a loop goes over into its beginning."""

JOINT = 0.02
"""Seconds over which one stretch of sound goes over into the next."""


def seconds(request: Request) -> float:
    """How long a piece is to be, or goes on: its bars where tempo is known, else its duration; 0 for none."""
    if not isinstance(request, MusicRequest):
        return 0.0
    return lasting(request) or request.duration or 1.0


def words(request: MusicRequest) -> str:
    """The prompt with the fields beside it, for models that read nothing else."""
    said = (
        request.prompt, request.players, request.key, f"{request.tempo:g} bpm" if request.tempo else "",
        f"{request.metre} time" if request.metre else "", "seamless loop" if request.loop else "",
    )  # fmt: skip
    return ", ".join(filter(None, said))


def overlap(card: Card, request: MusicRequest) -> float:
    """Seconds that a loop is made longer, so that its end can go over into its beginning.

    Raises:
        StudioError: the model cannot make the loop and that much more.
    """
    if not request.loop:
        return 0.0
    length = seconds(request)
    longest = float(card.limits.get("max_duration", length + _SEAM))
    if longest - length < _SEAM / 10:
        raise StudioError("out_of_range", field="duration", value=length, low=1, high=longest - _SEAM / 10)
    return min(_SEAM, length / 2, longest - length)


def seamless(samples: Any, frames: int) -> Any:
    """A loop of exactly `frames` from an array (channels, more frames): what is too much sounds into the beginning."""
    import numpy as np

    over = min(samples.shape[1] - frames, frames)
    if over < 1:
        return samples
    turn = np.linspace(0, np.pi / 2, over, endpoint=False, dtype=np.float32)
    looped = samples[:, :frames].copy()
    looped[:, :over] = looped[:, :over] * np.sin(turn) + samples[:, frames : frames + over] * np.cos(turn)
    return looped


def heard(request: MusicRequest, rate: int, channels: int) -> Any:
    """The request's sound as an array (channels, frames), float32, at the model's rate; None where there is none.

    For going on, what is kept of it. Raises StudioError: bad_audio.
    """
    import numpy as np
    from scipy.signal import resample_poly

    if not request.sound:
        return None
    audio = morse.without(decode_audio(request.sound))
    samples = audio.samples
    if request.sound_use == "continue" and request.sound_keep:
        samples = samples[:, : max(1, round(request.sound_keep * audio.rate))]
    if samples.shape[0] != channels:
        samples = np.repeat(samples.mean(0, keepdims=True), channels, axis=0)
    if audio.rate != rate:
        common = math.gcd(audio.rate, rate)
        samples = resample_poly(samples, rate // common, audio.rate // common, axis=1)
    return np.ascontiguousarray(samples, dtype=np.float32)


def joined(before: Any, after: Any, again: int, joint: int) -> Any:
    """`before` and what `after` adds behind its first `again` frames, which are the end of `before`.

    Models write those anew; over the last `joint` of them the one goes over into the other. Arrays (channels, frames).
    """
    import numpy as np

    joint = min(joint, again, before.shape[1])
    turn = np.linspace(0, 1, joint, dtype=np.float32)
    seam = before[:, before.shape[1] - joint :] * (1 - turn) + after[:, again - joint : again] * turn
    return np.concatenate([before[:, : before.shape[1] - joint], seam, after[:, again:]], axis=1)


def each_piece(request: MusicRequest, context: Context, make: Callable[[int, int], Audio]) -> Output:
    """`request.count` pieces from `make(number, seed)`; finished ones are kept when the person stops.

    Raises:
        Cancelled: stopped before the first was done.
    """
    pieces: list[Audio] = []
    finish: Literal["stop", "cancelled"] = "stop"
    began = time.perf_counter()
    for number in range(request.count):
        try:
            context.check()
            made = make(number, (request.seed or 0) + number)
            pieces.append(made if made.played else replace(made, played=_wishes(request)))
        except Cancelled:
            if not pieces:
                raise
            finish = "cancelled"
            break
    seeds = tuple((request.seed or 0) + number for number in range(len(pieces)))
    took = time.perf_counter() - began
    length = sum(piece.samples.shape[1] / piece.rate for piece in pieces)
    stats = {"seconds": took, "audio_seconds_per_second": length / max(took, 1e-9)}
    return Output(audio=tuple(pieces), seeds=seeds, finish=finish, stats=stats)


def piece(card: Card, samples: Any, rate: int, duration: float) -> Audio:
    """Sound of at most `duration` seconds from an array of shape (channels, frames), at LOUDNESS.

    Raises:
        StudioError: the model made something that is not sound.
    """
    import numpy as np

    samples = np.ascontiguousarray(samples[:, : round(duration * rate)], dtype=np.float32)
    if not samples.size:
        raise StudioError("bad_output", model=card.title, reason="no sound at all")
    if not np.isfinite(samples).all():
        raise StudioError("bad_output", model=card.title, reason="not numbers")
    loudest = float(np.abs(samples).max())
    return loud(Audio(samples / loudest if loudest > 1 else samples, rate))


def asked_for(card: Card, request: MusicRequest, samples: Any, rate: int, kept: float = 0.0) -> Audio:
    """`piece` as long as the request says, a loop without a seam; `samples` are `overlap` longer than that.

    Args:
        kept: seconds of another piece with which this one begins.
    """
    length = kept + seconds(request)
    return piece(card, seamless(samples, round(length * rate)) if request.loop else samples, rate, length)


def loud(audio: Audio, loudness: float = LOUDNESS, ceiling: float = -1.0) -> Audio:
    """The piece at a loudness by which ears compare (ITU-R BS.1770), as far as its peaks let it.

    Args:
        loudness: LUFS, integrated.
        ceiling: dBFS that no sample passes.
    """
    import numpy as np
    import pyloudnorm

    samples = audio.samples
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0 or samples.shape[1] < audio.rate // 2 or audio.rate < _LOWEST_RATE:  # nothing that can be measured
        return audio
    measured = pyloudnorm.Meter(audio.rate).integrated_loudness(samples.T)
    if not np.isfinite(measured):
        return audio
    gain = min(10 ** ((loudness - measured) / 20), 10 ** (ceiling / 20) / peak)
    return replace(audio, samples=(samples * np.float32(gain)).astype(np.float32))


def _wishes(request: MusicRequest) -> dict[str, Any]:
    """What was asked of a piece whose notes nobody knows."""
    bars = request.bars if not request.sound else 0  # of a piece that goes on nobody knows all bars
    asked = {"key": request.key, "metre": request.metre, "tempo": request.tempo, "bars": bars}
    return {name: value for name, value in asked.items() if value} | ({"loop": True} if request.loop else {})
