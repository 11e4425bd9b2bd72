"""Recipe of an output: one JSON form for all five tasks, written into the file and read back from it.

    {"format": "atelier/1", "task": "image", "model": {"id", "title", "revision", "licence", "licence_url",
     "commercial"}, "parameters": {every field of the request}, "seed": 7, "made": "2026-01-31T12:00:00+00:00",
     "software": {"studio": "0.1.0", ...}, "device": "cpu", "hardware": "…", "finish": "stop",
     "seconds": 1.5}

Music also says what is `played` (studio.tasks.music.performance), pictures carry the text that other web UIs read
(studio.recipes.infotext), and what was made from a file that tells how it was made itself has that as `origin`
(studio.recipes.origins). A picture that went in, and another file that code was
completed with, is named by its hash. What is read back comes from strangers: it has
the shape above and is otherwise unchecked, so a request built from it goes through studio.tasks.limits like any other.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from studio import __version__
from studio.catalog.card import Card, Commercial
from studio.i18n import LANGUAGES
from studio.media import embedded, exif, vectors
from studio.recipes import origins, untrusted
from studio.request_parts import CodeEdit, CodeFile, Control, Detail, Lora, Message, Reference, Region
from studio.requests import TASKS, ImageRequest, Request
from studio.tasks.music import performance

FORMAT = "atelier/1"
MAX_CHARACTERS = 6_000_000  # the longest code prefix and suffix, escaped
LIBRARIES = ("torch", "transformers", "diffusers", "audiocraft", "xllamacpp")
_HASH = re.compile(r"[0-9a-f]{10,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLACES = ("recipe", "ICMT", "comment")


def make_recipe(
    request: Request,
    card: Card,
    *,
    revision: str = "",
    model_hash: str = "",
    device: str = "cpu",
    hardware: str = "",
    adapters: Mapping[str, str] | None = None,
    controlnets: Mapping[str, str] | None = None,
    ipadapters: Mapping[str, str] | None = None,
    embeddings: Mapping[str, str] | None = None,
    vaes: Mapping[str, str] | None = None,
    refiners: Mapping[str, str] | None = None,
    detectors: Mapping[str, str] | None = None,
    producer: str = "",
    explicit_label: str = "",
    finish: str = "stop",
    seconds: float = 0.0,
    made: datetime | None = None,
) -> dict[str, Any]:
    """The recipe of a run.

    Args:
        request: resolved, so that nothing in it is None.
        revision: the commit or hash of the files that ran; the catalogue's where it is empty.
        model_hash: of a checkpoint of one file, as other web UIs write it.
        hardware: what people call the device; other pixels may come out of another one.
        adapters, controlnets, ipadapters: name -> SHA-256 of the files of `loras`, `controls` and `references`; of
            these also of the image encoder that each reads pictures by.
        embeddings: the same of those that the prompts name.
        vaes, refiners: the same of the decoders that took the place of the model's own, and of what painted the rest.
        detectors: of those in `details`.
        producer: who answers for it (studio.recipes.ai_marks).
        explicit_label: the language of the label that is seen or heard on it (studio.recipes.explicit_label).
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
            **({"hash": model_hash} if model_hash else {}),
        },
        "parameters": parameters(request),
        "seed": request.seed,
        "made": (made or datetime.now(UTC)).isoformat(timespec="seconds"),
        "software": {"studio": __version__, **_versions()},
        "device": device,
        **({"hardware": hardware} if hardware else {}),
        **({"adapters": dict(adapters)} if adapters else {}),
        **({"controlnets": dict(controlnets)} if controlnets else {}),
        **({"ipadapters": dict(ipadapters)} if ipadapters else {}),
        **({"embeddings": dict(embeddings)} if embeddings else {}),
        **({"vaes": dict(vaes)} if vaes else {}),
        **({"refiners": dict(refiners)} if refiners else {}),
        **({"detectors": dict(detectors)} if detectors else {}),
        **({"producer": producer} if producer else {}),
        **({"explicit_label": explicit_label} if explicit_label else {}),
        "finish": finish,
        "seconds": round(seconds, 3),
    }


