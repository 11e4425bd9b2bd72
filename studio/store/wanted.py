"""Choice of a repository's files: what a model needs of it, and never a format that can run code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from studio.catalog.card import PICKLES, WEIGHTS
from studio.errors import StudioError

USUAL = (".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken")
"""What a card that names no files gets: weights, configurations and tokenizers."""
SIDE_FOLDERS = {"onnx", "openvino", "coreml", "original", "metal", "gguf", "flax", "runs", "assets", "examples"}
_VARIANT = re.compile(r"\.(fp16|fp32|bf16|ema|non_ema|int8|fp8)[.-]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a repository: bytes (0: unknown), and its sha256 or git's name of its content, where known."""

    name: str
    size: int = 0
    sha256: str = ""
    git_sha1: str = ""


def choose(entries: Iterable[Entry], files: Sequence[str], variant: str, model: str) -> list[Entry]:
    """The files that a model wants, small ones first, so that a wrong configuration shows early.

    Args:
        files: patterns. Without any: the weights in safetensors of one precision (`variant`, else the plain ones)
            with configurations and tokenizers; of a pipeline only its parts, not the all-in-one file beside them.

    Raises:
        StudioError: missing_files; only_pickles where there are weights, and none that cannot run code.
    """
    found = {entry.name: entry for entry in entries if inside(entry.name)}
    by_name = {name: entry for name, entry in found.items() if not name.lower().endswith(PICKLES)}
    if files:
        names = {name for name in by_name if any(fnmatchcase(name, pattern) for pattern in files)}
        for pattern in files:
            if not any(sign in pattern for sign in "*?[") and pattern not in names:
                raise StudioError("missing_files", model=model, file=pattern)
    else:
        names = _usual(by_name, variant)
    if not any(name.endswith(WEIGHTS) for name in names):
        pickle = next((name for name in sorted(found) if name not in by_name), "")
        if pickle and not any(name.endswith(WEIGHTS) for name in by_name):
            raise StudioError("only_pickles", model=model, file=pickle)
        raise StudioError("missing_files", model=model, file="*.safetensors")
    return sorted((by_name[name] for name in names), key=lambda entry: (entry.size, entry.name))


def _usual(by_name: Iterable[str], variant: str) -> set[str]:
    names = {name for name in by_name if name.endswith(USUAL) and not SIDE_FOLDERS & set(name.split("/")[:-1])}
    weights = {name for name in names if name.endswith(".safetensors")}
    if "model_index.json" in names:
        names -= {name for name in weights if "/" not in name}
    if any(not PurePosixPath(name).name.startswith("consolidated") for name in weights):
        names -= {name for name in weights if PurePosixPath(name).name.startswith("consolidated")}
    for parent in {PurePosixPath(name).parent for name in names & weights}:
        here = {name for name in names & weights if PurePosixPath(name).parent == parent}
        marked = {name: match[1] for name in here if (match := _VARIANT.search(PurePosixPath(name).name))}
        meant = {name for name, mark in marked.items() if mark == variant}
        names -= here - (meant or here - set(marked) or here)
    return names


def inside(name: str) -> bool:
    """The name stays inside the folder that it is put into."""
    path = PurePosixPath(name)
    return not (path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name)
