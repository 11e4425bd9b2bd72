"""Keys by their names: read from a field (studio.composing.tonality), written as musicians write them."""

from __future__ import annotations

from studio.composing import tonality


def key_of(words: str) -> tuple[int, str] | None:
    """The tonic (a pitch class) and the mode that a field names: "D major", "f#m", "fis-moll", "降B小调"; or None."""
    return tonality.named(words)


def whole_name(tonic: int, mode: str) -> str:
    """ "F♯ minor": what `key_of` reads."""
    return f"{key_name(tonic, mode)} {mode}"


def key_name(tonic: int, mode: str) -> str:
    """How a musician writes a tonic: the spelling with fewer sharps or flats."""
    flats = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
    sharps = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
    signature = (tonic + {"major": 0, "minor": 3, "dorian": 10, "mixolydian": 5}[mode]) % 12
    return (flats if signature in (5, 10, 3, 8, 1) else sharps)[tonic]
