"""Detectors of faces and hands: folders with a config.json and safetensors, by their names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.paths import Home
from studio.requests import ImageRequest, Request
from studio.tasks.image.control_files import CONFIG, hashes_of, weights
from studio.tasks.image.limits import PLAIN_NAME

KINDS = ("yolos", "detr", "conditional_detr", "rt_detr", "rt_detr_v2")
"""Detectors that transformers builds from their own configuration alone, by its `model_type`."""


class Detectors:
    """The detectors that lie ready in home/detectors. None on a public studio."""

    def __init__(self, home: Home, *, public: bool = False) -> None:
        self._folder, self._public = home.detectors, public

    def folders(self) -> tuple[Path, ...]:
        return () if self._public else (self._folder,)

    def names(self) -> tuple[str, ...]:
        try:
            inside = [] if self._public else sorted(self._folder.iterdir(), key=lambda one: one.name.casefold())
        except OSError:
            return ()
        return tuple(each.name for each in inside if PLAIN_NAME.fullmatch(each.name) and _kind(each))

    def require(self, request: ImageRequest) -> None:
        """Raise StudioError where a detector of a request is not here or of no kind that is read: not_for_public,
        no_detector, detector_form.
        """
        if request.details and self._public:
            raise StudioError("not_for_public")
        for detail in request.details:
            place = find(detail.detector, self.folders())
            if place is None:
                known = ", ".join(self.names()[:20]) or "–"
                raise StudioError("no_detector", name=detail.detector, path=str(self._folder), known=known)
            check(detail.detector, place)


def find(name: str, folders: Sequence[Path]) -> Path | None:
    """The folder of a detector: of the first of `folders` which has one of this name. Names lead out of no folder."""
    if not PLAIN_NAME.fullmatch(name):
        return None
    return next((folder / name for folder in folders if _kind(folder / name)), None)


def check(name: str, place: Path) -> None:
    """Raise StudioError (detector_form) where a detector cannot be read here."""
    config = read_config(place)
    kind = _kind(place)
    # a backbone of another library is not in the folder, or needs a package that is not here
    foreign = config.get("use_timm_backbone") or config.get("use_pretrained_backbone") or config.get("backbone")
    if kind not in KINDS or foreign:
        raise StudioError("detector_form", name=name, form=f"{kind}, timm" if foreign else kind or "?")


def read_config(place: Path) -> dict[str, Any]:
    """The configuration of what lies at `place`; empty where there is none."""
    try:
        found = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def hashes(requests: Iterable[Request | None], folders: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by name of the weights of every detector that the requests use; without those that cannot be read."""
    used = {one.detector for request in requests for one in getattr(request, "details", ())}
    return hashes_of((name, find(name, folders)) for name in used)


def _kind(place: Path) -> str:
    """The kind of detector in a folder, by its configuration; "" where there is none with weights."""
    config = read_config(place)
    made = config.get("architectures")
    named = str(made[0]) if isinstance(made, list) and made else ""
    if not named.endswith("ForObjectDetection") or weights(place) is None:
        return ""
    return str(config.get("model_type", ""))[:60]
