"""What is known of adaptations: for which models they were made, which words call them, and a picture of each.

It stands in the file's own metadata and in the small files that programs write beside it. All of it comes from
strangers: sizes are limited, types are looked at, and markup is taken out. What was read is remembered for as long as
the file and those beside it keep their sizes and times, so that a second look opens nothing.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.paths import write
from studio.store.disk.cards import family_name
from studio.store.disk.look import PIPELINES
from studio.store.disk.weights import metadata, read_weights

log = logging.getLogger("studio")

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
"""Endings of previews; films that lie beside adaptations as well are not shown."""
_PREVIEWS = (*(f".preview{ending}" for ending in PICTURES), *PICTURES, ".thumb.jpg", ".thumb.png")
_SIDECARS = (".json", ".civitai.info", ".cm-info.json", ".metadata.json")
"""Of AUTOMATIC1111 and Forge (SD.Next keeps Civitai's answer under the same name), of the Civitai helper, of Stability
Matrix, and of ComfyUI's LoRA manager. InvokeAI writes none: it keeps what it knows in a database of its own."""
_VERSION = 1
_HEADER, _SIDECAR = 16 << 20, 1 << 20
"""Bytes of a file's header, and of one beside it, that are read."""
_WORDS, _LETTERS, _TAGS = 12, 300, 24
_HEAVIEST = 4.0
_MARKUP = re.compile(r"<[^<>]*>")
_BASES = (
    ("flux.2", "flux2"), ("flux2", "flux2"), ("flux", "flux1"), ("sdxl", "sdxl"), ("sd xl", "sdxl"), ("pony", "sdxl"),
    ("illustrious", "sdxl"), ("noob", "sdxl"), ("sd 3", "sd3"), ("sd3", "sd3"), ("sd 2", "sd2"), ("sd2", "sd2"),
    ("sd 1", "sd1"), ("sd1", "sd1"), ("qwen", "qwen-image"), ("z-image", "z-image"), ("zimage", "z-image"),
)  # fmt: skip
"""What stands in the name of a base model, and the family that it is of; the first that is found counts."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is known of one adaptation.

    Attributes:
        title: what it calls itself.
        family: of the models that it was made for (studio.store.disk.families); "" where nothing says so.
        base: what people call those models.
        words: what calls it in a prompt.
        tags: the words that the pictures it learned from were described with most often.
        weight: at which it is used best; None where nobody says.
        preview: the file of its picture, "" without one.
        stamp: another one where anything of this may be another.
    """

    title: str = ""
    family: str = ""
    base: str = ""
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    weight: float | None = None
    preview: str = ""
    stamp: str = ""


class Shelf:
    """The adaptations that a person has, and what is known of them. Safe to use from several threads.

    Args:
        files: name -> file of each.
        kept: where what was read is remembered.
    """

    def __init__(self, files: Callable[[], Mapping[str, Path]], kept: Path) -> None:
        self._files, self._kept = files, kept
        self._lock = threading.Lock()
        self._known: dict[str, Notes] | None = None

    def notes(self) -> dict[str, Notes]:
        """Name -> what is known of it, for all; only what is new or was changed is read."""
        files = self._files()
        with self._lock:
            known = self._recalled() if self._known is None else self._known
            lying = {folder: _lying(folder) for folder in {file.parent for file in files.values()}}
            found: dict[str, Notes] = {}
            for file in files.values():
                beside = {end: stamp for end in ("", *_SIDECARS, *_PREVIEWS) if (stamp := _stamp(lying, file, end))}
                stamp = " ".join(f"{end}:{size}:{time}" for end, (size, time) in beside.items())
                last = known.get(str(file))
                found[str(file)] = last if last and last.stamp == stamp else _read(file, beside, stamp)
            if found != known:
                self._keep(found)
            self._known = found
        return {name: found[str(file)] for name, file in files.items()}

    def one(self, name: str) -> Notes | None:
        """What is known of one, as it was at the last look; None where there is none of this name."""
        if self._known is None:
            return self.notes().get(name)
        file = self._files().get(name)
        return self._known.get(str(file)) if file is not None else None

    def _recalled(self) -> dict[str, Notes]:
        try:
            kept = json.loads(self._kept.read_text(encoding="utf-8"))
            if kept["version"] == _VERSION:
                return {
                    str(path): Notes(**{**row, "words": tuple(row["words"]), "tags": tuple(row["tags"])})
                    for path, row in kept["notes"].items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        return {}

    def _keep(self, notes: Mapping[str, Notes]) -> None:
        rows = {path: asdict(one) for path, one in notes.items()}
        try:
            write(self._kept, json.dumps({"version": _VERSION, "notes": rows}).encode())
        except StudioError as error:  # a full disk: they are read again at the next start
            log.warning("%s", error)


def model_family(path: Path) -> str:
    """The family of a model by its file or folder; "" where that does not tell."""
    if path.is_file():
        return read_weights(path).family
    name = str(_json(path / "model_index.json").get("_class_name", ""))
    family = PIPELINES.get(re.sub(r"(Img2Img|Inpaint)Pipeline$", "Pipeline", name), "")
    if family in ("sd1", "lcm"):  # several kinds are painted by one pipeline
        width = _json(path / "unet" / "config.json").get("cross_attention_dim")
        return {768: "sd1", 1024: "sd2"}.get(width, "") if isinstance(width, int) else ""
    return family


def _lying(folder: Path) -> dict[str, tuple[int, int]]:
    """Name -> size and time of the files in a folder that are adaptations or may say something of one."""
    found: dict[str, tuple[int, int]] = {}
    ends = (".safetensors", ".json", ".info", *PICTURES)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.lower().endswith(ends) and entry.is_file():
                    state = entry.stat()
                    found[entry.name] = state.st_size, state.st_mtime_ns
    except OSError:
        pass
    return found


def _stamp(lying: Mapping[Path, Mapping[str, tuple[int, int]]], file: Path, end: str) -> tuple[int, int] | None:
    return lying[file.parent].get(file.stem + end if end else file.name)


def _read(file: Path, beside: Iterable[str], stamp: str) -> Notes:
    """What the file says of itself, and what stands beside it; of two that say the same thing the person's own."""
    own = _own(file)
    said = [_said(_json(file.with_name(file.stem + end))) for end in _SIDECARS if end in beside]
    family = read_weights(file).family
    bases = [one.base for one in said if one.base]
    family = family or next((one for one in map(_family, bases) if one), "")
    named = [base for base in bases if _family(base) in (family, "")]  # what the weights are counts
    words = next((one.words for one in (*said, own) if one.words), ())
    preview = next((end for end in _PREVIEWS if end in beside), "")
    return Notes(
        title=own.title or next((one.title for one in said if one.title), ""),
        family=family,
        base=named[0] if named else family_name(family) if family else own.base,
        words=words,
        tags=own.tags,
        weight=next((one.weight for one in said if one.weight is not None), None),
        preview=str(file.with_name(file.stem + preview)) if preview else "",
        stamp=stamp,
    )


def _own(file: Path) -> Notes:
    """What the file's metadata says, in the words of its trainer (`ss_`) and of the model specification."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            meta = metadata(stream.read(length)) if 2 <= length <= _HEADER else {}
    except OSError:
        meta = {}
    tags, always = _frequent(meta.get("ss_tag_frequency"))
    called = _phrases(meta.get("modelspec.trigger_phrase")) or _phrases(meta.get("ss_trigger_words"))
    base = _line(meta.get("modelspec.architecture")) or _line(meta.get("ss_base_model_version"))
    return Notes(title=_line(meta.get("modelspec.title")), base=base, words=called or always, tags=tags)


def _frequent(said: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words that pictures were described with, the most frequent first, and those that stood in every description.

    The latter are taken for what calls it where they are few: more are only what the pictures have in common.
    """
    try:
        folders = json.loads(said) if isinstance(said, str) and len(said) <= _HEADER else {}
        counts: dict[str, int] = {}
        for folder in folders.values():
            for tag, count in folder.items():
                if isinstance(count, int) and tag.strip():
                    counts[tag.strip()] = counts.get(tag.strip(), 0) + count
    except (ValueError, AttributeError, TypeError, RecursionError):
        return (), ()
    ordered = sorted(counts, key=lambda word: -counts[word])[:_TAGS]
    most = counts[ordered[0]] if ordered else 0
    always = [word for word in ordered if counts[word] == most]
    few = most > 1 and len(always) <= 2 < len(counts)
    return _phrases(ordered, _TAGS), _phrases(always) if few else ()


def _said(sidecar: Mapping[str, Any]) -> Notes:
    """What a file beside it says, whichever program wrote it."""
    inner = sidecar.get("civitai")  # ComfyUI's LoRA manager
    versions = sidecar.get("modelVersions")  # Civitai's answer for a whole model: the newest first
    inner = versions[0] if isinstance(versions, list) and versions else inner
    inner = inner if isinstance(inner, dict) else {}
    tips = sidecar.get("usage_tips")
    tips = _parsed(tips) if isinstance(tips, str) else {}
    model = sidecar.get("model")
    names = (sidecar.get("ModelName"), sidecar.get("model_name"), model.get("name") if isinstance(model, dict) else "")
    bases = (sidecar.get("sd version"), sidecar.get("baseModel"), sidecar.get("BaseModel"), sidecar.get("base_model"))
    words = (sidecar.get("activation text"), sidecar.get("trainedWords"), sidecar.get("TrainedWords"))
    base = next(filter(None, map(_line, (*bases, inner.get("baseModel")))), "")
    return Notes(
        title=next(filter(None, map(_line, names)), ""),
        base="" if base.casefold() in ("unknown", "other") else base,
        words=next(filter(None, map(_phrases, (*words, inner.get("trainedWords")))), ()),
        weight=_weight(sidecar.get("preferred weight")) or _weight(tips.get("strength")),
    )


def _family(base: str) -> str:
    told = base.casefold()
    return next((family for sign, family in _BASES if sign in told), "")


def _weight(said: object) -> float | None:
    """A weight; None for nothing, which is how programs write that nobody chose one."""
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        return None
    return float(said) if said and abs(said) <= _HEAVIEST else None


def _phrases(said: object, most: int = _WORDS) -> tuple[str, ...]:
    """One text, or several, each once."""
    several = said if isinstance(said, list) else [said]
    found = (_line(one).strip(" ,") for one in several[:most])
    return tuple(dict.fromkeys(one for one in found if one))


def _line(said: object) -> str:
    """A text in one line without markup; "" for what is none."""
    if not isinstance(said, str):
        return ""
    plain = _MARKUP.sub("", said[: _LETTERS * 4])
    plain = "".join(sign if unicodedata.category(sign)[0] != "C" else " " for sign in plain)
    return " ".join(plain.replace("<", "").replace(">", "").split())[:_LETTERS]


def _json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _SIDECAR:
            return {}
        return _parsed(file.read_text(encoding="utf-8-sig", errors="replace"))
    except OSError:
        return {}


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
