"""Explicit label: what people see or hear of a machine having made an output, where an operator has it so.

    picture         a plate with words in the lower right corner (studio.media.stamp); a contact sheet gets a strip
    sound           "AI" in Morse code, at the end (studio.media.morse)
    notes           a text in the file, behind its recipe; a line that scores show above an ABC tune
    conversation    a line above it; a caption as a file: a line below it

The recipe names its language as `explicit_label`, and the library puts it on where it writes the file, once: what
already bears it, because it was made from something that does, is left as it is (docs/decisions/081-explicit-label.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.i18n import LANGUAGES, text
from studio.media import audio, formats, image, midi, morse, stamp
from studio.recipes import recipe

if TYPE_CHECKING:
    from PIL import Image

    from studio.results import Audio
    from studio.settings import Settings

TASKS = ("image", "upscale", "music", "caption")
"""Tasks whose files bear it. Code does not: a line more is another program."""
_LEAST = 0.05
"""Of a picture's shorter side, the height of words that count: GB 45438-2025, 5.2."""
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Marking:
    """How a studio marks what it makes.

    Attributes:
        producer: who answers for it; "" for the studio's own name.
        label: the language of the explicit label; "" for none.
        watermark: answers that can carry one do (studio.engines.text.watermark).
    """

    producer: str = ""
    label: str = ""
    watermark: bool = False

    @staticmethod
    def of(settings: Settings) -> Marking:
        return Marking(settings.producer, settings.explicit_label, settings.watermark)


UNMARKED = Marking()


def words(language: str) -> str:
    """What it says."""
    return text("explicit.words", language)


def language(made: Mapping[str, Any]) -> str:
    """The language of the label that a recipe says its output bears; "" for none."""
    named = made.get("explicit_label")
    return named if isinstance(named, str) and named in LANGUAGES else ""


def on_picture(picture: Image.Image, made: Mapping[str, Any], *, changed: bool = False) -> Image.Image:
    """The picture as it is written.

    Args:
        made: its recipe. Only what was made from a picture can bear a label already,
        changed: or what was written before and is changed.
    """
    spoken = language(made)
    if not spoken or ((changed or recipe.sources(made)) and _on(picture)):
        return picture
    return stamp.stamped(picture, spoken)


def on_sheet(sheet: Image.Image, made: Mapping[str, Any]) -> Image.Image:
    """A contact sheet as it is written, with a strip more."""
    return stamp.framed(sheet, spoken) if (spoken := language(made)) else sheet


def on_sound(sound: Audio, made: Mapping[str, Any]) -> Audio:
    """The sound as it is written. One that went on from another has been heard without that one's label."""
    return morse.appended(sound) if language(made) else sound


def in_notes(made: Mapping[str, Any]) -> str:
    """The text that a MIDI file holds behind its recipe; "" for none."""
    return words(spoken) if (spoken := language(made)) else ""


def on_tune(tune: str, made: Mapping[str, Any]) -> str:
    """An ABC tune as it is handed out: scores show its `C:` above the notes."""
    head, key, rest = tune.partition("\nM:")
    return f"{head}\nC:{words(spoken)}{key}{rest}" if (spoken := language(made)) else tune


def on_caption(said: str, made: Mapping[str, Any]) -> str:
    """A caption as it is handed out in a file."""
    return f"{said.rstrip()}\n\n{words(spoken)}\n" if made["task"] == "caption" and (spoken := language(made)) else said


def find(data: bytes) -> str:
    """What of a label a file shows, whatever is said in it: its words, "AI" for Morse code, "" for nothing.

    Decodes the file. Never raises.
    """
    try:
        if formats.kind(data):
            return next(
                (words(one) for one in LANGUAGES if stamp.find(image.decode(data).image, one) >= _LEAST * 0.9), ""
            )
        if data[:4] in (b"RIFF", b"fLaC") or data.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3")):
            return "AI" if morse.find(audio.decode_audio(data)) is not None else ""
    except StudioError:
        return ""
    notes = data.startswith(midi.HEAD)
    said = midi.texts(data) if notes else data[:_LONGEST].decode("utf-8", "replace").splitlines()
    shown = {line.strip("*> ").removeprefix("C:") for line in said}
    return next((words(one) for one in LANGUAGES if words(one) in shown), "")


def _on(picture: Image.Image) -> bool:
    return any(stamp.find(picture, one) >= _LEAST * 0.98 for one in LANGUAGES)
