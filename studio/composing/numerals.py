"""Numbers said in words, English and Chinese, as digits, where they count bars, beats or seconds."""

from __future__ import annotations

import re

_ENGLISH = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "sixteen": 16, "twenty": 20, "twenty-four": 24, "thirty": 30,
    "thirty-two": 32, "forty-eight": 48, "sixty": 60, "sixty-four": 64,
}  # fmt: skip
_CHINESE = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_COUNTED_ENGLISH = re.compile(
    rf"\b({'|'.join(sorted(_ENGLISH, key=len, reverse=True))})(?=[\s-]+(?:bars?|measures?|seconds?)\b)"
)
_COUNTED_CHINESE = re.compile(r"[零〇一二两三四五六七八九十百]+(?=\s*(?:个?小节|秒|拍(?!子)))")
_METRE = re.compile(r"([二四八])分之([二三四六九])拍子?|([四八])([二三四六九])拍子?")


def digits(text: str) -> str:
    """`text` (small letters) with such numbers in digits; a metre as "3/4"."""
    text = _METRE.sub(_metre, text)
    text = _COUNTED_ENGLISH.sub(lambda match: str(_ENGLISH[match[1]]), text)
    return _COUNTED_CHINESE.sub(lambda match: str(_value(match[0])), text)


def _metre(match: re.Match[str]) -> str:
    unit, count = filter(None, match.groups())
    return f"{_CHINESE[count]}/{_CHINESE[unit]}"


def _value(signs: str) -> int:
    """A number up to 999: 十六, 一百二十, 二八."""
    hundreds, _, rest = signs.rpartition("百")
    tens, ten, ones = rest.rpartition("十")
    total = 100 * (_plain(hundreds) or 1) if "百" in signs else 0
    return total + (10 * (_plain(tens) or 1) if ten else 0) + _plain(ones)


def _plain(signs: str) -> int:
    found = [_CHINESE[sign] for sign in signs if sign in _CHINESE]
    return int("".join(map(str, found))) if found else 0
