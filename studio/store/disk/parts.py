"""What a checkpoint lacks, and where it comes from: files and folders that were found beside it, else the hub.

The repositories are those of the publishers. None of these addresses and sizes was held against the live hub here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from studio.catalog.card import Part, Source
from studio.store.disk.look import Found

REST = "rest"
_VAES = {"sd1": "sd", "sd2": "sd", "sdxl": "sd", "sd3": "flux1", "flux1": "flux1"}
"""Family -> the family of a decoder that fits by its shape; names tell the rest."""
_FOLDERS = {"vae": "vae", "clip_l": "text_encoder", "clip_g": "text_encoder_2", "t5": "text_encoder_2"}
_TRANSFORMERS = ("model_index.json", "scheduler/*", "text_encoder/*", "tokenizer/*", "vae/*", "transformer/config.json")


@dataclass(frozen=True, slots=True)
class Supply:
    """Where the parts of a family come from: folder in the repository -> bytes."""

    repo: str
    sizes: Mapping[str, int]
    rename: Mapping[str, str] | None = None


_SUPPLIES: Mapping[str, Supply] = {
    "flux1": Supply(
        "black-forest-labs/FLUX.1-schnell",
        {"vae": 168_000_000, "text_encoder": 246_000_000, "text_encoder_2": 9_530_000_000, "tokenizer_2": 4_000_000},
    ),
    "sd3": Supply(
        "stabilityai/stable-diffusion-3.5-medium",
        {"vae": 168_000_000, "text_encoder": 247_000_000, "text_encoder_2": 1_390_000_000, "tokenizer_3": 4_000_000},
    ),
}
_VAE_ALONE: Mapping[str, Supply] = {
    "sd1": Supply("stabilityai/sd-vae-ft-mse", {"vae": 335_000_000}),
    "sd2": Supply("stabilityai/sd-vae-ft-mse", {"vae": 335_000_000}),
    "sdxl": Supply("madebyollin/sdxl-vae-fp16-fix", {"vae": 335_000_000}),
}
_WHOLE: Mapping[str, tuple[str, int]] = {
    "z-image": ("Tongyi-MAI/Z-Image-Turbo", 8_200_000_000),
    "qwen-image": ("Qwen/Qwen-Image", 16_900_000_000),
    "flux2": ("black-forest-labs/FLUX.2-klein-4B", 8_300_000_000),
    "flux2 klein-9b": ("black-forest-labs/FLUX.2-klein-9B", 16_600_000_000),
}


@dataclass(frozen=True, slots=True)
class Completed:
    """What goes into a checkpoint's card.

    Attributes:
        options: of the engine, which name what was found beside it.
        parts: what has to be fetched.
        lacking: what is missing and cannot be fetched either.
    """

    options: Mapping[str, Any]
    parts: tuple[Part, ...] = ()
    lacking: tuple[str, ...] = ()


def complete(one: Found, others: Iterable[Found]) -> Completed:
    """What a checkpoint lacks, from what else was found, nearest first; the rest from the hub."""
    near = sorted(others, key=lambda other: -_shared(one, other))
    family, options = one.weights.family, {}
    lacking = list(one.missing)
    if lacking and (whole := _pipeline(one, near)):
        return Completed({"rest": str(whole.path)})
    if "vae" in lacking and (decoder := _decoder(one, near)):
        options["vae"] = str(decoder.path)
        lacking.remove("vae")
    readers = {other.weights.family: other for other in reversed(near) if other.weights.kind == "text_encoder"}
    named = [part for part in ("clip_l", "clip_g", "t5") if part in lacking and part.replace("_", "-") in readers]
    if named and family in ("sd3", "flux1"):
        options["text_encoders"] = [str(readers[part.replace("_", "-")].path) for part in named]
        lacking = [part for part in lacking if part not in named]
    if not lacking:
        return Completed(options)
    part = _from_hub(one, lacking)
    return Completed(options, (part,)) if part else Completed(options, lacking=tuple(lacking))


def _shared(one: Found, other: Found) -> int:
    """How much of the way to two files is the same."""
    return len([1 for a, b in zip(one.path.parts, other.path.parts, strict=False) if a == b])


def _pipeline(one: Found, near: Iterable[Found]) -> Found | None:
    """A whole model of the same family in diffusers' layout."""
    kind = "sd3" if one.weights.family == "sd3" else one.weights.family
    if kind in ("sd1", "sd2", "sdxl"):
        return None  # theirs are told apart by what they were taught, which a folder of another does not say
    for other in near:
        same = other.usable and other.weights.variant == "folder" and other.weights.family == kind
        if same and (kind != "flux2" or (other.path / "text_encoder").is_dir()):
            return other
    return None


def _decoder(one: Found, near: Iterable[Found]) -> Found | None:
    family = one.weights.family
    for other in near:
        if other.weights.kind != "vae" or other.weights.family != _VAES.get(family) or not other.path.is_file():
            continue
        large = re.search(r"xl", other.path.stem, re.I) is not None
        third = re.search(r"sd_?3", str(other.path), re.I) is not None
        if {"sdxl": large, "sd3": third, "flux1": not third}.get(family, not large):
            return other
    return None


def _from_hub(one: Found, lacking: list[str]) -> Part | None:
    """What is to be fetched, as a part of the card; None where nobody publishes it by itself."""
    family, variant = one.weights.family, one.weights.variant
    if lacking == ["rest"]:
        repo, size = _WHOLE.get(f"{family} {variant}") or _WHOLE[family]
        return Part(REST, Source("hub", repo=repo, files=_TRANSFORMERS), disk_bytes=size)
    if lacking == ["vae"] and family in _VAE_ALONE:
        supply = _VAE_ALONE[family]
        names = ("config.json", "diffusion_pytorch_model.safetensors")
        rename = {name: f"vae/{name}" for name in names}
        return Part(REST, Source("hub", repo=supply.repo, files=names), rename, disk_bytes=supply.sizes["vae"])
    if (known := _SUPPLIES.get(family)) is None:
        return None
    words = "tokenizer_3" if family == "sd3" else "tokenizer_2"
    folders = {words if part == "t5_words" else _FOLDERS[part] for part in lacking}
    folders.add("vae")  # with its weights a download of words alone is one that the hub's rules allow
    patterns = [f"{folder}/*{end}" for folder in sorted(folders) for end in _ends(folder, family)]
    return Part(
        REST, Source("hub", repo=known.repo, files=tuple(patterns)), disk_bytes=sum(known.sizes[one] for one in folders)
    )


def _ends(folder: str, family: str) -> tuple[str, ...]:
    """Which files of a folder: of two precisions of the same weights the plain one."""
    plain = family == "sd3" and folder.startswith("text_encoder")
    return ("config.json", "model.safetensors") if plain else ("",)
