"""What the music engines share: one piece a seed, checked before anybody hears it.

Knows nothing of models.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from studio.catalog import Card
from studio.engines.base import Context
from studio.errors import Cancelled, StudioError
from studio.types import Audio, MusicRequest, Output


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
            pieces.append(make(number, (request.seed or 0) + number))
        except Cancelled:
            if not pieces:
                raise
            finish = "cancelled"
            break
    seeds = tuple((request.seed or 0) + number for number in range(len(pieces)))
    seconds = time.perf_counter() - began
    made = sum(piece.samples.shape[1] / piece.rate for piece in pieces)
    stats = {"seconds": seconds, "audio_seconds_per_second": made / max(seconds, 1e-9)}
    return Output(audio=tuple(pieces), seeds=seeds, finish=finish, stats=stats)


def piece(card: Card, samples: Any, rate: int, duration: float) -> Audio:
    """Sound of at most `duration` seconds from an array of shape (channels, frames), brought into -1..1.

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
    return Audio(samples / loudest if loudest > 1 else samples, rate)


def loud(audio: Audio, loudness: float, ceiling: float = -1.0) -> Audio:
    """The piece at a loudness by which ears compare (ITU-R BS.1770), as far as its peaks let it.

    Args:
        loudness: LUFS, integrated.
        ceiling: dBFS that no sample passes.
    """
    import numpy as np
    import pyloudnorm

    samples = audio.samples
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0 or samples.shape[1] < audio.rate // 2:  # silence, or too short to measure
        return audio
    measured = pyloudnorm.Meter(audio.rate).integrated_loudness(samples.T)
    if not np.isfinite(measured):
        return audio
    gain = min(10 ** ((loudness - measured) / 20), 10 ** (ceiling / 20) / peak)
    return replace(audio, samples=(samples * np.float32(gain)).astype(np.float32))
