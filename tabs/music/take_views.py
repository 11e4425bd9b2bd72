"""A piece of music as the eye takes it in: waveform, notes and spectrum, each over the whole width of its time.

Waveform and notes are SVG in the colours of the page, the spectrum is a PNG.
"""

from __future__ import annotations

import io
import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from studio.results import Audio

COLUMNS = 480
_HEIGHT = 96
_VOICES = 6
"""Colours that voices have (assets/page/music.css); more voices take them in turn."""
_DRUMS = 9
_LOWEST, _HIGHEST, _LEAST_SPAN = 36.0, 11_000.0, 24
_RANGE_DB = 75.0
_WINDOW = 4096


def wave(audio: Audio) -> str:
    """The loudest sample of every moment, mirrored."""
    import numpy as np

    level = np.abs(audio.samples).max(axis=0) if audio.samples.size else np.zeros(1)
    edges = np.linspace(0, len(level), COLUMNS + 1).astype(int)
    peaks = [float(level[a : max(b, a + 1)].max(initial=0.0)) for a, b in pairwise(edges)]
    half = _HEIGHT / 2
    upper = [f"{x},{half - max(peak * (half - 2), 0.5):.1f}" for x, peak in enumerate(peaks)]
    lower = [f"{x},{half + max(peak * (half - 2), 0.5):.1f}" for x, peak in reversed(list(enumerate(peaks)))]
    return _svg(COLUMNS - 1, _HEIGHT, f'<polygon class="a-wave" points="{" ".join(upper + lower)}"/>')


def roll(midi: bytes, seconds: float) -> str:
    """All notes of a MIDI file, a colour a voice, drums left out: they have no pitch.

    Args:
        seconds: of the sound; its end is the right edge.
    """
    scale = 1000 / max(seconds, 1e-3)
    notes = [(start * scale, length * scale, pitch, voice) for start, length, pitch, voice in voices(midi)]
    low = min((note for _, _, note, _ in notes), default=60)
    high = max(max((note for _, _, note, _ in notes), default=60), low + _LEAST_SPAN)
    shapes = "".join(
        f'<rect class="a-voice-{voice % _VOICES}" x="{x:.1f}" y="{high - note}" '
        f'width="{max(width, 1):.1f}" height="1"/>'
        for x, width, note, voice in sorted(notes, key=lambda one: -one[3])
    )
    return _svg(1000, high - low + 1, shapes)


def voices(midi: bytes) -> list[tuple[float, float, int, int]]:
    """Start and length in seconds, pitch and voice of all notes of a MIDI file but its drums, by its first tempo."""
    import mido

    file = mido.MidiFile(file=io.BytesIO(midi))
    tempo = next((message.tempo for message in file.tracks[0] if message.type == "set_tempo"), 500_000)
    scale = tempo / 1e6 / file.ticks_per_beat
    notes: list[tuple[float, float, int, int]] = []
    for voice, track in enumerate(file.tracks[1:]):
        at, begun = 0, dict[int, int]()
        for message in track:
            at += message.time
            if getattr(message, "channel", None) == _DRUMS:
                continue
            if message.type == "note_on" and message.velocity:
                begun[message.note] = at
            elif message.type in ("note_on", "note_off") and message.note in begun:
                start = begun.pop(message.note)
                notes.append((start * scale, (at - start) * scale, message.note, voice))
    return notes


def spectrum(audio: Audio) -> bytes:
    """A PNG: time to the right, frequency upwards in octaves, loudness as grey from black to white."""
    import numpy as np
    from PIL import Image

    sound = audio.samples.mean(axis=0) if audio.samples.size else np.zeros(_WINDOW, np.float32)
    sound = np.pad(sound, (0, max(0, _WINDOW - len(sound))))
    starts = np.linspace(0, len(sound) - _WINDOW, COLUMNS).astype(int)
    window = np.hanning(_WINDOW).astype(np.float32)
    power = np.stack([np.abs(np.fft.rfft(sound[a : a + _WINDOW] * window)) for a in starts], axis=1) ** 2
    bands = _bands(power, audio.rate)
    decibel = 10 * np.log10(bands + 1e-12)
    grey = np.clip((decibel - decibel.max() + _RANGE_DB) / _RANGE_DB, 0, 1) ** 1.5
    out = io.BytesIO()
    Image.fromarray((grey[::-1] * 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def _bands(power: np.ndarray, rate: int) -> np.ndarray:
    """Rows of equal width in octaves out of rows of equal width in hertz."""
    import numpy as np

    top = min(_HIGHEST, rate / 2)
    edges = np.geomspace(_LOWEST, top, 2 * _HEIGHT + 1) * _WINDOW / rate
    rows = []
    for low, high in pairwise(edges):
        first, last = math.floor(low), max(math.floor(low) + 1, math.ceil(high))
        rows.append(power[first : min(last, len(power))].mean(axis=0))
    return np.stack(rows)


def _svg(width: float, height: float, inside: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">{inside}</svg>'
