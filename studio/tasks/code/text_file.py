"""Text files as an editor has them, and back: all that the person did not touch stays as it is, byte for byte.

An editor knows one line end, and no encodings. A file may have three line ends, mixed, a mark at its beginning, an
encoding of twenty years ago, and no line end behind its last line.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from difflib import SequenceMatcher

from studio.errors import StudioError
from studio.media.encodings import encoding_of

_END = re.compile(r"(\r\n|\n|\r)")
_MARKS = {"utf-8-sig": codecs.BOM_UTF8, "utf-32": codecs.BOM_UTF32_LE}
_LONG = 20_000
"""Lines beyond which those that stay are found at both ends only."""


def read(data: bytes, name: str) -> str:
    """The text of a file, with line feeds alone.

    Raises:
        StudioError: not_a_text_file, where it is none, or would not be the same again.
    """
    return _END.sub("\n", _Form(data, name).text)


def written(data: bytes, text: str, name: str) -> bytes:
    """A file whose text was changed.

    Args:
        data: the file as it was.
        text: what its text is now, with line feeds alone.

    Raises:
        StudioError: not_a_text_file; not_in_encoding, where its encoding lacks a sign of the text.
    """
    form = _Form(data, name)
    alike = len(set(form.ends)) <= 1
    return form.encoded(text.replace("\n", form.usual) if alike else _mixed(form, text))


class _Form:
    """How a file writes its text."""

    def __init__(self, data: bytes, name: str) -> None:
        encoding = encoding_of(data)
        if encoding is None:
            raise StudioError("not_a_text_file", path=name)
        self._name, self._mark = name, b""
        if encoding == "utf-16":
            self._mark, data = data[:2], data[2:]
            encoding = "utf-16-le" if self._mark == codecs.BOM_UTF16_LE else "utf-16-be"
        elif encoding in _MARKS:
            self._mark = _MARKS[encoding]
            data, encoding = data.removeprefix(self._mark), "utf-8" if encoding == "utf-8-sig" else "utf-32-le"
        self._encoding = encoding
        try:
            self.text = data.decode(encoding)
            same = self.text.encode(encoding) == data
        except UnicodeError:
            same = False
        if not same or "\0" in self.text:
            raise StudioError("not_a_text_file", path=name)
        parts = _END.split(self.text)
        self.lines, self.ends = parts[::2], parts[1::2]

    @property
    def usual(self) -> str:
        """The line end that most of its lines have."""
        return Counter(self.ends).most_common(1)[0][0] if self.ends else "\n"

    def encoded(self, text: str) -> bytes:
        try:
            return self._mark + text.encode(self._encoding)
        except UnicodeEncodeError as error:
            sign, encoding = text[error.start : error.start + 1], self._encoding
            raise StudioError("not_in_encoding", path=self._name, sign=sign, encoding=encoding) from None


def _mixed(form: _Form, text: str) -> str:
    """A text of which each line that was there keeps its own end."""
    lines = text.split("\n")
    ends = [form.usual] * len(lines)
    for old, new, size in _kept(form.lines, lines):
        for at in range(size):
            if old + at < len(form.ends):
                ends[new + at] = form.ends[old + at]
    return "".join(line + end for line, end in zip(lines[:-1], ends, strict=False)) + lines[-1]


def _kept(before: list[str], after: list[str]) -> list[tuple[int, int, int]]:
    """Runs of lines that stay: where they begin before and after, and how many they are."""
    most = min(len(before), len(after))
    head = next((at for at in range(most) if before[at] != after[at]), most)
    tail = next((at for at in range(most - head) if before[-1 - at] != after[-1 - at]), most - head)
    runs = [(0, 0, head), (len(before) - tail, len(after) - tail, tail)]
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(old) + len(new) <= _LONG:
        blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
        runs += [(head + block.a, head + block.b, block.size) for block in blocks]
    return runs