def parameters(request: Request) -> dict[str, Any]:
    """Every field of the request as JSON can hold it; bytes as their hash and size, no bytes as an empty text."""
    found: dict[str, Any] = {}
    for field in fields(request):
        value = getattr(request, field.name)
        if field.name in ("task", "model", "seed"):
            continue  # beside the parameters, not twice
        found[field.name] = [_plain(one) for one in value] if isinstance(value, tuple) else _hashed(value)
    return found


def for_seed(recipe: dict[str, Any], seed: int, variation_seed: int | None = None) -> dict[str, Any]:
    """The recipe that makes one picture or piece of a batch again, alone.

    Picture i has seed + i, and where each is painted from a prompt of its own, prompt i.

    Args:
        variation_seed: of relatives of one picture, where it steps instead of the seed.
    """
    given = dict(recipe["parameters"])
    if "count" in given:
        given["count"] = 1
    place = seed - recipe["seed"]
    if variation_seed is not None:
        place = variation_seed - given["variation_seed"]
        given["variation_seed"] = variation_seed
    prompts = given.get("prompts")
    if isinstance(prompts, list) and prompts:
        given["prompts"] = [prompts[min(max(place, 0), len(prompts) - 1)]]
    return {**recipe, "seed": seed, "parameters": given}


def to_request(recipe: Mapping[str, Any]) -> ImageRequest | None:
    """The request that a picture's recipe describes; None where it is no picture's or says nothing to paint.

    Every value is checked by type, what does not fit is left out. The pictures that it started from are missing:
    `sources` names them, and who has them puts them in.
    """
    if recipe["task"] != "image":
        return None
    given, _ = untrusted.image_fields({**recipe["parameters"], "seed": recipe["seed"]}, cut=False)
    return ImageRequest(**{**given, "model": recipe["model"]["id"]}) if "prompt" in given else None


_HELD = (
    ("controls", "image", ""), ("references", "image", ""), ("references", "mask", ".mask"), ("regions", "mask", ""),
)  # fmt: skip
"""Lists whose entries hold a file: (list, the file's field, what stands behind its name)."""


def sources(recipe: Mapping[str, Any]) -> dict[str, str]:
    """The SHA-256 of every file that went in, by its field: `image`, `mask`, `pictures.0`, `controls.0`,
    `references.0`, `references.0.mask` …."""
    found = {name: hash for name, value in recipe["parameters"].items() if (hash := _named_by(value))}
    pictures = recipe["parameters"].get("pictures")
    for number, one in enumerate(pictures if isinstance(pictures, list) else ()):
        if hash := _named_by(one):
            found[f"pictures.{number}"] = hash
    for name, part, behind in _HELD:
        listed = recipe["parameters"].get(name)
        for number, one in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(one, dict) and (hash := _named_by(one.get(part))):
                found[f"{name}.{number}{behind}"] = hash
    return found


def _named_by(value: object) -> str:
    """The hash by which a recipe names a file; "" where it names none."""
    hash = value.get("sha256") if isinstance(value, dict) else None
    return hash if isinstance(hash, str) and _SHA256.fullmatch(hash) else ""


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
    return _shaped(found)


def _commercial(told: object) -> Commercial:
    return told if isinstance(told, bool) else "under-1m" if told == "under-1m" else None


