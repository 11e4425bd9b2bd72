"""Sentences about what was seen, in English and Chinese, in four forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.caption import groups, names

LANGUAGES = ("en", "zh")
FORMS = ("short", "normal", "long", "tags")

STYLES = {
    "flat": ("in flat style", "扁平风格"), "glossy": ("in glossy 3D style", "立体光泽风格"),
    "cartoon": ("in cartoon style", "卡通风格"), "outlined": ("as a line drawing", "线条画"),
    "silhouette": ("as a silhouette", "剪影"),
}  # fmt: skip
_CHINESE = {
    "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "light green": "浅绿色", "teal": "青色",
    "light blue": "浅蓝色", "blue": "蓝色", "dark blue": "深蓝色", "purple": "紫色", "pink": "粉色",
    "magenta": "洋红色",
    "brown": "棕色", "beige": "米色", "black": "黑色", "dark gray": "深灰色", "gray": "灰色", "light gray": "浅灰色",
    "white": "白色",
}  # fmt: skip
_ONE = re.compile(r"(ss|us|is|bus|glass|compass|cactus|octopus|walrus|lens|chess|tennis|dress|gas|Venus|bias)$", re.I)
_NO_ARTICLE = re.compile(r"^(one|two|three|people|clothes|men|women|hands)\b", re.I)


@dataclass(frozen=True)
class Name:
    """What a thing is called, and words that go with it."""

    english: str
    chinese: str
    tags: tuple[str, ...] = ()
    chinese_tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What the encoder found.

    Attributes:
        kind: a key of STYLES, or "photograph".
        ground, colours: names of colours; none for photographs.
        things: the likeliest first; further ones only where the first is not certain.
    """

    kind: str
    ground: str
    colours: tuple[str, ...]
    things: tuple[Name, ...]


def all_names(entries: list[dict[str, Any]]) -> list[Name]:
    """Of drawn things, then of ImageNet's classes, then of their groups."""
    found = [
        Name(spoken(thing["name"]), thing["chinese"].replace(": ", "，"), _tags(thing["tags"], thing["name"]),
             _tags(thing["chinese_tags"], thing["chinese"]))
        for thing in names.things(entries)
    ]  # fmt: skip
    of_class = groups.of_class()
    lines = (Path(__file__).parent / "classes.txt").read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        english, chinese = line.split("|")
        group = groups.GROUPS[of_class[index]][:2] if index in of_class else ()
        found.append(Name(english, chinese, group[:1], group[1:]))
    return [*found, *(Name(english, chinese) for english, chinese, _ in groups.GROUPS)]


def spoken(name: str) -> str:
    """`person with beard` for `person: beard`."""
    return name.replace(": facing", " facing").replace(": ", " with ")


def _tags(tags: list[str], name: str) -> tuple[str, ...]:
    good = [
        tag
        for tag in tags
        if re.fullmatch(r"[\w' -]{2,24}", tag) and tag.lower() not in name.lower() and not names.COLOUR.search(tag)
    ]
    return tuple(good[:2])


def say(seen: Seen, language: str, form: str) -> str:
    return (_english if language == "en" else _chinese)(seen, form)


def with_article(words: str) -> str:
    """`a cat`, `an orange cat`; nothing before names of many."""
    last = re.split(r" (?:with|of|in|on|behind|and|from|wearing) ", words)[0].split()[-1]
    if _NO_ARTICLE.search(words) or (last.endswith("s") and not _ONE.search(last)):
        return words
    vowel = re.match(r"hour|(?!uni|uk|one|eu)[aeiou]", words, re.I)
    return f"{'an' if vowel else 'a'} {words}"


def _english(seen: Seen, form: str) -> str:
    first, *others = seen.things
    perhaps = f" It could also be {' or '.join(with_article(other.english) for other in others)}." if others else ""
    if seen.kind == "photograph":
        if form == "tags":
            return ", ".join(["photo", first.english, *first.tags])
        said = with_article(first.english)
        if form == "short":
            return said
        kind = f" ({first.tags[0]})" if form == "long" and first.tags and first.tags[0] not in first.english else ""
        return f"a photo of {said}{kind}" + (f".{perhaps}" if form == "long" else "")
    style = STYLES[seen.kind][0]
    if form == "tags":
        what = style.removeprefix("in ").removeprefix("as a ")
        return ", ".join([first.english, *seen.colours, what, f"{seen.ground} background", *first.tags])
    colour = " and ".join(seen.colours if form == "long" else seen.colours[:1])
    said = with_article(f"{colour} {first.english}".strip())
    if form == "short":
        return said
    where = f"{said} {style} on {with_article(seen.ground)} background"
    if form == "normal":
        return where
    return f"{where}." + (f" Tags: {', '.join(first.tags)}." if first.tags else "") + perhaps


def _chinese(seen: Seen, form: str) -> str:
    first, *others = seen.things
    perhaps = f"也可能是{'或'.join(other.chinese for other in others)}。" if others else ""
    if seen.kind == "photograph":
        if form == "tags":
            return "，".join(["照片", first.chinese, *first.chinese_tags])
        if form == "short":
            return first.chinese
        known = form == "long" and first.chinese_tags and first.chinese_tags[0] not in first.chinese
        kind = f"（{first.chinese_tags[0]}）" if known else ""
        return f"一张照片，主体是{first.chinese}{kind}" + (f"。{perhaps}" if form == "long" else "")
    style = STYLES[seen.kind][1]
    colours = [_CHINESE[colour] for colour in seen.colours]
    if form == "tags":
        return "，".join([first.chinese, *colours, style, f"{_CHINESE[seen.ground]}背景", *first.chinese_tags])
    colour = "和".join(colours if form == "long" else colours[:1])
    said = f"{colour}的{first.chinese}" if colour else first.chinese
    if form == "short":
        return said
    where = f"{_CHINESE[seen.ground]}背景上的{said}，{style}"
    if form == "normal":
        return where
    return f"{where}。" + (f"标签：{'、'.join(first.chinese_tags)}。" if first.chinese_tags else "") + perhaps
