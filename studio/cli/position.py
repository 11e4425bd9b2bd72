"""FILE:LINE:COL as editors print it, and the code on both sides of that place.

Lines and columns count from 1; a column is one character, a tab too. A line ends at a line feed, so that every
other character, a carriage return included, reaches the model as it is in the file.
"""

from __future__ import annotations

import re
import sys
from codecs import BOM_UTF8
from pathlib import Path

from studio.errors import StudioError
from studio.paths import gigabytes, put_file
from studio.tasks.code.languages import of_file
from studio.tasks.limits import TEXTS

MAX_BYTES = 50_000_000
_PLACE = re.compile(r"(?P<file>.+?)(?::(?P<line>\d{1,9}))?(?::(?P<column>\d{1,9}))?", re.DOTALL)


def around(place: str) -> tuple[str, str, str]:
    """Text before the place, text after it, and the language that the file's name tells.

    Args:
        place: ``file:line:column``; without a column the end of the line, without a line the end of the file.
            A file called ``-`` is standard input.

    Raises:
        StudioError: file_not_found, file_too_large, not_text, bad_position.
    """
    name, line, column = _read_place(place)
    text = read_text(name)
    at = len(text) if line is None else _offset(text, name, line, column)
    limit = TEXTS["code"]["prefix"].high  # far more than any model reads; an engine notes what it leaves out
    return text[max(at - limit, 0) : at], text[at : at + limit], of_file(name)


def file_of(place: str) -> str:
    """The file of a place. Raises StudioError: file_not_found."""
    return _read_place(place)[0]


def put_in(place: str, prefix: str, suffix: str, text: str) -> None:
    """Write `text` at a place into its file, which stays as it is in everything else: mark, line ends, permissions.

    Args:
        prefix, suffix: what `around` said of the place. Nothing is written where that is not so any more.

    Raises:
        StudioError: file_changed; as `around`; the disk is full or refuses.
    """
    name, line, column = _read_place(place)
    data = read_bytes(name, MAX_BYTES)
    mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
    try:
        whole = data.removeprefix(mark).decode()
    except UnicodeDecodeError:
        raise StudioError("file_changed", path=name) from None
    at = len(whole) if line is None else _offset(whole, name, line, column)
    if not (whole[:at].endswith(prefix) and whole[at:].startswith(suffix)):
        raise StudioError("file_changed", path=name)
    put_file(Path(name).resolve(), mark + (whole[:at] + text + whole[at:]).encode())


def _read_place(place: str) -> tuple[str, int | None, int | None]:
    """File, line and column of a place. Raises StudioError: file_not_found."""
    found = _PLACE.fullmatch(place)
    if found is None:
        raise StudioError("file_not_found", path=place)
    name = found["file"]
    if not Path(name).exists() and Path(place).exists():  # a name that looks like a place
        return place, None, None
    line, column = (int(found[key]) if found[key] else None for key in ("line", "column"))
    return name, line, column


def read_text(name: str, field: str = "field.code") -> str:
    """A file, or standard input for ``-``, as UTF-8 text; `field` is what an error calls standard input.

    Raises:
        StudioError: file_not_found, file_too_large, not_text.
    """
    try:
        return read_bytes(name, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StudioError("not_text", field=field if name == "-" else name) from None


def read_bytes(name: str, limit: int) -> bytes:
    """A file, or standard input for ``-``, up to `limit` bytes.

    Raises:
        StudioError: file_not_found, file_too_large, file_empty.
    """
    try:
        if name == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(limit + 1)
    except (OSError, ValueError):
        raise StudioError("file_not_found", path=name) from None
    if len(data) > limit:
        raise StudioError("file_too_large", size=f"> {gigabytes(limit)}", limit=gigabytes(limit))
    if not data and name != "-":
        raise StudioError("file_empty", path=name)
    return data


def _offset(text: str, name: str, line: int, column: int | None) -> int:
    """Where a line and column lie in the text. The place behind a line's last character is one too."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        raise StudioError("bad_position", path=name, line=line, column=column or 1)
    length = len(lines[line - 1].removesuffix("\r"))
    column = length + 1 if column is None else column
    if not 1 <= column <= length + 1:
        raise StudioError("bad_position", path=name, line=line, column=column)
    return sum(len(one) + 1 for one in lines[: line - 1]) + column - 1
