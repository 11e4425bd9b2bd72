"""The notes in the music tab's empty state: the beginning of each of its examples, composed once with seed 1.

Only what the notes look like is shipped, and no sound.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio.i18n import text
from tabs.music.take_views import voices

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

KEYS = tuple(f"music.example{number}" for number in range(1, 7))
WIDTH, HEIGHT = 320, 96
SECONDS = 12.0
_VOICES = ("#4d6fb0", "#b9862f", "#7b6fb0", "#a3583f", "#4d83a8", "#8a8578")
_TIMES = 4
"""How much larger it is drawn first, for smooth edges."""

Note = tuple[float, float, int, int]
"""Start and length in seconds, pitch, voice."""


def write(compose: Callable[[str], bytes], target: Path) -> None:
    """Draw all of them into one strip, from left to right.

    Args:
        compose: prompt -> a MIDI file.
    """
    from PIL import Image

    strip = Image.new("RGBA", (WIDTH * len(KEYS), HEIGHT))
    for place, key in enumerate(KEYS):
        strip.paste(
            _drawn([note for note in voices(compose(text(key, "en"))) if note[0] < SECONDS]), (WIDTH * place, 0)
        )
    strip.save(target, quality=80, method=6)


def composed(prompt: str) -> bytes:
    """What the starter composes for a prompt, as the studio runs it."""
    from studio.library.scan import notes
    from studio.requests import MusicRequest
    from studio.service import Studio
    from studio.settings import load

    with Studio(load()) as studio:
        made = studio.submit(MusicRequest(prompt=prompt, seed=1)).result()
        return notes(made.files[0]).read_bytes()


def _drawn(notes: list[Note]) -> Image.Image:
    from PIL import Image, ImageDraw

    low, high = min(note[2] for note in notes), max(note[2] for note in notes)
    row = HEIGHT * _TIMES / (max(high - low, 23) + 3)
    large = Image.new("RGBA", (WIDTH * _TIMES, HEIGHT * _TIMES))
    draw = ImageDraw.Draw(large)
    for start, length, pitch, voice in sorted(notes, key=lambda note: -note[3]):
        left, top = start / SECONDS * large.width, (high - pitch + 1) * row
        right = left + max(length / SECONDS * large.width - _TIMES, _TIMES * 2)
        draw.rounded_rectangle((left, top, right, top + row * 0.86), row * 0.3, fill=_VOICES[voice % len(_VOICES)])
    return large.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
