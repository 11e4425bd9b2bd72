"""A stored piece of music in the format that somebody asks for: as sound, or as notes where its model writes notes.

How it is handed over: studio.cli.out, tabs.music.take_cards.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.library.scan import notes
from studio.media import midi
from studio.media.audio import decode_audio
from studio.recipes import explicit_label, recipe
from studio.recipes.embed_audio import encode_flac, encode_mp3
from studio.recipes.signing import Sign, unsigned
from studio.tasks.music import abc, performance

SOUND, NOTES = (".wav", ".flac", ".mp3"), (".mid", ".abc")
MUSIC = (*SOUND, *NOTES)


def formats(made: Mapping[str, Any]) -> tuple[str, ...]:
    """The suffixes that a piece with this recipe can have."""
    return MUSIC if performance.melody(made.get("played", {})) is not None else SOUND


def music(file: Path, made: dict[str, Any], suffix: str, sign: Sign = unsigned) -> bytes:
    """The content of `file` (a WAV of the library's) as another format, with its recipe where that has room for it.

    Args:
        suffix: one of MUSIC.
        sign: how a file that is made here is signed.

    Raises:
        StudioError: no_notes, file_not_found, bad_audio.
    """
    if suffix == ".abc":
        melody = performance.melody(made.get("played", {}))
        if melody is None:
            raise StudioError("no_notes", model=made["model"]["title"])
        tune = abc.write(melody, str(made["parameters"].get("prompt", "")))
        return explicit_label.on_tune(tune, made).encode()
    source = notes(file) if suffix == ".mid" else file
    if suffix == ".mid" and not source.exists():
        raise StudioError("no_notes", model=made["model"]["title"])
    try:
        data = source.read_bytes()
    except OSError:
        raise StudioError("file_not_found", path=str(source)) from None
    if suffix == ".mid":
        return midi.put_text(data, recipe.to_json(made, ascii_only=True))
    if suffix == file.suffix:
        return data
    encode = encode_flac if suffix == ".flac" else encode_mp3
    return sign(encode(decode_audio(data), made), made, True)
