"""Plan of a run, as a file: home/captions/<id>/run.json."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from studio import paths
from studio.errors import StudioError
from studio.requests import CaptionRequest
from studio.tasks.caption import edits
from studio.tasks.caption.edits import Edits, Mode
from studio.tasks.caption.folder import Passed

FORMAT = "atelier-captions/1"
NAME = "run.json"
BLANK = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj1WAAAAABJRU5ErkJggg==")
"""The smallest picture: it stands for all of a run while its request is checked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    Attributes:
        root: the folder of the pictures; empty where they lie in the run's own.
        keys: the pictures, in order. passed: files that were passed over.
        renamed: (name in a zip, name here), where these differ.
        dry: only show what would be written.
        settings: fields of the caption request, without its picture; filled in once the run has begun.
    """

    root: str
    keys: tuple[str, ...]
    mode: Mode = "skip"
    edits: Edits = field(default_factory=Edits)
    recursive: bool = False
    dry: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    passed: tuple[Passed, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()


def write_plan(place: Path, plan: Plan) -> None:
    """Keep a plan. Raises StudioError where the disk is full or refuses."""
    packed = json.dumps({"format": FORMAT, **asdict(plan)}, ensure_ascii=False, indent=1)
    paths.write(place / NAME, packed)


def read_plan(place: Path) -> Plan:
    """The plan in a run's folder. Raises StudioError unknown_caption_run where there is none, or it is damaged."""
    try:
        found = json.loads((place / NAME).read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT or found["mode"] not in edits.MODES:
            raise ValueError
        given = found["edits"]
        replaced = tuple((str(find), str(put)) for find, put in given["replace"])
        found["edits"] = Edits(**{**given, "ban": tuple(given["ban"]), "replace": replaced})
        found["keys"] = tuple(found["keys"])
        found["passed"] = tuple(Passed(**one) for one in found["passed"])
        found["renamed"] = tuple((str(old), str(new)) for old, new in found.get("renamed", ()))
        return Plan(**found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StudioError("unknown_caption_run", id=place.name) from None


def as_settings(request: CaptionRequest) -> dict[str, Any]:
    """A caption request without its picture, as JSON can hold it."""
    found = {one.name: getattr(request, one.name) for one in fields(request) if one.name not in ("image", "task")}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def as_request(settings: Mapping[str, Any]) -> CaptionRequest:
    """The request that `as_settings` packed; what it does not know is left out. It is checked like any other."""
    known = {one.name for one in fields(CaptionRequest)} - {"image", "task"}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items() if name in known
    }
    return CaptionRequest(image=b"", **given)
