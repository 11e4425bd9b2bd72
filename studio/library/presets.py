"""Presets of a tab: how something is made, by names that a person gave. One file of JSON a task."""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.paths import opened, write
from studio.recipes.untrusted import clean
from studio.requests import Task
from studio.tasks.bounds import label

MOST, LONGEST, MOST_PICTURE = 200, 60, 12_000
"""Presets that are kept, letters of a name, and bytes of a small picture."""
_MAX_BYTES = 8_000_000
_MOST_VALUES = 300_000
"""Bytes of one preset as JSON, without its picture: there is room for a long system prompt and a schema."""
_PICTURE = "picture"
TABS: tuple[Task, ...] = ("chat", "image", "music", "code", "caption")


@dataclass(frozen=True, slots=True)
class Preset:
    """How something is made.

    Attributes:
        values: by the names of the task's request; what is left out is the model's default. As they stand in a file
            that anybody may have written (studio.library.preset_values).
        picture: a small WebP of what it makes; empty for none.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    picture: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """What one step did to the file, so that it can be taken back: name -> what stood there, and stands there now."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]


class Presets:
    """The presets in one file. Safe to use from several threads; of two programs the later one wins."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def all(self) -> tuple[Preset, ...]:
        """Every preset by its name's order; what makes no sense is left out."""
        try:
            return self.read()
        except StudioError:
            return ()

    def read(self) -> tuple[Preset, ...]:
        """As `all`. Raises StudioError bad_file where the file is none of ours or damaged; it stays as it is."""
        found = self._read()
        return tuple(preset for name in sorted(found, key=str.casefold) if (preset := _preset(name, found[name])))

    def find(self, name: str) -> Preset | None:
        """The preset of that name. Raises StudioError as `read`."""
        found = self._read()
        return _preset(name, found[name]) if name in found else None

    def save(self, preset: Preset) -> Change:
        """Keep a preset, instead of the one that has its name.

        Raises:
            StudioError: empty, too_long, out_of_range where there are too many; not_a_number; bad_file where the file
                is none of ours, which then stays as it is; the disk is full or refuses.
        """
        name, held = called(preset.name), _plain(preset.values)
        if preset.picture and len(preset.picture) <= MOST_PICTURE:
            held[_PICTURE] = base64.b64encode(preset.picture).decode()

        def saved(found: dict[str, Any]) -> dict[str, Any]:
            if name not in found and len(found) >= MOST:
                raise StudioError("out_of_range", field=label("presets"), value=len(found) + 1, low=0, high=MOST)
            return {name: held}

        return self._change(saved)

    def rename(self, old: str, new: str) -> Change:
        """Give a preset another name.

        Raises:
            StudioError: preset_unknown, preset_exists; else as `save`.
        """
        name = called(new)

        def renamed(found: dict[str, Any]) -> dict[str, Any]:
            if old not in found:
                raise StudioError("preset_unknown", name=old[:LONGEST])
            if name in found:
                raise StudioError("preset_exists", name=name)
            return {old: None, name: found[old]}

        return self._change(renamed)

    def delete(self, name: str) -> Change:
        """Remove a preset; one that is gone already is no error. Raises StudioError as `save`."""
        return self._change(lambda found: {name: None} if name in found else {})

    def undo(self, change: Change) -> None:
        """Take a step back. Raises StudioError preset_changed where it was followed by another; else as `save`."""

        def undone(found: dict[str, Any]) -> Mapping[str, Any]:
            if any(found.get(name) != held for name, held in change.after.items()):
                raise StudioError("preset_changed")
            return change.before

        self._change(undone)

    def _change(self, step: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Change:
        """Do a step: it is told what the file holds, and says what is to stand at which names, None for nothing."""
        with self._lock:
            found = self._read()
            after = step(found)
            before = {name: found.get(name) for name in after}
            if after:
                whole = {name: held for name, held in {**found, **after}.items() if held is not None}
                data = (json.dumps(whole, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")
                if len(data) > _MAX_BYTES:  # it would not be read again
                    raise StudioError("too_long", field=label("presets"), count=len(data), limit=_MAX_BYTES)
                write(self._file, data)
        return Change(before, after)

    def _read(self) -> dict[str, Any]:
        try:
            with opened(self._file) as file:
                found = json.loads(file.read(_MAX_BYTES).decode("utf-8-sig"), parse_constant=lambda _: None)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StudioError("bad_file", path=self._file.name, reason=error.strerror or str(error)) from None
        except (ValueError, RecursionError):
            raise StudioError("bad_file", path=self._file.name, reason="not JSON") from None
        if not isinstance(found, dict):
            raise StudioError("bad_file", path=self._file.name, reason="not a list of presets")
        return found


def of_tasks(file: Callable[[Task], Path], *, public: bool) -> dict[Task, Presets]:
    """The presets of each tab, by the file that a task has; none on a public studio, which keeps nothing."""
    return {} if public else {task: Presets(file(task)) for task in TABS}


def called(name: str) -> str:
    """A name as it is kept: one line of what can be shown. Raises StudioError empty, too_long."""
    found = " ".join(clean(name, 10 * LONGEST).split())
    if not found:
        raise StudioError("empty", field=label("preset"))
    if len(found) > LONGEST:
        raise StudioError("too_long", field=label("preset"), count=len(found), limit=LONGEST)
    return found


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they come back from the file. Raises StudioError not_a_number, too_long."""
    try:
        written = json.dumps(dict(values), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    except ValueError:
        raise StudioError("not_a_number", field=label("preset_values")) from None
    if len(written) > _MOST_VALUES:
        raise StudioError("too_long", field=label("preset_values"), count=len(written), limit=_MOST_VALUES)
    return json.loads(written)


def _preset(name: str, found: object) -> Preset | None:
    if not isinstance(found, dict) or not name.strip():
        return None
    return Preset(name, {key: value for key, value in found.items() if key != _PICTURE}, _picture(found.get(_PICTURE)))


def _picture(found: object) -> bytes:
    """The picture in a file, where it is one that we wrote there; else none."""
    if not isinstance(found, str) or len(found) > 2 * MOST_PICTURE:
        return b""
    try:
        data = base64.b64decode(found, validate=True)
    except (ValueError, binascii.Error):
        return b""
    return data if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) <= MOST_PICTURE else b""
