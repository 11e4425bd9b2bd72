"""GGUF files: what one says about its model beside the weights, and its tokenizer as llama.cpp runs it.

The header is read once, without loading the model (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Tokens
are counted by llama.cpp itself, over the port that it opens on loopback: the library hands out no other way.
"""

from __future__ import annotations

import http.client
import json
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CONTROL = 3  # a token's type: it steers the model and is no text
_STRING, _ARRAY = 8, 9
_SIZES: Mapping[int, tuple[str, int]] = {
    0: ("B", 1), 1: ("b", 1), 2: ("H", 2), 3: ("h", 2), 4: ("I", 4), 5: ("i", 4), 6: ("f", 4), 7: ("?", 1),
    10: ("Q", 8), 11: ("q", 8), 12: ("d", 8),
}  # fmt: skip
_WANTED = ("tokenizer.chat_template", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type",
           "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_bos_token")  # fmt: skip
_MOST = 64 * 1024 * 1024
"""Bytes of a header that are looked at: the largest vocabularies and their merges take a quarter of it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A model's own words.

    Attributes:
        template: its chat template; empty where it has none, as base models have not.
        tokens: its vocabulary and the number of each token.
        special: tokens that are no text: they end a turn, open one, or mark a gap.
        bos, eos: the tokens that begin and end a text; empty where there is none.
    """

    template: str
    tokens: Mapping[str, int]
    special: frozenset[str]
    bos: str
    eos: str


def read_facts(file: Path) -> Facts:
    """What `file` says.

    Raises:
        ValueError: it is damaged.
    """
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        try:
            found = _Header(mapped[:_MOST]).read()
        except (struct.error, IndexError, OverflowError, MemoryError, RecursionError) as error:
            raise ValueError(f"its header cannot be read: {error}") from None
    tokens, kinds = found.get("tokenizer.ggml.tokens", []), found.get("tokenizer.ggml.token_type", [])
    if not isinstance(tokens, list) or not isinstance(kinds, list):
        raise ValueError("its vocabulary is none")

    def token(key: str) -> str:
        at = found.get(f"tokenizer.ggml.{key}_token_id")
        return str(tokens[at]) if isinstance(at, int) and 0 <= at < len(tokens) else ""

    special = frozenset(str(text) for text, kind in zip(tokens, kinds, strict=False) if kind == _CONTROL and text)
    template = found.get("tokenizer.chat_template", "")
    numbers = {str(text): number for number, text in enumerate(tokens)}
    return Facts(template if isinstance(template, str) else "", numbers, special, token("bos"), token("eos"))


class _Header:
    """The keys and values at the beginning of a GGUF file."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self) -> dict[str, Any]:
        if self._data[:4] != b"GGUF":
            raise ValueError("it is not a GGUF file")
        self._at = 16  # magic, version and the number of tensors
        found: dict[str, Any] = {}
        for _ in range(self._number("Q", 8)):
            key = self._text().decode("utf-8", "replace")
            value = self._value(self._number("I", 4), key in _WANTED)
            if key in _WANTED:
                found[key] = value
        return found

    def _number(self, form: str, size: int) -> int:
        (value,) = struct.unpack_from("<" + form, self._data, self._at)
        self._at += size
        return value

    def _text(self) -> bytes:
        length = self._number("Q", 8)
        if length > len(self._data) - self._at:
            raise ValueError("a text reaches beyond its header")
        self._at += length
        return self._data[self._at - length : self._at]

    def _value(self, kind: int, wanted: bool) -> Any:
        if kind == _STRING:
            return self._text().decode("utf-8", "replace")
        if kind != _ARRAY:
            if kind not in _SIZES:
                raise ValueError(f"a value of the unknown kind {kind}")
            return self._number(*_SIZES[kind])
        inner, count = self._number("I", 4), self._number("Q", 8)
        if count > len(self._data) - self._at:
            raise ValueError("a list reaches beyond its header")
        if inner in _SIZES:
            form, size = _SIZES[inner]
            begin, self._at = self._at, self._at + size * count
            return list(struct.unpack_from(f"<{count}{form}", self._data, begin)) if wanted else []
        if inner == _STRING and not wanted:
            for _ in range(count):
                self._text()
            return []
        return [self._value(inner, wanted) for _ in range(count)]


class Tokenizer:
    """The model's own tokenizer, asked over the loopback port of its server."""

    def __init__(self, address: str, key: str) -> None:
        """Args: address: as the server says it, ``http://127.0.0.1:4711``; key: what it lets in."""
        host, _, port = address.rpartition("//")[2].rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=120)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def tokens(self, text: str, *, special: bool = False, opening: bool = False) -> list[int]:
        """`text` as tokens.

        Args:
            special: special tokens in the text are read as such, not letter by letter.
            opening: put the token in front that begins a text, where the model wants one.

        Raises:
            OSError: the server does not answer.
        """
        body = json.dumps({"content": text, "parse_special": special, "add_special": opening})
        for last in (False, True):
            try:
                self._connection.request("POST", "/tokenize", body, self._headers)
                return json.loads(self._connection.getresponse().read())["tokens"]
            except (http.client.HTTPException, OSError):  # it was idle for long, and the server hung up
                self._connection.close()
                if last:
                    raise
        return []

    def close(self) -> None:
        self._connection.close()
