"""Text whose encoding nobody said: names in zips, captions that other programs wrote.

UTF-8 and what carries a mark is certain. Else each encoding that fits at all is asked how usual its signs would be:
common ideographs, kana and syllables, letters of one alphabet beside each other; and the likeliest is taken. Pure.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Sequence

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the next
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DOUBLE = ("gb18030", "cp932", "big5", "cp949")
SINGLE = ("cp1252", "cp1251", "cp866", "cp1250")
NAMES = (*DOUBLE, "cp437", *SINGLE)
"""For names in zips, where programs for DOS and Windows wrote in the encoding of the machine that they ran on."""
_SYLLABLES, _FREQUENT, _FEW = 0.8, 0.25, 4
_HANGUL = frozenset(
    "가간감강개거건게경계고공과관교구국군그글금기길김꽃나남내너네노는늘니다단달당대도동되된두드들등디라래러로류르른를름"
    "리린림마만말면명모무문물미민바박밤방배백법보복부북분비사산살상새색생서석선설성세소속손송수순스시식신실심아안않았양어언"
    "없에여역연영예오온와왕외요용우운울원월위유으은을음의이인일있입자작장재저적전점정제조주중지진집차책처천청체초최추치카커"
    "크타트파포표풍프피하학한할함합해행현호화회후"
)
"""Syllables that make two thirds of Korean; ideographs that are read as syllables hit one in ten of them."""
_CONTROLS = frozenset(chr(code) for code in (*range(9), 11, *range(14, 32), 127))


def decoded(data: bytes) -> str | None:
    """The text of a file; None where it is none."""
    encoding = encoding_of(data)
    return None if encoding is None else _decoded(data, encoding)


def encoding_of(data: bytes) -> str | None:
    """The encoding of a file of text, as Python calls it; None where it is none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding if _decoded(data, encoding) is not None else None
    if 0 in data:  # no text has this sign; where every second byte is one, the mark was left out
        wide = "utf-16-le" if not any(data[1::2]) else "utf-16-be" if not any(data[::2]) else ""
        return _textual(data, wide)
    if _decoded(data, "utf-8") is not None:
        return "utf-8"
    return _textual(data, likeliest([data], (*DOUBLE, *SINGLE)))


def _textual(data: bytes, encoding: str) -> str | None:
    text = _decoded(data, encoding) if encoding else None
    return None if text is None or _CONTROLS & set(text) else encoding


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
    if scores.get("cp949", 0) > _SYLLABLES and _korean("".join(sample.decode("cp949") for sample in whole)):
        return "cp949"  # ideographs stand in the same places, but would not be the syllables of every day
    return max(scores, key=lambda encoding: scores[encoding]) if scores else ""


def _korean(text: str) -> bool:
    """Whether syllables are those that Korean is mostly made of; two of them at least."""
    syllables = [sign for sign in text if "\uac00" <= sign <= "\ud7a3"]
    frequent = sum(sign in _HANGUL for sign in syllables)
    return frequent >= max(2, _FREQUENT * len(syllables) * (2 if len(syllables) <= _FEW else 1))


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
    if sign in "’–—" and re.fullmatch(r"[a-zA-Z].[a-z]", text[max(at - 1, 0) : at + 2]):
        return 1.0  # "it’s": that this and the next letter are one ideograph amid small letters is less likely
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
