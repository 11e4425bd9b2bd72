"""Numbers said in words, English and Chinese, as digits, where they count bars, beats or time, or make a metre."""

from __future__ import annotations

import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ENGLISH = {word: value for value, word in enumerate(_ONES.split())} | {
    word: 10 * value for value, word in enumerate(_TENS.split(), 2)
}
_CHINESE = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_NAME = rf"(?:{'|'.join(sorted(_ENGLISH, key=len, reverse=True))}|hundred)"
_COUNTED_ENGLISH = re.compile(
    rf"\b(?:an?[\s-]+(?=hundred))?({_NAME}(?:[\s-]+(?:and[\s-]+(?!a\b))?{_NAME}){{0,5}})"
    r"(?=[\s-]+(?:bars?|measures?|seconds?|secs?|minutes?|mins?|hours?|bpm|beats|and a half minutes?)\b)",
    re.IGNORECASE,
)
_SIGNS = "零〇一二两三四五六七八九十百"
_COUNTED_CHINESE = re.compile(
    rf"[{_SIGNS}]{{1,8}}(?=\s*(?:个?小节|秒|拍(?!子)|分钟|分半|分[{_SIGNS}\d]+秒|个?小时|[Bb][Pp][Mm]))"
)
_SECONDS_CHINESE = re.compile(rf"(?<=\d分)[{_SIGNS}]+(?=秒)")
_METRE = re.compile(
    r"([二四八])分之(十二|[二三四五六七九])拍子?|(十二|(?<![一二三四五六七八九十百])[二三四五六七八九])([二三四五六七八九])拍子?"
    r"|([二三四五六七])拍子"
)
_METRE_ENGLISH = re.compile(
    r"\b(two|three|four|five|six|seven|nine|twelve)(?:-(two|four|eight|quarter)\b(?:[\s-]+time\b)?"
    r"|[\s-](two|four|eight|quarter)[\s-]+time\b)",
    re.IGNORECASE,
)
_UNITS = {"two": 2, "four": 4, "quarter": 4, "eight": 8}


def digits(text: str) -> str:
    """`text` with such numbers in digits; a metre as "3/4"."""
    text = _METRE_ENGLISH.sub(_metre_english, _METRE.sub(_metre, text))
    text = _COUNTED_ENGLISH.sub(lambda match: str(_number(match[1])), text)
    text = _COUNTED_CHINESE.sub(lambda match: str(_value(match[0])), text)
    return _SECONDS_CHINESE.sub(lambda match: str(_value(match[0])), text)


def _metre(match: re.Match[str]) -> str:
    unit, count, first, second, beats = match.groups()
    if beats:
        return f"{_value(beats)}/{8 if beats == '六' else 4}"
    if first:  # 四三拍 and 三四拍 are both three quarters: the unit is the one that can only be one
        unit, count = (first, second) if first in "四八" and second != "八" else (second, first)
    return f"{_value(count)}/{_value(unit)}"


def _metre_english(match: re.Match[str]) -> str:
    return f"{_ENGLISH[match[1].lower()]}/{_UNITS[(match[2] or match[3]).lower()]}"


def _number(words: str) -> int:
    total = 0
    for word in re.split(r"[\s-]+", words.lower()):
        if word == "hundred":
            total = 100 * (total or 1)
        elif word != "and":
            total += _ENGLISH[word]
    return total


def _value(signs: str) -> int:
    """A number up to 999: 十六, 一百二十, 二八."""
    hundreds, _, rest = signs.rpartition("百")
    tens, ten, ones = rest.rpartition("十")
    total = 100 * (_plain(hundreds) or 1) if "百" in signs else 0
    return total + (10 * (_plain(tens) or 1) if ten else 0) + _plain(ones)


def _plain(signs: str) -> int:
    found = [_CHINESE[sign] for sign in signs if sign in _CHINESE]
    return int("".join(map(str, found))) if found else 0
