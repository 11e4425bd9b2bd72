"""Negation in a prompt: "no drums or bass", "drumless", "not too fast", 没有鼓和贝斯.

A word that excludes reaches over the thing it stands before, and over a list of such things as far as grammar takes it:
"or" goes on, "and" goes on with things of the same kind, "but" and "with" end it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LISTING = (
    r"without|w/o|minus|except(?:\s+(?:for|from))?|excluding|exclude|excludes|avoid(?:ing)?|lacking|sans|omit(?:ting)?|"
    r"leave\s+out|leaving\s+out|remov(?:e|ing)|mut(?:e|ing)|skip(?:ping)?|free\s+of|free\s+from|devoid\s+of|ban|"
    r"instead\s+of|rather\s+than|apart\s+from|other\s+than|neither|"
    r"(?:everything|everyone|everybody|anything|anyone|all(?:\s+instruments)?)\s+(?:but|except(?:\s+for)?|besides|save)"
)
_CUE = re.compile(
    rf"(?<![\w'])(?:(?P<list>{_LISTING}|negative(?:\s+prompt)?(?=\s*[:=]))|"
    r"(?P<no>no(?:ne\s+of)?(?!\s+(?:more|less|later|later|slower|faster|longer|shorter|need|doubt|matter|problem)\b)"
    r"(?!\.\s*\d|\s+\d{1,2}\b(?!\s*(?:/|bpm|bars?)))|zero(?=\s+[a-z])|no\s+need\s+for|"
    r"(?:do|does|did|should|must|would|will|ca|could)(?:n't|nt|\s+not)\s+(?:(?:use|want|need|like|have|include|add|play|be|make|sound)\b)?|"
    r"(?:do|does|should|must|wo)(?:n't|nt)|never|without\s+any|do\s+not|non(?=[\s-]))|"
    r"(?P<not>(?:is|are|was)(?:n't|nt|\s+not)|not)(?!\s+(?:only|just|necessarily|bad|to\s+mention|until|yet|more|less|alone)\b))"
    r"(?![\w'])"
    r"|(?<![\w.,])(?P<dash>-)(?=[a-z])"
)
_CHINESE = re.compile(
    r"(?P<list>没有|没|不要用|不要有|不要|不带|不含|不加|不用|不使用|不需要|不想要|别用|别加|别要|不包括|不包含|无需|去掉|去除|除去|"
    r"负[面向]提示词?(?=\s*[:=])|反向提示词?(?=\s*[:=])|排除|避免|禁用|禁止|请勿|取消|省略|去|无(?![缝伴限尽比论穷])|(?<![特区告离分个级性差])别|除了|除(?=[^了去]{1,12}(?:以外|之外|外)))"
    r"|(?P<not>不太|不是|不那么|不会|并不|不(?![断错同仅但只少过知管协可])|非(?!常))"
)
_ALSO = re.compile(r"[^,。;]{0,16}?[,，]?\s*(?:还|也|又|再)")
"""除了钢琴还有小提琴 means both."""
_FILL = re.compile(
    r"(?:any|an?|the|too|very|so|much|many|of|using|uses?|played?|having|have|include|including|adding|add|want|need|"
    r"make|it|be|being|sounds?|sounding|like|quite|really|that|such|kinds?|types?|single|loud|extra|in|at|overly|"
    r"added|prominent|these|this|more|is|particularly|especially|"
    r"任何|太|很|那么|过于|过分|要|有|用|使用|带|是|演奏|出现|加|一点|什么|那种|特别)(?![a-z'])|\s+|[:=]\s*|-(?=[a-z])"
)
_OR, _AND, _COMMA = re.compile(r"\s*,?\s*(?:or|nor|/|\||或者|或|还是|、)\s*(?:any\s+)?"), re.compile(
    r"\s*,?\s*(?:and|&|\+|和|与|及|跟|以及)\s*"
), re.compile(r"\s*,\s*")  # fmt: skip
_BREAK = re.compile(r"[.;!?\n。；]|\b(?:but|with|just|only|yet|while|however|although)\b|但|而")
_COLON = re.compile(r"\s*[:=]")
"""What stands behind it is a list to its end: "exclude: drums, bass and piano"."""
_LESS = re.compile(r"[\s-]?(?:less|free)\b")
_AFTERWARDS = re.compile(
    r"\s*(?::|=|\bis\b|\bare\b)?\s*(?:off|none|excluded|omitted|removed|muted|not\s+(?:wanted|included|needed|allowed)|"
    r"not\s+(?:too|so|very)\s+\w+ly)(?![\w'])"
)


@dataclass(frozen=True)
class Item:
    """A word of music in a text: where it stands, and of which sort it is ("player", "style", "mood", …)."""

    start: int
    end: int
    sort: str


@dataclass(frozen=True)
class Denied:
    """Places of words that exclude, `cues`, and of the items that they exclude."""

    cues: tuple[tuple[int, int], ...]
    items: tuple[Item, ...]

    def has(self, start: int, end: int) -> bool:
        """Whether an item there is excluded."""
        return any(start < item.end and item.start < end for item in self.items)


def find_denied(text: str, items: Sequence[Item]) -> Denied:
    """What is excluded among the items of a text in small letters, items in the order of the text."""
    cues: list[tuple[int, int]] = []
    denied: list[Item] = []
    for match in (*_CUE.finditer(text), *_CHINESE.finditer(text)):
        if any(item.start <= match.start() < item.end for item in items):
            continue  # a part of a word of music
        if match[0].startswith("除") and _ALSO.match(text, match.end()):
            continue
        reached = _reach(text, match.end(), items, match.lastgroup or "")
        cues.append(match.span())
        denied += reached
    for item in items:
        less = _LESS.match(text, item.end) if item.sort == "player" else None
        if (match := less or _AFTERWARDS.match(text, item.end)) is not None:
            cues.append(match.span())
            denied.append(item)
    return Denied(tuple(cues), tuple(denied))


def _reach(text: str, place: int, items: Sequence[Item], cue: str) -> list[Item]:
    """The items from a place on that one word excludes."""
    reached: list[Item] = []
    whole = _COLON.match(text, place) is not None
    while True:
        found = _next(text, place, items, 0 if reached else 2)
        if found is None:
            return reached
        reached.append(found)
        place = found.end
        if (match := _OR.match(text, place)) is not None and match.end() > place:
            place = match.end()
            continue
        after = _AND.match(text, place)
        if after is not None and after.end() > place:
            follows = _next(text, after.end(), items, 0)
            if follows is not None and (
                whole or follows.sort == found.sort or (cue == "list" and follows.sort != "mood")
            ):
                place = after.end()
                continue
            return reached
        comma = _COMMA.match(text, place)
        if comma is not None and (whole or _lists(text, comma.end(), items, found.sort, cue)):
            place = comma.end()
            continue
        if cue in ("no", "list", "dash") and text[place : place + 1] in (" ", "-"):
            follows = next((item for item in items if item.start == place + 1), None)
            if follows is not None and found.sort != "player":  # "no fast drums": both
                place += 1
                continue
        return reached


def _next(text: str, place: int, items: Sequence[Item], strange: int) -> Item | None:
    """The item that stands at a place, behind words that say nothing and at most so many strange ones."""
    while place < len(text):
        here = next((item for item in items if item.start == place), None)
        if here is not None:
            return here
        fill = _FILL.match(text, place)
        if fill is not None and fill.end() > place:
            place = fill.end()
            continue
        word = re.match(r"[a-zà-ÿ][a-zà-ÿ'-]*", text[place:])
        if (
            word is None
            or strange == 0
            or _BREAK.match(text, place)
            or _AND.match(text, place)
            or _OR.match(text, place)
        ):
            return None
        place, strange = place + word.end(), strange - 1
    return None


def _lists(text: str, place: int, items: Sequence[Item], sort: str, cue: str) -> bool:
    """Whether a comma goes on with a list: one that "or" ends, or "and" where the cue governs lists."""
    while True:
        follows = _next(text, place, items, 0)
        if follows is None or follows.sort != sort:
            return False
        place = follows.end
        either, both, comma = _OR.match(text, place), _AND.match(text, place), _COMMA.match(text, place)
        if either is not None and either.end() > place:
            return True
        if both is not None and both.end() > place:
            return cue == "list"
        if comma is None:
            return False
        place = comma.end()
