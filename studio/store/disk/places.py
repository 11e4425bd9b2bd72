"""Places where other programs keep models: which of them are on this machine, and which folders of them hold models.

Nothing is opened but the two kinds of lists that name further places: ComfyUI's extra_model_paths.yaml, and Ollama's
manifests, which name files by their hashes.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_LIST = "extra_model_paths.yaml"
_A1111 = (
    *("models/Stable-diffusion", "models/Lora", "models/LyCORIS", "models/VAE", "models/ESRGAN", "models/RealESRGAN"),
    *("models/SwinIR", "models/ControlNet", "models/text_encoder", "models/diffusers", "embeddings"),
)
_COMFY_OTHERS = ("custom_nodes", "is_default", "base_path", "download_model_base")
_MODEL = "application/vnd.ollama.image.model"
_MOST_LIST = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to look through, and what people call the program whose it is; "" for nobody's."""

    folder: Path
    program: str = ""


def usual(environment: Mapping[str, str], home: Path) -> tuple[Place, ...]:
    """Those of the usual places that are on this machine.

    Args:
        environment: variables by which the programs are told other places.
        home: the person's own folder.
    """
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    hub = environment.get("HF_HUB_CACHE") or Path(environment.get("HF_HOME") or cache / "huggingface") / "hub"
    apple = home / "Library" / "Caches"
    candidates = [
        Place(Path(hub), "Hugging Face"),
        *(Place(home / name, "AUTOMATIC1111") for name in ("stable-diffusion-webui", "sd-webui")),
        *(Place(home / name, "Forge") for name in ("stable-diffusion-webui-forge", "forge", "webui_forge")),
        *(Place(place / "ComfyUI", "ComfyUI") for place in (home, home / "Documents")),
        Place(home / "StabilityMatrix" / "Models", "Stability Matrix"),
        Place(home / ".lmstudio" / "models", "LM Studio"),
        Place(cache / "lm-studio" / "models", "LM Studio"),
        Place(Path(environment.get("OLLAMA_MODELS") or home / ".ollama" / "models"), "Ollama"),
        Place(Path("/usr/share/ollama/.ollama/models"), "Ollama"),
        Place(Path(environment.get("LLAMA_CACHE") or cache / "llama.cpp"), "llama.cpp"),
    ]
    if platform.system() == "Darwin":
        candidates.append(Place(apple / "llama.cpp", "llama.cpp"))
    seen: set[str] = set()
    found = []
    for place in candidates:
        try:
            key = str(place.folder.resolve())
            there = place.folder.is_dir()
        except (OSError, RuntimeError):
            continue
        if there and key not in seen:
            seen.add(key)
            found.append(place)
    return tuple(found)


def inside(place: Place) -> tuple[Place, ...]:
    """The folders of a program that hold models, where the place is a program's; else the place itself."""
    folder = place.folder
    if (folder / "models" / "Stable-diffusion").is_dir():
        program = place.program or "AUTOMATIC1111"
        return tuple(Place(folder / name, program) for name in _A1111 if (folder / name).is_dir())
    if (folder / "models" / "checkpoints").is_dir() or (folder / _LIST).is_file():
        program = place.program or "ComfyUI"
        listed = tuple(Place(one, program) for one in _listed(folder / _LIST))
        return (Place(folder / "models", program), *(one for one in listed if one.folder.is_dir()))
    return (place,)


def _listed(file: Path) -> Iterator[Path]:
    """The folders that ComfyUI's list names."""
    import yaml

    try:
        if file.stat().st_size > _MOST_LIST:
            return
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return
    for section in document.values() if isinstance(document, dict) else ():
        if not isinstance(section, dict):
            continue
        base = _path(file.parent, section.get("base_path", ""))
        for name, value in section.items():
            for line in str(value).splitlines() if isinstance(value, str) and name not in _COMFY_OTHERS else ():
                if line.strip():
                    yield _path(base, line)


def _path(base: Path, text: object) -> Path:
    return base / os.path.expanduser(os.path.expandvars(str(text or "").strip()))


def ollama(folder: Path) -> Iterator[tuple[str, Path]]:
    """The models of an Ollama store: what each is called there, and the file that holds it."""
    manifests = folder / "manifests"
    for file in sorted(manifests.rglob("*")) if manifests.is_dir() else ():
        try:
            if not file.is_file() or file.stat().st_size > _MOST_LIST:
                continue
            layers = json.loads(file.read_text(encoding="utf-8"))["layers"]
            digest = next(str(one["digest"]) for one in layers if one["mediaType"] == _MODEL)
        except (OSError, ValueError, KeyError, TypeError, StopIteration, RecursionError):
            continue
        blob = folder / "blobs" / digest.replace(":", "-")
        if blob.name.removeprefix("sha256-").isalnum() and blob.is_file():
            yield f"{file.parent.name}:{file.name}", blob  # as people say it: qwen3:4b
