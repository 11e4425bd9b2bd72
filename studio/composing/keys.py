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
_SPELLED = re.compile(
    r"(?<![a-z])(?P<letter>[a-g])[\s-]*(?P<sign>sharp|flat|#|♯|♭|b(?![a-z]))|(?P<before>升|降)\s*(?P<chinese>[a-g])"
    r"|(?<![a-z])(?P<german>es|as|[dgc]es|[cdfg]is|ais)[\s-]*(?:moll|dur)"
)
_RELATIVE = {"major": 0, "minor": 3, "dorian": 10, "mixolydian": 5}
"""Semitones from the tonic up to that of the major key with the same signature."""
_FIFTHS = {"major": 0, "minor": -3, "dorian": -2, "mixolydian": -1}
"""Sharps of a mode's signature beside those of the major key on the same tonic; flats count below zero."""
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


def whole_name(tonic: int, mode: str, spelling: str = "") -> str:
    """ "F♯ minor": what `key_of` reads."""
    return f"{spelling or key_name(tonic, mode)} {mode}"


def key_name(tonic: int, mode: str) -> str:
    """How a musician writes a tonic: the spelling with fewer sharps or flats."""
    flats = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
    sharps = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
    signature = (tonic + _RELATIVE[mode]) % 12
    return (flats if signature in (5, 10, 3, 8, 1) or (signature, mode) == (6, "minor") else sharps)[tonic]


def fifths(name: str, mode: str) -> int:
    """Sharps of the signature of a key whose tonic has this name; flats count below zero."""
    return "FCGDAEB".index(name[0]) - 1 + 7 * {"♯": 1, "♭": -1}.get(name[1:], 0) + _FIFTHS[mode]


def spelling(words: str, tonic: int, mode: str) -> str:
    """How a text writes this tonic, "E♭" or "D♯"; empty where it does not name it, or no signature has it so."""
    for match in _SPELLED.finditer(words.casefold()):
        groups = {name: value for name, value in match.groupdict().items() if value}
        letter = groups.get("letter") or groups.get("chinese") or groups["german"][0]
        sign = _SIGNS[groups.get("sign") or groups.get("before") or ("sharp" if "is" in groups["german"] else "flat")]
        name = letter.upper() + {1: "♯", -1: "♭"}[sign]
        if (_LETTERS[letter] + sign) % 12 == tonic and abs(fifths(name, mode)) <= 7:
            return name
    return ""