def _shaped(found: object, depth: int = origins.MAX_DEPTH) -> dict[str, Any] | None:
    """Decoded JSON in the shape of a recipe; None where it is none."""
    if not isinstance(found, dict) or not str(found.get("format", "")).startswith("atelier/"):
        return None
    before = _before(found.get("origin"), depth - 1)
    model, given = found.get("model"), found.get("parameters")
    if found.get("task") not in TASKS or not isinstance(given, dict) or not isinstance(model, dict):
        return None
    software, adapters, sound = found.get("software"), found.get("adapters"), found.get("played")
    networks, shown, finders = found.get("controlnets"), found.get("ipadapters"), found.get("detectors")
    inversions, decoders, halves = found.get("embeddings"), found.get("vaes"), found.get("refiners")
    return {
        "format": FORMAT,
        "task": found["task"],
        "model": {
            **{key: _string(model.get(key)) for key in ("id", "title", "revision", "licence", "licence_url")},
            "commercial": _commercial(model.get("commercial")),
            **({"hash": short} if _HASH.fullmatch(short := _string(model.get("hash"))) else {}),
        },
        "parameters": given,
        "seed": _number(found.get("seed"), int),
        "made": _string(found.get("made")),
        "software": _strings(software) if isinstance(software, dict) else {},
        "device": _string(found.get("device")),
        **({"hardware": hardware} if (hardware := _string(found.get("hardware"))) else {}),
        **({"adapters": _strings(adapters)} if isinstance(adapters, dict) and adapters else {}),
        **({"controlnets": _strings(networks)} if isinstance(networks, dict) and networks else {}),
        **({"ipadapters": _strings(shown)} if isinstance(shown, dict) and shown else {}),
        **({"embeddings": _strings(inversions)} if isinstance(inversions, dict) and inversions else {}),
        **({"vaes": _strings(decoders)} if isinstance(decoders, dict) and decoders else {}),
        **({"refiners": _strings(halves)} if isinstance(halves, dict) and halves else {}),
        **({"detectors": _strings(finders)} if isinstance(finders, dict) and finders else {}),
        **({"producer": producer} if (producer := _string(found.get("producer"))) else {}),
        **({"explicit_label": label} if (label := _string(found.get("explicit_label"))) in LANGUAGES else {}),
        **({"watermark": water} if (water := _string(found.get("watermark"))) else {}),
        **({"played": performance.clean(sound)} if isinstance(sound, dict) and sound else {}),
        "finish": _string(found.get("finish")) or "stop",
        "seconds": _number(found.get("seconds"), float),
        **({"origin": before} if before else {}),
    }


def _before(found: object, depth: int) -> dict[str, Any] | None:
    """What a recipe says that its output was made from: a recipe, or another program's settings as text."""
    if depth <= 0 or not isinstance(found, dict):
        return None
    if made := _shaped(found, depth):
        return made
    text = found.get("parameters")
    return {"parameters": text} if isinstance(text, str) and 0 < len(text) <= origins.MAX_CHARACTERS else None


def read_recipe(data: bytes) -> dict[str, Any] | None:
    """The recipe inside a PNG, JPEG, WebP, SVG, WAV, FLAC, MP3 or MIDI file, or a `.json` or `.txt` one.

    None where there is none.

    Reads containers only: no pixel and no sample is decoded. Never raises on hostile bytes.
    """
    found = embedded.texts(data)
    candidates = [drawn] if (drawn := vectors.read_recipe(data)) else []
    candidates += [found[place] for place in _PLACES if place in found]
    if block := embedded.exif_block(data):
        candidates.append(exif.description(block))
    if not candidates and len(data) <= MAX_CHARACTERS and data[:100].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        candidates.append(data.decode("utf-8-sig", "replace"))
    return next((recipe for text in candidates if (recipe := from_json(text))), None)


def _plain(value: object) -> object:
    if isinstance(value, Message):
        files = [{"name": one.name, "sha256": one.sha256, "bytes": one.size} for one in value.files]
        return {"role": value.role, "content": value.content, **({"files": files} if files else {})}
    if isinstance(value, CodeFile):
        return {"name": value.name, **text_hash(value.text)}
    if isinstance(value, CodeEdit):
        return {"name": value.name, "before": text_hash(value.before), "after": text_hash(value.after)}
    if isinstance(value, Control | Reference | Region | Detail):
        return {part.name: _hashed(getattr(value, part.name)) for part in fields(value)}
    return {"name": value.name, "weight": value.weight} if isinstance(value, Lora) else _hashed(value)


def text_hash(text: str) -> dict[str, Any]:
    """By which a recipe names a text that others have: the hash and the size of its UTF-8."""
    data = text.encode("utf-8", "replace")
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _hashed(value: object) -> object:
    """A value as JSON can hold it: bytes as their hash and size."""
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest(), "bytes": len(value)} if value else ""
    return value


def _string(value: object) -> str:
    return value[:1000] if isinstance(value, str) else ""


def _strings(values: Mapping[Any, object]) -> dict[str, str]:
    return {str(name): _string(value) for name, value in values.items()}


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
