"""Dry look through folders: which models lie there, as what, for which task, and what cannot be used and why.

Headers and lists are read, nothing else; nothing is copied, moved or loaded. What a header said is remembered for as
long as its file keeps its size and time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from studio.catalog.card import PICKLES
from studio.paths import walk
from studio.requests import Task
from studio.store.disk import places
from studio.store.disk.places import Place
from studio.store.disk.weights import SUFFIXES, Weights, read_weights
from studio.store.safetensors import FLOATS

MOST_FILES = 50_000
"""Files after which a look ends: somebody pointed at a whole disk."""
_PASSED = {"node_modules", "__pycache__", "venv", "site-packages", "outputs", "output", "blobs"}
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.")
_SMALL = 1 << 20
_LANGUAGE = re.compile(r"ForCausalLM$|LMHeadModel$")
_SEEING = re.compile(r"ForConditionalGeneration$|ForImageTextToText$|ForVision2Seq$")
_CODER = re.compile(r"coder|starcoder|codestral|codegemma|codellama|mellum|granite-code|next-edit", re.I)
_DEPTH = ("DepthAnythingForDepthEstimation", "DPTForDepthEstimation")
RUN = frozenset({"sd1", "sd2", "sdxl", "sd3", "flux1", "flux2", "z-image", "qwen-image"})
"""Families of pictures that the studio paints with."""
UNRUN = frozenset({"inpaint", "edit", "depth", "edm", "x4-upscaler", "fill", "control", "diffusers"})
"""Variants of them that it does not."""
PIPELINES: Mapping[str, str] = {
    "StableDiffusionPipeline": "sd1", "StableDiffusionXLPipeline": "sdxl", "StableDiffusion3Pipeline": "sd3",
    "FluxPipeline": "flux1", "Flux2KleinPipeline": "flux2", "ZImagePipeline": "z-image",
    "FluxKontextPipeline": "flux1", "QwenImageEditPipeline": "qwen-image", "QwenImageEditPlusPipeline": "qwen-image",
    "QwenImagePipeline": "qwen-image", "LatentConsistencyModelPipeline": "lcm", "PixArtSigmaPipeline": "pixart",
    "SanaPipeline": "sana", "SanaSprintPipeline": "sana",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A model, or a part of one.

    Attributes:
        path: its file or folder.
        weights: what its header says; of a folder its kind alone.
        program: whose place it lies in.
        title: what people call it.
        tasks: what it can be asked for; empty where it cannot be used by itself.
        engine: which engine runs it.
        reason: a key below `disk.why.` or `disk.kind.`: why it cannot be used; "" where it can.
        missing: the parts that a checkpoint lacks.
    """

    path: Path
    weights: Weights
    program: str = ""
    title: str = ""
    tasks: tuple[Task, ...] = ()
    engine: str = ""
    reason: str = ""
    missing: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """It is a model that a tab can work with."""
        return bool(self.tasks) and not self.reason


@dataclass(slots=True)
class Headers:
    """What headers said, by path; kept between looks, and between starts by its owner."""

    known: dict[str, tuple[int, int, Weights]] = field(default_factory=dict)

    def read(self, file: Path) -> Weights:
        """What a file is: read again where its size or time is another."""
        try:
            state = file.stat()
        except OSError:
            return Weights("unusable", reason="not_readable")
        kept = self.known.get(str(file))
        if kept is None or kept[:2] != (state.st_size, state.st_mtime_ns):
            kept = self.known[str(file)] = state.st_size, state.st_mtime_ns, read_weights(file)
        return kept[2]

    def as_json(self) -> list[Any]:
        return [[path, size, time, asdict(what)] for path, (size, time, what) in self.known.items()]

    @classmethod
    def from_json(cls, rows: Any) -> Headers:
        """Raises ValueError, TypeError or KeyError where it is not what `as_json` gave."""
        known = {
            str(path): (int(size), int(time), Weights(**{**what, "holds": tuple(what["holds"])}))
            for path, size, time, what in rows
        }
        return cls(known)


