"""Text whose encoding nobody said: names in zips, captions that other programs wrote.

UTF-8 and what carries a mark is certain. Else each encoding that fits at all is asked how usual its signs would be:
common ideographs, kana and syllables, letters of one alphabet beside each other; and the likeliest is taken. Pure.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Sequence

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
DOUBLE = ("gb18030", "cp932", "big5", "cp949")
SINGLE = ("cp1252", "cp1251", "cp866", "cp1250")
NAMES = (*DOUBLE, "cp437", *SINGLE)
"""For names in zips, where programs for DOS and Windows wrote in the encoding of the machine that they ran on."""
_ENOUGH, _SYLLABLES = 5, 0.8
_CONTROLS = frozenset(chr(code) for code in (*range(9), 11, *range(14, 32), 127))


def decoded(data: bytes) -> str | None:
    """The text of a file; None where it is none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if (text := _decoded(data, "utf-8")) is not None:
        return text
    best = likeliest([data], (*DOUBLE, *SINGLE))
    text = _decoded(data, best) if best else None
    return None if text is None or _CONTROLS & set(text) else text


def likeliest(samples: Sequence[bytes], encodings: Iterable[str] = NAMES) -> str:
    """The encoding that all samples are most likely in; empty where none fits.

    Args:
        encodings: where two are equally likely, the first of them is taken.
    """
    whole = [sample for sample in samples if not sample.isascii()]
    if not whole:
        return "utf-8"
    if all(_decoded(sample, "utf-8") is not None for sample in whole) and not _short_latin(whole):
        return "utf-8"
    scores: dict[str, float] = {}
    for encoding in encodings:
        texts = [_decoded(sample, encoding) for sample in whole]
        if None not in texts:
            scores[encoding] = sum(_usual(text or "", encoding) for text in texts) / sum(
                sum(byte >= 0x80 for byte in sample) for sample in whole
            )
    if "cp949" in scores and sum(map(len, whole)) >= 2 * _ENOUGH and scores["cp949"] > _SYLLABLES:
        return "cp949"  # so many ideographs, and none of the other half of the table: it is the other script
    return max(scores, key=lambda encoding: scores[encoding]) if scores else ""


def _short_latin(samples: Sequence[bytes]) -> bool:
    """Whether UTF-8 makes of names one letter each, or two accented ones, alone: where ideographs are likelier."""
    words = [word for sample in samples for word in re.findall(r"\w+", sample.decode()) if not word.isascii()]
    return bool(words) and all(
        len(word) == 1 < len(word.encode()) < 3 or (len(word) == 2 and "\xc0" <= min(word) <= max(word) <= "\u024f")
        for word in words
    )


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _usual(text: str, encoding: str) -> float:
    """How usual the signs of a text are where it is in this encoding: about 1 for each of its bytes above 127."""
    score = 0.0
    for at, sign in enumerate(text):
        if sign.isascii():
            continue
        data = sign.encode(encoding)
        if len(data) == 1:
            score += _letter(text, at)
            continue
        beside = text[max(at - 1, 0) : at] + text[at + 1 : at + 2]
        score += _pair(data, sign, encoding) - 1.5 * any("a" <= one <= "z" for one in beside)
    return score


def _pair(data: bytes, sign: str, encoding: str) -> float:
    """Of a sign of two bytes: those that their tables put first are the common ones."""
    lead = data[0]
    if encoding == "gb18030":
        if len(data) > 2 or data[1] < 0xA1 or lead < 0xA1:  # what was added later
            return -1.0
        return 2.0 if 0xB0 <= lead <= 0xD7 else 0.6 if lead > 0xD7 else 0.4
    if encoding == "cp932":
        kana = "\u3041" <= sign <= "\u30ff"
        return 2.0 if kana else 1.8 if 0x88 <= lead <= 0x98 else 0.3
    if encoding == "big5":
        return 1.9 if 0xA4 <= lead <= 0xC6 else 0.2
    return 1.7 if 0xB0 <= lead <= 0xC8 and data[1] >= 0xA1 else -1.0  # cp949: syllables of the old standard


def _letter(text: str, at: int) -> float:
    """Of a sign of one byte: a letter beside letters of its alphabet, small where those before it are small."""
    sign = text[at]
    if not sign.isalpha():
        return 0.2 if sign in "–—’‘“”„…«»°·©®№¡¿ " else -1.0
    script = unicodedata.name(sign, "").split(" ")[0]
    if script not in ("LATIN", "CYRILLIC"):
        return -1.0  # halfwidth kana, and Greek, which DOS had for formulas
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    near = [one for one in (before, after) if one.isalpha()]
    alike = [one for one in near if unicodedata.name(one, "").startswith(script)]
    if len(alike) < len(near):
        return -1.0
    if sign.isupper() and before.islower():
        return -0.8
    if script == "LATIN":  # few words have three such letters in a row
        return 1.0 if not (before and not before.isascii() and after and not after.isascii()) else -0.5
    return 1.0 if near else 0.3
