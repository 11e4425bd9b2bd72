"""Keys by their names, English and Chinese: found in a text, read from a field, written as musicians write them."""

from __future__ import annotations

import re

_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_MODE_WORDS = {
    "major": "major", "maj": "major", "minor": "minor", "min": "minor", "dorian": "dorian", "mixolydian": "mixolydian",
    "大调": "major", "小调": "minor", "多利亚": "dorian", "混合利底亚": "mixolydian",
}  # fmt: skip
_SIGNS = {"sharp": 1, "#": 1, "♯": 1, "升": 1, "flat": -1, "b": -1, "♭": -1, "降": -1, "": 0}
KEY = re.compile(
    r"(?:(?P<before>升|降)\s*)?(?<![a-z])(?P<letter>[a-g])\s*-?(?P<sign>sharp|flat|#|♯|♭|b(?=[\s-]*m|[\s-]*d|\b))?[\s-]*"
    r"(?P<mode>major|minor|maj\b|min\b|dorian|mixolydian|大调|小调|多利亚|混合利底亚)"
)
TONIC_ALONE = re.compile(
    r"\b(?:in|key of)\s+(?:the key of\s+)?(?P<letter>[a-g])(?P<sign>#|♯|♭|b|\s+sharp|\s+flat)?\b(?!\s*[-'])"
)


def meant(match: re.Match[str]) -> tuple[int, str]:
    """Tonic (a pitch class) and mode of a match of KEY, or of TONIC_ALONE, whose mode is major."""
    groups = match.groupdict()
    sign = _SIGNS[groups.get("before") or (groups["sign"] or "").strip()]
    return (_LETTERS[groups["letter"]] + sign) % 12, _MODE_WORDS[groups.get("mode") or "major"]


def key_of(words: str) -> tuple[int, str] | None:
    """The tonic (a pitch class) and the mode that a field names: "D major", "f#m", "降B小调"; None for no key."""
    bare = re.sub(r"^([a-g])\s*(#|♯|b|♭)?m$", r"\1\2 minor", words.strip().lower())
    bare = bare if any(mode in bare for mode in _MODE_WORDS) else f"{bare} major"
    match = KEY.fullmatch(bare)
    return None if match is None else meant(match)


def whole_name(tonic: int, mode: str) -> str:
    """ "F♯ minor": what `key_of` reads."""
    return f"{key_name(tonic, mode)} {mode}"


def key_name(tonic: int, mode: str) -> str:
    """How a musician writes a tonic: the spelling with fewer sharps or flats."""
    flats = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
    sharps = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
    signature = (tonic + {"major": 0, "minor": 3, "dorian": 10, "mixolydian": 5}[mode]) % 12
    return (flats if signature in (5, 10, 3, 8, 1) else sharps)[tonic]
