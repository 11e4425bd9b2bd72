"""Captions that stand in a list: metadata.jsonl, as ImageFolder of the datasets library reads it.

One JSON object a line, with `file_name` below the list's own folder and the caption in a column of its own. A list that
is there counts as captions; when a run writes captions, the same words go into it, and a roll-back takes them out
again. What else stands in it stays byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from studio import paths
from studio.errors import StudioError
from studio.tasks.caption import folder

COLUMNS = ("text", "caption", "prompt", "description")
"""Where the caption stands; the first of these that a line has."""
MOST_BYTES = 64_000_000


def captions(root: Path, keys: Iterable[str]) -> dict[str, str]:
    """What the lists in the folders of these pictures say of them; nothing of those that they do not name."""
    wanted = set(keys)
    found: dict[str, str] = {}
    for place in sorted({str(PurePosixPath(key).parent) for key in wanted} | {"."}):
        for line in _lines(_content(root, place)):
            row = _row(line)
            key = _key(place, row)
            column = _column(row)
            if key in wanted and column:
                found[key] = str(row[column]).strip()
    return {key: text for key, text in found.items() if text}


def write(root: Path, kept: Path, texts: Mapping[str, str], undone: Iterable[str]) -> None:
    """Put captions into the lists that name their pictures.

    Args:
        kept: a run's folder; each list is copied there before it is changed for the first time.
        texts: the captions that were written, by picture.
        undone: pictures whose captions were taken back; the list says of them again what it said at first.

    Raises:
        StudioError: the disk is full or refuses.
    """
    back = set(undone)
    for place in sorted({str(PurePosixPath(key).parent) for key in {*texts, *back}} | {"."}):
        now = _content(root, place)
        if not now:
            continue
        copy = kept / f"metadata-{hashlib.sha256(place.encode()).hexdigest()[:12]}.jsonl"
        first = copy.read_bytes() if copy.is_file() else now
        before = {_key(place, row): line for line in _lines(first) if (row := _row(line))}
        made = b"".join(_line(line, place, texts, before, back) for line in _lines(now))
        if made != now:
            if not copy.is_file():
                paths.put_file(copy, now)
            paths.put_file(folder.place(root, _name(place)), made)


def _line(line: bytes, place: str, texts: Mapping[str, str], before: Mapping[str, bytes], back: set[str]) -> bytes:
    row = _row(line)
    key = _key(place, row)
    if key in back and key in before:
        return before[key]
    column = _column(row)
    if key not in texts or not column or str(row[column]).strip() == texts[key].strip():
        return line
    end = line[len(line.rstrip(b"\r\n")) :]
    return json.dumps({**row, column: texts[key].strip()}, ensure_ascii=False).encode("utf-8", "surrogatepass") + end


def _content(root: Path, place: str) -> bytes:
    """The list in a folder; nothing where there is none that can be read."""
    try:
        with paths.opened(folder.place(root, _name(place))) as file:
            data = file.read(MOST_BYTES + 1)
        return data if len(data) <= MOST_BYTES else b""
    except (OSError, StudioError):
        return b""


def _name(place: str) -> str:
    return str(PurePosixPath(place) / folder.LISTING)


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def _row(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _key(place: str, row: Mapping[str, Any]) -> str:
    name = row.get("file_name")
    return str(PurePosixPath(place) / name.replace("\\", "/")) if isinstance(name, str) else ""


def _column(row: Mapping[str, Any]) -> str:
    return next((column for column in COLUMNS if isinstance(row.get(column), str)), "")
