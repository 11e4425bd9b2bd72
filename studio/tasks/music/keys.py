"""Keys by their names: read from a field (studio.tasks.music.key_parser), written as musicians write them."""

from __future__ import annotations

from studio.tasks.music import key_parser

_RELATIVE = {"major": 0, "minor": 3, "dorian": 10, "mixolydian": 5}
"""Semitones from the tonic up to that of the major key with the same signature."""
_FIFTHS = {"major": 0, "minor": -3, "dorian": -2, "mixolydian": -1}
"""Sharps of a mode's signature beside those of the major key on the same tonic; flats count below zero."""
MOST_SIGNS = 7


def key_of(words: str) -> tuple[int, str] | None:
    """The tonic (a pitch class) and the mode that a field names: "D major", "f#m", "fis-moll", "降B小调"; or None."""
    return key_parser.named(words)


def whole_name(tonic: int, mode: str, spelling: str = "") -> str:
    """ "F♯ minor": what `key_of` reads."""
    return f"{spelling or key_name(tonic, mode)} {mode}"


def key_name(tonic: int, mode: str) -> str:
    """How a musician writes a tonic: the spelling with fewer sharps or flats."""
    flats = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
    sharps = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
    signature = (tonic + _RELATIVE[mode]) % 12
    return (flats if signature in (5, 10, 3, 8, 1) or (signature, mode) == (6, "minor") else sharps)[tonic]


def names(mode: str) -> list[str]:
    """All names of tonics that a signature of this mode can have, from C up; the usual one of two comes first."""
    found = [letter + sign for letter in "CDEFGAB" for sign in ("", "♯", "♭")]
    known = [(key_of(f"{name} {mode}") or (0, mode), name) for name in found if abs(fifths(name, mode)) <= MOST_SIGNS]
    return [name for (tonic, _), name in sorted(known, key=lambda one: (one[0], one[1] != key_name(one[0][0], mode)))]


def fifths(name: str, mode: str) -> int:
    """Sharps of the signature of a key whose tonic has this name; flats count below zero."""
    return "FCGDAEB".index(name[0]) - 1 + 7 * {"♯": 1, "♭": -1}.get(name[1:], 0) + _FIFTHS[mode]


def spelling(words: str, tonic: int, mode: str) -> str:
    """How a text or a field writes this tonic, "E♭" or "D♯"; empty where it names none, or no signature has it so."""
    for text in (words, f"key: {words}"):
        for one in key_parser.find_keys(text, lambda _: True):
            if one.tonic == tonic and one.spelled and abs(fifths(one.spelled, mode)) <= MOST_SIGNS:
                return one.spelled
    return ""
