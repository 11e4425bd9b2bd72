"""Whole words for a small captioner: what it names it says in full, or not at all.

A decoder that spells names piece by piece sometimes leaves a piece out. Here every token must go on with one of the
phrases that may be said: the names and tags of what was found, and the words between them. Bytes, not letters, because
a token may end inside of a letter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

NAME = "words.json"
_COLOURS = {
    "en": "red,orange,yellow,green,light green,teal,light blue,blue,dark blue,purple,pink,magenta,brown,beige,black,"
    "dark gray,gray,light gray,white",
    "zh": "红色,橙色,黄色,绿色,浅绿色,青色,浅蓝色,蓝色,深蓝色,紫色,粉色,洋红色,棕色,米色,黑色,深灰色,灰色,浅灰色,白色",
}
_BETWEEN = {
    "en": "a|an| | and | or | on |, |. |.|(|)|a photo of |photo|background|Tags: |It could also be |in |as a |flat|"
    "glossy 3D|cartoon|style|line drawing|silhouette",
    "zh": "，|。|、|和|或|的|（|）|一张照片，主体是|照片|背景|背景上的|标签：|也可能是|扁平风格|立体光泽风格|卡通风格|"
    "线条画|剪影",
}
_NEAR = 48
"""Of the likeliest tokens, those that are looked at first."""


def read_things(files: Path) -> list[list[str]] | None:
    """Of each thing by its number: English, Chinese, tags of both with commas. None where the model has no list."""
    try:
        rows = [str(row).split("|") for row in json.loads((files / NAME).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None
    return [row for row in rows if len(row) == 4]


def phrases(names: Sequence[Sequence[str]], things: Iterable[int], language: str) -> list[str]:
    """What may be said of these things; numbers without a name stand for nothing."""
    found = [*_COLOURS[language].split(","), *_BETWEEN[language].split("|")]
    for row in (names[thing] for thing in things if thing < len(names)):
        name, tags = (row[0], row[2]) if language == "en" else (row[1], row[3])
        found += [name, *tags.split(",")]
    return [phrase for phrase in found if phrase]


class Lexicon:
    """One caption's words as they come.

    Args:
        phrases: what it is put together from; each is said to its end before the next begins. Between two Latin words
            there is something that is no letter: "animal" and "silhouette" do not make one.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._root: dict[Any, Any] = {}
        for phrase in phrases:
            node = self._root
            for byte in phrase.encode():
                node = node.setdefault(byte, {})
            node[None] = True
        self._nodes: list[dict[Any, Any]] = [self._root]
        self._last = 0

    def allows(self, data: bytes) -> bool:
        """Whether the caption can go on with these bytes."""
        return bool(self._after(data))

    def whole(self) -> bool:
        """Whether no phrase is left unfinished."""
        return any(node is self._root for node in self._nodes)

    def feed(self, data: bytes) -> None:
        """Go on with these bytes; what fits nowhere begins anew."""
        self._nodes = self._after(data) or [self._root]
        self._last = data[-1] if data else self._last

    def _after(self, data: bytes) -> list[dict[Any, Any]]:
        nodes, last = self._nodes, self._last
        for byte in data:
            glued = chr(last).isalnum() and chr(byte).isalnum() and last < 128 and byte < 128
            found = [node[byte] for node in nodes if byte in node and not (glued and node is self._root)]
            last = byte
            nodes = [*found, *([self._root] if any(None in node for node in found) else [])]
        return nodes


def held(tokenizer: Any, lexicons: Sequence[Lexicon], ends: set[int]) -> Any:
    """A logits processor that keeps each row to its lexicon, for temperatures as well as for the likeliest token."""
    from transformers import LogitsProcessor

    spelt = _spelt(tokenizer)

    class _Held(LogitsProcessor):
        def __init__(self) -> None:
            self._length = 0

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            import torch

            if self._length:
                for row, lexicon in enumerate(lexicons):
                    lexicon.feed(b"".join(spelt[token] for token in input_ids[row, self._length :].tolist()))
            self._length = int(input_ids.shape[1])
            for row, lexicon in enumerate(lexicons):
                for near in (_NEAR, scores.shape[1]):
                    likely = scores[row].topk(min(near, scores.shape[1]))
                    kept = [token for token, score in zip(likely.indices.tolist(), likely.values.tolist(), strict=True)
                            if score > float("-inf") and _fits(lexicon, token)]  # fmt: skip
                    if kept:
                        only = torch.full_like(scores[row], float("-inf"))
                        only[kept] = scores[row][kept]
                        scores[row] = only
                        break
            return scores

    def _fits(lexicon: Lexicon, token: int) -> bool:
        if token in ends:
            return lexicon.whole()
        return bool(spelt[token]) and lexicon.allows(spelt[token])

    return _Held()


def broken(text: str, names: Iterable[Sequence[str]]) -> list[str]:
    """The words of an English caption that no name, tag, colour or phrase has."""
    return [word for word in re.findall(r"[^\W\d_]+", text) if word.lower() not in _words(tuple(map(tuple, names)))]


@cache
def _words(names: tuple[tuple[str, ...], ...]) -> frozenset[str]:
    said = " ".join((_COLOURS["en"], _BETWEEN["en"], *(f"{row[0]} {row[2]}" for row in names)))
    return frozenset(re.findall(r"[^\W\d_]+", said.lower()))


@cache
def _letters() -> dict[str, int]:
    """The byte that each sign of a byte-level tokenizer stands for."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _spelt(tokenizer: Any) -> list[bytes]:
    """The bytes of each token; none for those that are no text."""
    special, letters = set(tokenizer.all_special_ids), _letters()
    return [
        b"" if index in special else bytes(letters[sign] for sign in token)
        for index, token in enumerate(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
    ]
