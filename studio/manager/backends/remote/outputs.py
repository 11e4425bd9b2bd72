"""Outputs of another computer, looked at before anybody uses them: of the right types, and what was asked for.

The other one may be broken, or somebody else's. What is written into files and shown on the page has the form that an
engine of this studio gives it, or it is an error.
"""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

from PIL import Image

from studio.i18n import table
from studio.requests import ImageRequest, MusicRequest, Request, UpscaleRequest
from studio.results import Audio, Output
from studio.tasks.bounds import MAX_SEED
from studio.tasks.music import performance

MOST_TEXT = 10_000_000
MOST_PIXELS = 1 << 28
MOST_MIDI = 4_000_000
_PICTURES = {"RGB", "RGBA"}
_RATES = range(8_000, 192_001)
_FINISHES = ("stop", "length", "cancelled")


def checked(output: object, request: Request) -> Output:
    """`output`, where it is one that this request may have.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(output, Output):
        raise ValueError("no output")
    _require(_texts(output) and output.finish in _FINISHES and not output.candidates and not output.requests, "text")
    _require(all(_seed(one) for one in (*_tuple(output.seeds), *_tuple(output.variation_seeds))), "seeds")
    _require(isinstance(output.stats, dict) and all(_figure(*one) for one in output.stats.items()), "figures")
    _require(isinstance(output.notes, tuple) and all(_note(one) for one in output.notes), "notes")
    notes = tuple(note for note in output.notes if f"note.{note[0]}" in table("en"))
    images, audio = _tuple(output.images), _tuple(output.audio)
    _require(all(_image(one) for one in images) and all(_audio(one) for one in audio), "files")
    most = int(getattr(request, "count", 1) or 1)
    paints, plays = isinstance(request, ImageRequest | UpscaleRequest), isinstance(request, MusicRequest)
    _require(len(images) <= (most if paints else 0) and len(audio) <= (most if plays else 0), "too many")
    made = len(images) if paints else len(audio)
    if paints or plays:
        _require(made > 0 and len(output.seeds) == made, "nothing")
        _require(len(output.variation_seeds) in (0, made), "seeds")
    audio = tuple(replace(one, played=performance.clean(one.played)) for one in audio)
    return Output(
        text=output.text, texts=output.texts, prompt=output.prompt, images=images, audio=audio, seeds=output.seeds,
        variation_seeds=output.variation_seeds, finish=output.finish, stats=dict(output.stats), notes=notes,
    )  # fmt: skip


def _require(true: bool, what: str) -> None:
    if not true:
        raise ValueError(what)


def _tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise ValueError("no list")
    return value


def _texts(output: Output) -> bool:
    texts = (output.text, output.prompt, *_tuple(output.texts))
    return all(isinstance(one, str) for one in texts) and sum(map(len, texts)) <= MOST_TEXT


def _seed(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_SEED


def _figure(name: object, value: object) -> bool:
    return isinstance(name, str) and len(name) <= 60 and type(value) in (int, float) and math.isfinite(value)  # pyright: ignore[reportArgumentType]


def _note(value: object) -> bool:
    match value:
        case (str(), dict() as params) if len(params) <= 12:
            return all(isinstance(name, str) and _short(one) for name, one in params.items())
    return False


def _short(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 10_000)


def _image(value: Any) -> bool:
    if not isinstance(value, Image.Image) or value.mode not in _PICTURES:
        return False
    return 0 < value.width * value.height <= MOST_PIXELS


def _audio(value: object) -> bool:
    import numpy as np

    if not isinstance(value, Audio) or type(value.rate) is not int or value.rate not in _RATES:
        return False
    samples = value.samples
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 2:
        return False
    whole = samples.shape[0] in (1, 2) and samples.shape[1] > 0 and bool(np.isfinite(samples).all())
    return whole and isinstance(value.midi, bytes) and _notes_of_music(value.midi) and isinstance(value.played, dict)


def _notes_of_music(data: bytes) -> bool:
    """Whether it is a MIDI file, or nothing."""
    import mido

    if not data:
        return True
    try:
        return len(data) <= MOST_MIDI and len(mido.MidiFile(file=io.BytesIO(data)).tracks) > 0
    except Exception:  # whatever its reader makes of it
        return False
