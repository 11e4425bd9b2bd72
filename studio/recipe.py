"""How an output was made: one JSON form for all five tasks, written into the file and read back from it.

    {"format": "atelier/1", "task": "image", "model": {"id", "title", "revision", "licence", "licence_url",
     "commercial"}, "parameters": {every field of the request}, "seed": 7, "made": "2026-01-31T12:00:00+00:00",
     "software": {"studio": "0.1.0", ...}, "device": "cpu", "finish": "stop", "seconds": 1.5}

Pictures also carry the `parameters` text that other web UIs read. Knows nothing of pixels or of folders; a
picture that was captioned is named by its hash, never kept. What is read back comes from strangers: it has
the shape above and is otherwise unchecked, so a request built from it goes through studio.limits like any other.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from studio import __version__, containers
from studio.cards import Card
from studio.types import TASKS, Message, Request

FORMAT = "atelier/1"
MAX_CHARACTERS = 6_000_000  # the longest code prefix and suffix, escaped
LIBRARIES = ("torch", "transformers", "diffusers", "xllamacpp")
_PLACES = ("recipe", "ICMT", "comment")
_IMAGE_DESCRIPTION = 0x010E


def make(
    request: Request,
    card: Card,
    *,
    revision: str = "",
    device: str = "cpu",
    finish: str = "stop",
    seconds: float = 0.0,
    made: datetime | None = None,
) -> dict[str, Any]:
    """The recipe of a run.

    Args:
        request: resolved, so that nothing in it is None.
        revision: the commit or hash of the files that ran; the catalogue's where it is empty.
        seconds: time of the run itself, without waiting and loading.
        made: when it was finished; now by default.
    """
    return {
        "format": FORMAT,
        "task": request.task,
        "model": {
            "id": card.id,
            "title": card.title,
            "revision": revision or card.source.revision or card.source.version,
            "licence": card.licence,
            "licence_url": card.licence_url,
            "commercial": card.commercial,
        },
        "parameters": parameters(request),
        "seed": request.seed,
        "made": (made or datetime.now(UTC)).isoformat(timespec="seconds"),
        "software": {"studio": __version__, **_versions()},
        "device": device,
        "finish": finish,
        "seconds": round(seconds, 3),
    }


def parameters(request: Request) -> dict[str, Any]:
    """Every field of the request that JSON can hold; bytes as their hash and size."""
    found: dict[str, Any] = {}
    for field in fields(request):
        value = getattr(request, field.name)
        if field.name in ("task", "model", "seed"):
            continue  # beside the parameters, not twice
        if isinstance(value, bytes):
            value = {"sha256": hashlib.sha256(value).hexdigest(), "bytes": len(value)}
        elif isinstance(value, tuple):
            value = [{"role": m.role, "content": m.content} if isinstance(m, Message) else m for m in value]
        found[field.name] = value
    return found


def for_seed(recipe: dict[str, Any], seed: int) -> dict[str, Any]:
    """The recipe that makes one picture or piece of a batch again, alone."""
    alone = {**recipe, "seed": seed}
    if "count" in recipe["parameters"]:
        alone["parameters"] = {**recipe["parameters"], "count": 1}
    return alone


def to_json(recipe: Mapping[str, Any], *, ascii_only: bool = False, indent: int | None = None) -> str:
    """The recipe as JSON text. `ascii_only` escapes everything else, for containers that know no encoding."""
    return json.dumps(recipe, ensure_ascii=ascii_only, indent=indent, allow_nan=False)


def from_json(text: str) -> dict[str, Any] | None:
    """The recipe in `text`, or None where there is none. Never raises, whatever it is given."""
    if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
        return None
    try:
        found = json.loads(text)
        to_json(found).encode()  # what cannot be written again (NaN, 1e999, half a surrogate pair) is not a recipe
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not str(found.get("format", "")).startswith("atelier/"):
        return None
    model, given = found.get("model"), found.get("parameters")
    if found.get("task") not in TASKS or not isinstance(given, dict) or not isinstance(model, dict):
        return None
    software = found.get("software")
    return {
        "format": FORMAT,
        "task": found["task"],
        "model": {
            **{key: _string(model.get(key)) for key in ("id", "title", "revision", "licence", "licence_url")},
            "commercial": model.get("commercial") is True,
        },
        "parameters": given,
        "seed": _number(found.get("seed"), int),
        "made": _string(found.get("made")),
        "software": {str(k): _string(v) for k, v in software.items()} if isinstance(software, dict) else {},
        "device": _string(found.get("device")),
        "finish": _string(found.get("finish")) or "stop",
        "seconds": _number(found.get("seconds"), float),
    }


def read(data: bytes) -> dict[str, Any] | None:
    """The recipe inside a PNG, JPEG, WebP, WAV or FLAC file, or a `.json` or `.txt` one; None where there is none.

    Reads containers only: no pixel and no sample is decoded. Never raises on hostile bytes.
    """
    found = containers.texts(data)
    candidates = [found[place] for place in _PLACES if place in found]
    if block := containers.exif(data):
        candidates.append(_description(block))
    if not candidates and len(data) <= MAX_CHARACTERS and data[:100].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        candidates.append(data.decode("utf-8-sig", "replace"))
    return next((recipe for text in candidates if (recipe := from_json(text))), None)


def parameters_text(recipe: Mapping[str, Any]) -> str:
    """The text that AUTOMATIC1111's parser and its relatives read: prompt, negative prompt, one line of settings.

    Values that hold a comma, a colon or a line break are quoted as JSON strings, as that parser expects.
    """
    given, model = recipe["parameters"], recipe["model"]
    settings = {
        "Steps": given.get("steps"),
        "Sampler": given.get("scheduler") or "Default",
        "CFG scale": given.get("guidance_scale"),
        "Seed": recipe["seed"],
        "Size": f"{given['width']}x{given['height']}" if "width" in given and "height" in given else None,
        "Model": model["title"] or model["id"],
        "Version": f"Atelier {recipe['software'].get('studio', '')}".strip(),
    }
    lines = [str(given.get("prompt", ""))]
    if negative := given.get("negative_prompt"):
        lines.append(f"Negative prompt: {negative}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings.items() if value is not None))
    return "\n".join(lines)


def _quoted(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if any(sign in text for sign in ",:\n") else text


def _description(block: bytes) -> str:
    from PIL import Image

    exif = Image.Exif()
    try:
        exif.load(block)
        value = exif.get(_IMAGE_DESCRIPTION)
    except Exception:  # a TIFF directory by a stranger's hand
        return ""
    if not isinstance(value, str):
        return ""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")  # pillow reads ASCII fields as Latin-1


def _string(value: object) -> str:
    return value[:1000] if isinstance(value, str) else ""


def _number(value: object, kind: type[int] | type[float]) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**64 or math.isnan(value):
        return kind(0)
    return kind(value)


@functools.cache
def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _versions() -> dict[str, str]:
    """Versions of the model libraries that this process has loaded: those that can have had a part in it."""
    return {name: version for name in LIBRARIES if name in sys.modules and (version := _version(name))}