def look(given: Iterable[Place], headers: Headers) -> tuple[Found, ...]:
    """Everything in these places that looks like a model, each once, by path."""
    found: dict[str, Found] = {}
    left = MOST_FILES
    for place in (inner for one in given for inner in places.inside(one)):
        for title, blob in places.ollama(place.folder):
            found.setdefault(str(blob), replace(_file(blob, headers), title=title, program=place.program or "Ollama"))
        for one in _walk(place, headers):
            found.setdefault(str(one.path), one)
            left -= 1
            if left <= 0:
                return tuple(found.values())
    return tuple(found[path] for path in sorted(found))


def _walk(place: Place, headers: Headers) -> Iterator[Found]:
    """What lies below a place. Links are followed, each folder once."""
    if place.folder.is_file():
        yield replace(_alone(place.folder, headers), program=place.program)
        return
    for folder, folders, names in walk(place.folder):
        if folder.name == "snapshots" and folder.parent.name.startswith("models--"):
            folders[:] = _newest(folder, folders)
        folders[:] = sorted(name for name in folders if name not in _PASSED and not name.startswith("."))
        if whole := _folder(folder, names):
            folders.clear()
            yield replace(whole, program=place.program)
            continue
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES):
                if (shard := _SHARD.search(name)) and int(shard[1]) > 1:
                    continue
                yield replace(_file(folder / name, headers), program=place.program)
            elif name.lower().endswith(PICKLES) and _large(folder / name):
                yield replace(_alone(folder / name, headers), program=place.program)


def _alone(file: Path, headers: Headers) -> Found:
    """A file that is named or comes alone; one whose ending says that it can run code is not opened."""
    if file.name.lower().endswith(PICKLES):
        return Found(file, Weights("unusable", reason="pickle"), title=file.name, reason="pickle")
    return _file(file, headers)


def _large(file: Path) -> bool:
    """Beside models lie small files of other kinds that have the same endings."""
    with suppress(OSError):
        return file.stat().st_size > _SMALL
    return False


def _newest(snapshots: Path, names: list[str]) -> list[str]:
    """Of the versions in the hub's cache the one that was asked for last."""
    with suppress(OSError):
        meant = (snapshots.parent / "refs" / "main").read_text(encoding="utf-8").strip()
        if meant in names:
            return [meant]
    return sorted(names)[-1:]


def _file(file: Path, headers: Headers) -> Found:
    return of_weights(file, headers.read(file))


def of_weights(file: Path, what: Weights) -> Found:
    """What a file is good for, from what its header says."""
    known = Found(file, what, title=what.title if what.kind == "language" and what.title else file.stem)
    if what.reason:
        return replace(known, reason=what.reason)
    if what.kind == "language":
        coder = _CODER.search(f"{file.name} {what.title}") is not None
        return replace(known, tasks=("chat", "code") if coder else ("chat",), engine="llama")
    if what.kind in ("checkpoint", "denoiser"):
        if what.family not in RUN or what.variant in UNRUN or (what.family, what.variant) == ("flux2", "dev"):
            return replace(known, reason="family")
        return replace(known, tasks=("image",), engine="diffusion", missing=lacks(what))
    if what.kind in ("vae", "text_encoder", "projector"):
        return replace(known, reason="part")
    if what.kind == "upscaler":
        runs = what.variant and what.dtype in FLOATS
        return (
            replace(known, tasks=("upscale",), engine="upscale_network") if runs else replace(known, reason="network")
        )
    return replace(known, reason=what.kind if what.kind in ("lora", "control", "reference") else "no_use")


