"""Morse code behind a sound: two letters as tones at its end, put there, found again and taken off.

Short and long, then twice short: "AI", after a pause. It stands behind the sound, so that beats, loop points and notes
stay where they are. It is found by its own wave, also after a lossy encoder.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from studio.results import Audio

_CODE = ".-/.."
_UNIT, _PITCH, _LEVEL, _EDGE = 0.09, 880.0, 0.25, 0.008
"""Seconds of a short tone, hertz, the peak of full scale, seconds in which a tone begins and ends."""
_PAUSE, _LATE = 0.3, 0.5
"""Seconds of silence before it; seconds that an encoder may have added behind it."""
_ALIKE, _LOUD = 0.7, 0.25


def appended(audio: Audio) -> Audio:
    """The sound with a pause and the letters behind it, in every channel."""
    import numpy as np

    channels = audio.samples.shape[0]
    tail = np.concatenate([np.zeros(_pause(audio.rate), np.float32), _tones(audio.rate)])
    samples = np.concatenate([np.asarray(audio.samples, np.float32), np.tile(tail, (channels, 1))], axis=1)
    return replace(audio, samples=samples)


def length(rate: int) -> int:
    """Frames that `appended` adds."""
    return _pause(rate) + len(_tones(rate))


def find(audio: Audio) -> int | None:
    """The frame at which the pause before the letters begins; None where the sound does not end in them."""
    import numpy as np
    from scipy.signal import correlate

    tones = _tones(audio.rate)
    end = audio.samples[:, -(len(tones) + round(_LATE * audio.rate)) :]
    if end.shape[1] < len(tones):
        return None
    heard = np.asarray(end, np.float64).mean(axis=0)
    matches = correlate(heard, tones.astype(np.float64), mode="valid")
    at = int(matches.argmax())
    there = heard[at : at + len(tones)]
    strength, whole = float(np.linalg.norm(there)), float(np.linalg.norm(tones))
    if strength < _LOUD * whole or matches[at] < _ALIKE * strength * whole:
        return None
    return max(0, audio.samples.shape[1] - end.shape[1] + at - _pause(audio.rate))


def without(audio: Audio) -> Audio:
    """The sound as it was before `appended`; as it is where nothing was appended."""
    at = find(audio)
    return audio if not at else replace(audio, samples=audio.samples[:, :at])


def _pause(rate: int) -> int:
    return round(_PAUSE * rate)


@functools.lru_cache(4)
def _tones(rate: int) -> np.ndarray:
    """The letters, float32."""
    import numpy as np

    unit = round(_UNIT * rate)
    on: list[tuple[bool, int]] = []
    for sign in _CODE:
        on += [(False, 2)] if sign == "/" else [(True, 3 if sign == "-" else 1), (False, 1)]
    parts = [
        _tone(count * unit, rate) if sounding else np.zeros(count * unit, np.float32) for sounding, count in on[:-1]
    ]
    return np.concatenate(parts)


def _tone(frames: int, rate: int) -> np.ndarray:
    import numpy as np

    wave = _LEVEL * np.sin(2 * math.pi * min(_PITCH, rate / 5) * np.arange(frames) / rate)
    edge = max(1, round(_EDGE * rate))
    slope = np.sin(np.linspace(0, math.pi / 2, edge)) ** 2
    wave[:edge] *= slope
    wave[-edge:] *= slope[::-1]
    return wave.astype(np.float32)
