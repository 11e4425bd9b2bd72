"""The journal of a run: one line a picture, on disk before the caption is.

Only ever added to, and each line is on the disk itself before anything else happens. What a crash left of a last line
is cut off when the journal is opened to be written again, and not seen before that.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, get_args

from studio.media.encodings import decoded
from studio.paths import disk_error

State = Literal["planned", "written", "same", "skipped", "failed", "typed", "undone", "kept"]
STATES: tuple[State, ...] = get_args(State)
"""planned: shown, not written. same: the file holds that already. typed: a person's own words since. undone: rolled
back. kept: not rolled back, since somebody changed the file."""
FINISHED, ROLLED_BACK = "finished", "rolled back"


@dataclass(frozen=True, slots=True)
class Line:
    """What happened to one picture.

    Attributes:
        before: the caption file as it was, byte for byte; None where there was none.
        after: what it holds then.
        tokens, cut: of `after`, and what the token guard took from the caption.
        listed: what a list of captions said, where the file had no words.
        unsure: how sure the model was of a caption that it was not certain of, in percent; else 0.
        error, params: why it failed, as a StudioError's.
    """

    key: str
    state: State
    before: bytes | None = field(default=None, repr=False)
    after: str = ""
    tokens: int = 0
    cut: str = ""
    listed: str = ""
    unsure: int = 0
    error: str = ""
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def old(self) -> str:
        """The text that was there, as far as it is text."""
        text = decoded(self.before or b"")
        return ((self.before or b"").decode("utf-8", "replace") if text is None else text) or self.listed

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"picture": self.key, "state": self.state}
        if self.before is not None:
            try:
                found["before"] = self.before.decode()
            except UnicodeDecodeError:
                found["before_base64"] = base64.b64encode(self.before).decode()
        found["after"] = self.after
        more = {name: getattr(self, name) for name in ("tokens", "cut", "listed", "unsure", "error", "params")}
        return found | {name: value for name, value in more.items() if value}

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self | None:
        """The line that `as_json` made; None where it is none."""
        key, state, after = found.get("picture"), found.get("state"), found.get("after", "")
        if not isinstance(key, str) or state not in STATES or not isinstance(after, str):
            return None
        before: bytes | None = None
        if isinstance(text := found.get("before"), str):
            before = text.encode()
        elif isinstance(packed := found.get("before_base64"), str):
            before = base64.b64decode(packed)
        return cls(
            key, state, before, after, int(found.get("tokens", 0)), str(found.get("cut", "")),
            str(found.get("listed", "")), int(found.get("unsure", 0)),
            str(found.get("error", "")), dict(found.get("params", {})),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Story:
    """What a journal tells: the last line of each picture, and what happened to the whole run."""

    lines: dict[str, Line]
    events: tuple[str, ...] = ()


class Journal:
    """A journal that is being written.

    Raises:
        StudioError: the disk is full or refuses; here and from each method.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: BinaryIO = path.open("ab")
            whole = _whole(path)
            if path.stat().st_size > whole:
                self._file.truncate(whole)
                os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(error, path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, lines: Iterable[Line]) -> None:
        """Write lines; they are on the disk when this returns."""
        self._put([line.as_json() for line in lines])

    def tell(self, event: str) -> None:
        """Write what happened to the whole run."""
        self._put([{"event": event}])

    def _put(self, found: list[dict[str, Any]]) -> None:
        if not found:
            return
        packed = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found).encode("utf-8", "surrogatepass")
        try:
            self._file.write(packed)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(error, self._path) from error


def read_journal(path: Path) -> Story:
    """What is in a journal; a line that a crash cut short is left out. An empty story where there is no file."""
    lines: dict[str, Line] = {}
    events: list[str] = []
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Story({})
    except OSError as error:
        raise disk_error(error, path) from error
    for packed in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            found = json.loads(packed)
            if isinstance(found, dict) and "event" in found:
                events.append(str(found["event"]))
            elif isinstance(found, dict) and (line := Line.of(found)):
                lines[line.key] = line
        except (ValueError, RecursionError):
            continue
    return Story(lines, tuple(events))


def _whole(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    return path.read_bytes().rfind(b"\n") + 1