def lacks(what: Weights) -> tuple[str, ...]:
    """The parts that a checkpoint's file has not, as its folder would call them."""
    needs = {
        "sd1": ("vae", "clip_l"), "sd2": ("vae", "clip_h"), "sdxl": ("vae", "clip_l", "clip_g"),
        "sd3": ("vae", "clip_l", "clip_g"), "flux1": ("vae", "clip_l", "t5"),
    }.get(what.family, ("rest",))  # fmt: skip
    lacking = tuple(part for part in needs if part not in what.holds)
    # the words that a T5 reads are in no checkpoint
    return (
        (*lacking, "t5_words") if what.family == "flux1" or (what.family == "sd3" and "t5" in what.holds) else lacking
    )


def _folder(folder: Path, names: list[str]) -> Found | None:
    """A model that is a whole folder; None where it is an ordinary one."""
    title = _named(folder)
    if "model_index.json" in names:
        name = str(_json(folder / "model_index.json").get("_class_name", ""))
        family = PIPELINES.get(name, name)
        kind = Found(folder, Weights("checkpoint", family, variant="folder", nbytes=_bytes(folder)), title=title)
        if not _weighs(folder):
            return replace(kind, reason="pickle" if _pickled(folder) else "cut")
        return (
            replace(kind, tasks=("image",), engine="diffusion") if name in PIPELINES else replace(kind, reason="family")
        )
    if "config.json" not in names:
        return None
    config = _json(folder / "config.json")
    if "_class_name" in config:  # one part of a pipeline that lies alone
        steers = "ControlNet" in str(config["_class_name"]) or config["_class_name"] == "T2IAdapter"
        if steers and any(name.endswith(".safetensors") for name in names):
            return Found(folder, Weights("control", nbytes=_bytes(folder)), title=title, reason="control")
        part = Found(folder, Weights("vae" if "Autoencoder" in str(config["_class_name"]) else "other"), title=title)
        return replace(part, reason="part")
    stated = config.get("architectures")
    architecture = str(stated[0]) if isinstance(stated, list) and stated else ""
    if not architecture or any(name.lower().endswith(".gguf") for name in names):
        return None
    kind = Found(folder, Weights("other", architecture, nbytes=_bytes(folder)), title=title)
    if not any(name.endswith(".safetensors") for name in names):
        pickled = any(name.lower().endswith(PICKLES) for name in names)
        return replace(kind, reason="pickle" if pickled else "cut") if pickled or names else None
    if config.get("auto_map"):
        return replace(kind, reason="code")
    if architecture in _DEPTH:
        return replace(kind, reason="depth")
    tasks, engine = of_architecture(architecture)
    return replace(kind, tasks=tasks, engine=engine, reason="" if tasks else "family")


def of_architecture(name: str) -> tuple[tuple[Task, ...], str]:
    """What a model of transformers can be asked for, and the engine; nothing where it is run by none."""
    if _LANGUAGE.search(name):
        return ("chat",), "text"
    if name.startswith("Musicgen") and "Melody" not in name:
        return ("music",), "musicgen"
    if name.startswith("Swin2SR"):
        return ("upscale",), "upscaler"
    if _SEEING.search(name) and not name.startswith(("T5", "Bart", "Whisper", "Speech", "Musicgen")):
        return ("caption",), "caption"
    return (), ""


def _named(folder: Path) -> str:
    """What people call a folder: of the hub's cache its repository."""
    for parent in folder.parents:
        if parent.name.startswith("models--"):
            return parent.name.removeprefix("models--").replace("--", "/")
    return folder.name


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size < _SMALL else {}
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _inside(folder: Path) -> list[Path]:
    return [file for depth in ("*", "*/*") for file in folder.glob(depth)]


def _bytes(folder: Path) -> int:
    total = 0
    for file in _inside(folder):
        with suppress(OSError):
            total += file.stat().st_size if file.suffix == ".safetensors" else 0
    return total


def _weighs(folder: Path) -> bool:
    return any(file.suffix == ".safetensors" for file in _inside(folder))


def _pickled(folder: Path) -> bool:
    return any(file.name.lower().endswith(PICKLES) for file in _inside(folder))
