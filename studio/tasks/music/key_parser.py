"""Keys by their names in English, German and Chinese: found in a text, or read from a field.

A letter alone says little: "a minor setback" and "in a dark forest" name no key. Where the letter is the article, what
follows has to be music.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
SIGNS = {"sharp": 1, "#": 1, "♯": 1, "升": 1, "flat": -1, "b": -1, "♭": -1, "降": -1, "": 0}
_MODES = {
    "major": "major", "maj": "major", "ionian": "major", "minor": "minor", "min": "minor", "m": "minor", "mi": "minor",
    "aeolian": "minor", "dorian": "dorian", "mixolydian": "mixolydian", "dur": "major", "moll": "minor",
    "大调": "major", "小调": "minor", "多利亚": "dorian", "混合利底亚": "mixolydian", "爱奥尼亚": "major",
    "伊奥尼亚": "major",
    "宫": "major", "羽": "minor", "商": "dorian", "徵": "mixolydian", "调": "", "": "",
}  # fmt: skip
_REPLACED = {"phrygian": "minor", "lydian": "major", "locrian": "minor", "弗里几亚": "minor", "弗里吉亚": "minor",
             "利底亚": "major", "洛克里亚": "minor", "角": "minor"}  # fmt: skip
"""Modes that the composer never learnt, and the one of the same third that it plays instead."""
_LONG = "|".join(
    ("major", "minor", "maj", "min", "ionian", "aeolian", "dorian", "mixolydian", "phrygian", "lydian", "locrian")
)
_CHINESE = "|".join(sorted((name for name in (*_MODES, *_REPLACED) if name and name[0] >= "㐀"), key=len, reverse=True))
_GERMAN = re.compile(
    r"(?<![A-Za-zÀ-ÿ])(?P<name>[cdefgah]is|[cdfg]es|as|es|[a-h])[\s-]*(?P<mode>dur|moll)(?![a-zà-ÿ])", re.IGNORECASE
)
_EAST = re.compile(
    rf"(?P<before>升|降|#|♯|♭|b(?=[A-H]))?\s*(?<![A-Za-z])(?P<letter>[A-Ha-h])\s*(?P<sign>#|♯|♭|b|升|降)?\s*"
    rf"(?:自然|和声|旋律)?\s*(?P<mode>{_CHINESE})(?:调式|调)?"
)
_NUMBERED = re.compile(r"(?<!\d)1\s*=\s*(?P<before>升|降|#|♯|♭|b)?\s*(?P<letter>[A-G])(?P<sign>#|♯|♭|b)?(?![A-Za-z])")
_FULL = re.compile(
    r"(?<![A-Za-z0-9'])(?P<letter>[A-Ha-h])(?:[\s-]*(?P<word>sharp|flat)\b|\s?(?P<sign>[#♯♭])|(?P<flat>b)(?![a-ln-z]))?"
    rf"[\s-]*(?:(?:natural|harmonic|melodic)[\s-]+)?(?P<mode>{_LONG})(?:7|9)?(?![A-Za-z])(?:\s+(?:key|scale|mode)\b)?",
    re.IGNORECASE,
)
_CHORD = re.compile(
    r"(?<![A-Za-z0-9'])(?P<lead>(?:\bin|\bkey(?:\s+of)?\s*[:=]?)\s+|\bkey\s*[:=]\s*)?(?P<letter>[A-Ha-h])"
    r"(?P<sign>[#♯♭b])?(?P<mode>m(?:in|aj|i)?)(?:6|7|9|11|13|maj7)?(?![A-Za-z0-9'♯#])",
)
_ALONE = re.compile(
    r"(?:\b(?P<lead>[Ii]n)\s+(?:the\s+)?|\b[Kk]ey(?:\s+of|\s*[:=]|\s+is)?\s*|\b(?:TONIC|[Tt]onic)\s*[:=]?\s*|调[性式]?\s*[:=]\s*)"
    r"(?P<letter>[A-Ha-h])(?:[\s-]*(?P<word>sharp|flat)\b|\s?(?P<sign>[#♯♭])|(?P<flat>b))?(?![\w'-])"
)
_BLUES = re.compile(r"(?<![A-Za-z'])(?P<letter>[B-G])(?P<sign>[#♯♭b])?(?=\s+blues\b)")
_OPEN = re.compile(
    r"\s*(?:$|[,.;:!?)\]}|/\n。、;\"”]|\d|(?:at|with|for|and|on|by|in|about|from|to|but|scale|key|mode|,)\b)"
)
"""What may follow a key, besides words of music: an end, a sign, a preposition."""


@dataclass(frozen=True)
class Named:
    """A key in a text.

    Attributes:
        start, end: its place.
        tonic: pitch class; None where only a mode is meant.
        mode: "" where none is said.
        asked: how the person wrote it, where its mode is replaced; else "".
        spelled: the tonic's name as it was written, "E♭" or "D♯".
    """

    start: int
    end: int
    tonic: int | None
    mode: str
    asked: str = ""
    spelled: str = ""


def find_keys(text: str, musical: Callable[[int], bool]) -> list[Named]:
    """All keys of a text with its capitals, by their place.

    Args:
        musical: whether a word of music stands at a place of the text.
    """
    found: list[Named] = []
    ways = (
        (_GERMAN, _german), (_EAST, _plain), (_NUMBERED, _plain), (_FULL, _plain), (_CHORD, _chord), (_BLUES, _plain),
        (_ALONE, _plain),
    )  # fmt: skip
    for pattern, read in ways:
        for match in pattern.finditer(text):
            if any(match.start() < one.end and one.start < match.end() for one in found):
                continue
            if (named := read(match)) is not None and _meant(match, text, musical):
                found.append(named)
    return sorted(found, key=lambda one: one.start)


def named(words: str) -> tuple[int, str] | None:
    """The tonic and the mode that a field names, and nothing else: "D major", "f#m", "fis-moll", "降B小调", "Eb"."""
    words = words.strip()
    for pattern, read in ((_GERMAN, _german), (_EAST, _plain), (_NUMBERED, _plain), (_FULL, _plain)):
        if (
            (match := pattern.fullmatch(words)) is not None
            and (one := read(match)) is not None
            and one.tonic is not None
        ):
            return one.tonic, one.mode or "major"
    if (match := _CHORD.fullmatch(f"key: {words}")) is not None and (one := _chord(match)) and one.tonic is not None:
        return one.tonic, one.mode
    if (match := _ALONE.fullmatch(f"key of {words}")) is not None and (one := _plain(match)) and one.tonic is not None:
        return one.tonic, "major"
    return None


def _plain(match: re.Match[str]) -> Named | None:
    groups = match.groupdict()
    letter = groups["letter"].lower()
    sign = groups.get("before") or groups.get("word") or groups.get("sign") or groups.get("flat") or ""
    mode = (groups.get("mode") or "").lower()
    asked = match[0].strip() if mode in _REPLACED else ""
    tonic, spelled = _tonic(letter, SIGNS[sign.lower()])
    return Named(match.start(), match.end(), tonic, _REPLACED.get(mode) or _MODES[mode], asked, spelled)


def _tonic(letter: str, sign: int) -> tuple[int, str]:
    """A pitch class, and how it is written."""
    return (LETTERS[letter] + sign) % 12, ("B" if letter == "h" else letter.upper()) + {1: "♯", 0: "", -1: "♭"}[sign]


def _chord(match: re.Match[str]) -> Named | None:
    """ "F#m", "Am7": capitals, or a sign, or words that announce a key; "am" alone is a verb."""
    if match["letter"].islower() and match["sign"] not in ("#", "♯", "♭") and not match["lead"]:
        return None
    if match[0] == "Am" and re.match(r"\s+I\b", match.string[match.end() :]):
        return None
    tonic, spelled = _tonic(match["letter"].lower(), SIGNS[match["sign"] or ""])
    mode = "major" if match["mode"] == "maj" else "minor"
    return Named(match.start(), match.end(), tonic, mode, spelled=spelled)


def _german(match: re.Match[str]) -> Named:
    """In German B is what English calls B flat, and H is B."""
    name = match["name"].lower()
    sign = 1 if name.endswith("is") else -1 if name.endswith("s") or name == "b" else 0
    tonic, spelled = _tonic(name[0], sign)
    return Named(match.start(), match.end(), tonic, _MODES[match["mode"].lower()], spelled=spelled)


def _meant(match: re.Match[str], text: str, musical: Callable[[int], bool]) -> bool:
    """Whether a letter that may be the article is a key after all."""
    groups = match.groupdict()
    signed = any(groups.get(name) for name in ("word", "sign", "flat", "before"))
    if match.re not in (_FULL, _ALONE) or groups["letter"].lower() != "a" or signed:
        return True
    after = text[match.end() :]
    if match.re is _ALONE:
        return bool(_OPEN.match(after)) or not (groups["lead"] or groups["letter"].islower())
    if re.search(r"\b(?:key|scale|mode)$", match[0], re.IGNORECASE) and groups["letter"] == "a":
        return False  # "in a minor key": a mode
    announced = re.search(r"\b(?:in|key of|key:?|in the key of)\s+$", text[: match.start()], re.IGNORECASE)
    if groups["letter"] == "A" and announced:
        return True
    return bool(_OPEN.match(after)) or musical(match.end() + len(after) - len(after.lstrip()))
