"""Facts of a finished piece of music, for the command line: key, metre, tempo, bars, players, length."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.cli.console import language
from studio.errors import StudioError
from studio.i18n import text
from studio.media.audio import measure
from studio.tasks.music import reading_text
from studio.tasks.music.brief import instruments

_NOTES = ("melody", "chords")
"""What is long and stands in the recipe."""


def facts(made: Mapping[str, Any], seconds: float | None) -> str:
    """All of it in one line of the reader's language; empty where nothing is known."""
    played, spoken = made.get("played", {}), language()
    known = instruments()
    players = (reading_text.player_name(name, spoken) if name in known else name for name in played.get("players", ()))
    said = (
        reading_text.key_words(played.get("key", ""), spoken), played.get("metre", ""),
        reading_text.played_tempo(made),
        reading_text.bar_words(played["bars"], spoken) if played.get("bars") else "",
        text("music.comma", spoken).join(players), text("music.looped", spoken) if played.get("loop") else "",
        f"{seconds:.1f} s" if seconds is not None else "",
    )  # fmt: skip
    return " · ".join(filter(None, said))


def document(made: Mapping[str, Any], seconds: float | None) -> dict[str, Any]:
    """The same as plain values."""
    played = {name: value for name, value in made.get("played", {}).items() if name not in _NOTES}
    return played | ({"seconds": round(seconds, 3)} if seconds is not None else {})


def length(file: Path) -> float | None:
    """Seconds of sound in a file; None where it has none that can be read."""
    try:
        return measure(file.read_bytes())
    except (OSError, StudioError):
        return None
