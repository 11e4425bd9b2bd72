"""Header of a GGUF file: what it says of its model, and which tensors it holds, without reading a weight.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_STRING, _ARRAY = 8, 9
_SIZES: Mapping[int, tuple[str, int]] = {
    0: ("B", 1), 1: ("b", 1), 2: ("H", 2), 3: ("h", 2), 4: ("I", 4), 5: ("i", 4), 6: ("f", 4), 7: ("?", 1),
    10: ("Q", 8), 11: ("q", 8), 12: ("d", 8),
}  # fmt: skip
MOST = 64 * 1024 * 1024
"""Bytes of a header that are looked at: the largest vocabularies and their merges take a quarter of it."""
_BLOCKS: Mapping[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    39: (32, 17),
}  # fmt: skip
"""Kind of a tensor -> numbers in a block of it, and bytes of one."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in front of the weights.

    Attributes:
        values: by key, those that were asked for.
        keys: of all values, those that were passed over included.
        shapes: tensor -> its shape, in the order in which torch writes it; empty where nobody asked.
        kinds: tensor -> the number of its type.
        nbytes: of the whole file, as the header promises it; 0 where nobody asked.
    """

    values: Mapping[str, Any]
    keys: frozenset[str]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    nbytes: int = 0


class NotLong(Container[str]):
    """Asks for every value but the long lists: vocabularies."""

    def __contains__(self, key: object) -> bool:
        return not str(key).startswith("tokenizer.ggml.") or key in ("tokenizer.ggml.model", "tokenizer.ggml.pre")


def read_header(file: Path, wanted: Container[str], tensors: bool = False, until: str = "") -> Header:
    """The header of `file`.

    Args:
        wanted: keys whose values are kept.
        tensors: go on to the table of tensors.
        until: stop in front of this key, where it comes: a vocabulary takes as long as all the rest.

    Raises:
        ValueError: it is damaged, or no GGUF file.
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise ValueError("it is not a GGUF file")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            try:
                return _Reader(mapped[:MOST]).read(wanted, tensors, until)
            except (struct.error, IndexError, OverflowError, MemoryError, RecursionError) as error:
                raise ValueError(f"its header cannot be read: {error}") from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 8  # behind magic and version

    def read(self, wanted: Container[str], tensors: bool, until: str) -> Header:
        count, pairs = self._number("Q", 8), self._number("Q", 8)
        found: dict[str, Any] = {}
        keys: set[str] = set()
        for _ in range(pairs):
            key = self._text().decode("utf-8", "replace")
            keys.add(key)
            if until and key == until:
                return Header(found, frozenset(keys))
            value = self._value(self._number("I", 4), key in wanted)
            if key in wanted:
                found[key] = value
        if not tensors:
            return Header(found, frozenset(keys))
        shapes, kinds, end = self._tensors(count)
        align = found.get("general.alignment", 32)
        align = align if isinstance(align, int) and align > 0 else 32
        nbytes = -(-self._at // align) * align + end
        return Header(found, frozenset(keys), shapes, kinds, nbytes)

    def _tensors(self, count: int) -> tuple[dict[str, tuple[int, ...]], dict[str, int], int]:
        shapes: dict[str, tuple[int, ...]] = {}
        kinds: dict[str, int] = {}
        end = 0
        for _ in range(count):
            name = self._text().decode("utf-8", "replace")
            sides = [self._number("Q", 8) for _ in range(self._number("I", 4))]
            kind, offset = self._number("I", 4), self._number("Q", 8)
            numbers = 1
            for side in sides:
                numbers *= side
            block, size = _BLOCKS.get(kind, (1, 0))
            end = max(end, offset + numbers // block * size)
            shapes[name], kinds[name] = tuple(reversed(sides)), kind
        return shapes, kinds, end

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
