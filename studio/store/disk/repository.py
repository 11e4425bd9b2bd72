"""Repositories of the hub: what one holds, and what of it the studio would use, before anything is fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from studio.catalog.card import Commercial
from studio.catalog.editing import EDITORS
from studio.errors import StudioError
from studio.requests import Task
from studio.store.disk import hub_look, look
from studio.store.disk.cards import defaults
from studio.store.disk.hub_look import Listing
from studio.store.disk.look import Found
from studio.store.disk.naming import Choice, Named, Reference, checked
from studio.store.disk.weights import Weights

_QUANT = re.compile(r"(?<![A-Za-z0-9])((?:UD-)?I?Q\d[\w]*|MXFP4\w*|BF16|F16|F32)(?![A-Za-z0-9])", re.I)
_SHARD = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)", re.I)
_LICENCES: dict[str, tuple[str, Commercial]] = {
    "apache-2.0": ("Apache-2.0", True), "mit": ("MIT", True), "bsd-3-clause": ("BSD-3-Clause", True),
    "cc-by-nc-4.0": ("CC-BY-NC-4.0", False), "cc-by-4.0": ("CC-BY-4.0", True),
    "stabilityai-ai-community": ("Stability AI Community", "under-1m"),
}  # fmt: skip
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---", re.S)


def of_repository(where: Reference) -> Named:
    """What a repository holds, and what of it the studio would use.

    Raises:
        StudioError: the hub's own; custom_code, no_safe_weights, unknown_architecture, no_choice.
    """
    found = hub_look.listing(where.repo)
    told = _front_matter(hub_look.small(found, "README.md").decode("utf-8", "replace"))
    named = told.get("license_name") or told.get("license", "")
    licence, commercial = _LICENCES.get(named) or _LICENCES.get(told.get("license", "")) or (named, None)
    known = Named(
        where.repo.rpartition("/")[2], (), "", "", where, {}, licence=licence,
        licence_url=hub_look.page(where.repo) if licence else "", commercial=commercial,
    )  # fmt: skip
    if where.file:
        return _one_file(known, found, where.file)
    packed = [name for name in found.sizes if name.lower().endswith(".gguf") and "mmproj" not in name.lower()]
    if "model_index.json" in found.sizes:
        return _pipeline(known, found)
    if packed and not any("/" not in name and name.endswith(".safetensors") for name in found.sizes):
        return _quantised(known, found, packed, told)
    if "config.json" in found.sizes and any(name.endswith(".safetensors") for name in found.sizes):
        return _model(known, found)
    return _single(known, found)


def _pipeline(known: Named, found: Listing) -> Named:
    index = _json(hub_look.small(found, "model_index.json"))
    name = str(index.get("_class_name", ""))
    if name not in look.PIPELINES:
        raise StudioError("unknown_architecture", model=known.title, name=name or "?")
    files = hub_look.usual(found)
    if not any(one.endswith(".safetensors") for one in files):
        raise StudioError("no_safe_weights", model=known.title)
    family = look.PIPELINES[name]
    fields: dict[str, Any] = {"defaults": defaults(Found(Path(known.title), Weights("checkpoint", family)))}
    if name in EDITORS:
        fields["limits"] = dict(EDITORS[name])
    return replace(known, tasks=("image",), engine="diffusion", family=family, files=files, fields=fields)


def _model(known: Named, found: Listing) -> Named:
    config = _json(hub_look.small(found, "config.json"))
    stated = config.get("architectures")
    architecture = str(stated[0]) if isinstance(stated, list) and stated else ""
    if config.get("auto_map"):
        raise StudioError("custom_code", model=known.title, file="config.json")
    tasks, engine = look.of_architecture(architecture)
    if not tasks:
        raise StudioError("unknown_architecture", model=known.title, name=architecture or "?")
    return replace(known, tasks=tasks, engine=engine, family=architecture, files=hub_look.usual(found))


def _quantised(known: Named, found: Listing, names: list[str], told: Mapping[str, str]) -> Named:
    """A repository of GGUF files: each quantisation is a choice."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(_SHARD.sub("", name), []).append(name)
    choices = []
    for whole, files in groups.items():
        matches = _QUANT.findall(PurePosixPath(whole).name)
        label = matches[-1].upper() if matches else PurePosixPath(whole).stem
        choices.append(Choice(label, tuple(files), sum(found.sizes[file] for file in files)))
    labels = [one.name for one in choices]
    choices = [
        one if labels.count(one.name) == 1 else replace(one, name=PurePosixPath(one.files[0]).stem) for one in choices
    ]
    choices.sort(key=lambda one: one.nbytes)
    painter = told.get("pipeline_tag", "").startswith(("text-to-image", "image-to-image"))
    coder = re.search(r"coder|codestral|starcoder|mellum|next-edit", known.title, re.I) is not None
    tasks: tuple[Task, ...] = ("image",) if painter else ("chat", "code") if coder else ("chat",)
    whole = replace(
        known, tasks=tasks, engine="diffusion" if painter else "llama", family="GGUF", choices=tuple(choices),
        by_file=True,
    )  # fmt: skip
    if known.where.quant:
        whole = whole.chosen(known.where.quant)
    elif len(choices) == 1:
        whole = whole.chosen(choices[0].name)
    if painter and whole.files:
        return _one_file(known, found, next(iter(whole.files)))
    return whole


def _single(known: Named, found: Listing) -> Named:
    """A repository of checkpoints of one file each."""
    files = [name for name in found.sizes if name.endswith(".safetensors") and "/" not in name]
    if not files:
        raise StudioError("no_safe_weights", model=known.title)
    if len(files) == 1:
        return _one_file(known, found, files[0])
    choices = tuple(Choice(PurePosixPath(name).stem, (name,), found.sizes[name]) for name in sorted(files))
    return replace(known, tasks=("image",), engine="diffusion", choices=choices, by_file=True)


def _one_file(known: Named, found: Listing, name: str) -> Named:
    if name not in found.sizes:
        raise StudioError("no_choice", name=name[:60], names=", ".join(sorted(found.sizes)[:8]))
    what = hub_look.weights(found, name)
    if name.lower().endswith(".gguf") and what.kind == "language":
        return _quantised(replace(known, where=replace(known.where, quant=name)), found, [name], {})
    one = look.of_weights(Path(PurePosixPath(name).name), what)
    return checked(replace(known, files={name: found.sizes[name]}, by_file=True), one)


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
        return found if isinstance(found, dict) else {}
    except (ValueError, RecursionError):
        return {}


def _front_matter(text: str) -> dict[str, str]:
    """The plain lines at the head of a model's page: its licence, its task."""
    match = _FRONT.match(text.lstrip("\ufeff"))
    lines = match[1].splitlines() if match else []
    pairs = (line.partition(":") for line in lines if re.match(r"[a-z_]+:\s*\S", line))
    return {key.strip(): value.strip().strip("'\"") for key, _, value in pairs}
