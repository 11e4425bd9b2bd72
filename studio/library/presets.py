"""Presets of a conversation: who the model is and how it is sampled, by names that a person gave. One file of JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.paths import opened, write
from studio.tasks.bounds import label

MOST, LONGEST = 200, 60
"""Presets that are kept, and letters of a name."""
_MAX_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Preset:
    """What a conversation is answered with.

    Attributes:
        parameters: by the names of a ChatRequest; what is left out is the model's default.
    """

    name: str
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Presets:
    """The presets in one file. Safe to use from several threads; of two programs the later one wins."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def all(self) -> tuple[Preset, ...]:
        """Every preset by its name's order; what makes no sense is left out."""
        try:
            found = self._read()
        except StudioError:
            return ()
        return tuple(preset for name in sorted(found, key=str.casefold) if (preset := _preset(name, found[name])))

    def save(self, preset: Preset) -> None:
        """Keep a preset, instead of the one that has its name.

        Raises:
            StudioError: empty, too_long or too_many; bad_file where the file is none of ours, which then stays as it
                is; the disk is full or refuses.
        """
        name = " ".join(preset.name.split())
        if not name:
            raise StudioError("empty", field=label("preset"))
        if len(name) > LONGEST:
            raise StudioError("too_long", field=label("preset"), count=len(name), limit=LONGEST)
        with self._lock:
            found = self._read()
            if name not in found and len(found) >= MOST:
                raise StudioError("out_of_range", field=label("presets"), value=len(found) + 1, low=0, high=MOST)
            self._write({**found, name: {"system": preset.system, **preset.parameters}})

    def delete(self, name: str) -> None:
        """Remove a preset; one that is gone already is no error. Raises StudioError as `save`."""
        with self._lock:
            found = self._read()
            if found.pop(name, None) is not None:
                self._write(found)

    def _read(self) -> dict[str, Any]:
        try:
            with opened(self._file) as file:
                found = json.loads(file.read(_MAX_BYTES).decode("utf-8-sig"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StudioError("bad_file", path=self._file.name, reason=error.strerror or str(error)) from None
        except (ValueError, RecursionError):
            raise StudioError("bad_file", path=self._file.name, reason="not JSON") from None
        if not isinstance(found, dict):
            raise StudioError("bad_file", path=self._file.name, reason="not a list of presets")
        return found

    def _write(self, found: Mapping[str, Any]) -> None:
        write(self._file, json.dumps(found, ensure_ascii=False, indent=2) + "\n")


def _preset(name: str, found: object) -> Preset | None:
    if not isinstance(found, dict) or not name.strip():
        return None
    system = found.get("system", "")
    parameters = {str(key): value for key, value in found.items() if key != "system"}
    return Preset(name, system if isinstance(system, str) else "", parameters)
