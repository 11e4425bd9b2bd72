"""The strict reading of one TOML table into a card.

A table is either a whole card or a list of what is wrong with it; nothing is guessed for our own catalogue, and for a
person's own models only what they may leave out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from studio.catalog import editing
from studio.catalog.advice_reader import advice_flaws
from studio.catalog.card import Card, Commercial, Source, measure
from studio.catalog.engines import ENGINES, EngineFacts
from studio.catalog.licence import UNKNOWN
from studio.catalog.source_reader import PLACES, SPEAKS, read_parts, read_source
from studio.catalog.toml_reader import Flaw, TableReader, suggestion
from studio.requests import REQUESTS, TASKS, Task

_NOT_DEFAULTS = {
    *("task", "model", "messages", "image", "prefix", "seed"),
    *("prompts", "mask", "styles", "loras", "variation", "variation_seed"),
    *("melody", "sound", "sound_use", "sound_keep"),
}
OPENAI_TASKS = frozenset({"chat", "code", "image"})
"""What a server that speaks as OpenAI does can be asked for."""
ONE_FILE = ("diffusion", "upscale_network")
"""Engines whose models may be one safetensors file."""
_KEYS = (
    *("title", "task", "tasks", "engine", *PLACES, "revision", "files", "sha256", "licence", "licence_url"),
    *("commercial", "parameters", "disk", "memory", "least_memory", "languages", "summary", "starter", "gated"),
    *("defaults", "limits", "options", "advice", "parts", "isolate", "unchecked"),
)


def read_card(id: str, table: object, *, own: bool, home: Path) -> Card | list[Flaw]:
    """The card that `table` describes, or everything that is wrong with it.

    Args:
        own: the user wrote it: only a task and a place are required, and `path` is allowed.
        home: what a relative `path` is relative to.
    """
    reader = TableReader(table if isinstance(table, dict) else {})
    if not isinstance(table, dict):
        return [Flaw("", "must be a table")]
    if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", id):
        reader.flaw("", "an id has small letters, digits, dots and single dashes only, like my-model-2b")
    card = _card(reader, id, own, home)
    return reader.flaws or card


def _card(reader: TableReader, id: str, own: bool, home: Path) -> Card:
    for key in reader.table:
        if key not in _KEYS:
            reader.flaw(key, "unknown field" + suggestion(key, _KEYS))
    tasks = _tasks(reader)
    away = "remote" in reader.table
    bare = not own and (named := _facts(reader.table.get("engine"))) is not None and not named.files and not away
    source = Source("bundled") if bare else read_source(reader, own, home)
    engine = "remote" if away else reader.text("engine", needed=not own) or guess_engine(tasks, source)
    if (reader.table.get("engine", engine) == "remote") != away:
        reader.flaw("engine", "remote is for a model that says where it is computed: remote = an address")
    facts = _facts(engine)
    if facts is None:
        reader.flaw("engine", f"no engine is called {engine}" + suggestion(engine, sorted(ENGINES)))
    elif away:
        _check_remote(reader, tasks)
    elif not set(tasks) <= set(facts.tasks):
        reader.flaw("engine", f"{engine} does {' and '.join(sorted(facts.tasks))}, not {', '.join(tasks)}")
    if engine == "llama" and source.kind in ("hub", "package") and not source.files:
        reader.flaw("files", "name the one .gguf file that is meant")
    if engine not in ONE_FILE and source.kind == "local" and source.path.lower().endswith(".safetensors"):
        reader.flaw("path", "give the folder, which holds the model's configuration too")
    defaults, limits = reader.mapping("defaults"), reader.mapping("limits")
    _check_defaults(reader, tasks, defaults, limits)
    if source.kind == "local" and "image" in tasks:
        limits = {**editing.limits_of(Path(source.path)), **limits}
    link = reader.text("licence_url", needed=not own)
    if link and not link.startswith("https://"):
        reader.flaw("licence_url", "must start with https://")
    sized = not own and not bare and not away
    disk = reader.size("disk", needed=sized) or (measure(Path(source.path)) if source.kind == "local" else 0)
    memory = reader.size("memory", needed=sized) or disk
    return Card(
        id=id,
        title=reader.text("title", needed=not own) or id,
        tasks=tasks,
        engine=engine,
        source=source,
        licence=reader.text("licence", needed=not own) or UNKNOWN,
        licence_url=link,
        commercial=_commercial(reader, own),
        parameters=reader.whole("parameters", needed=sized),
        disk_bytes=disk,
        memory_bytes=memory,
        least_memory=reader.size("least_memory", needed=sized) or memory,
        languages=reader.texts("languages", needed=not own and tasks != ("upscale",)),
        summary=_summary(reader, own),
        starter=reader.flag("starter"),
        gated=reader.flag("gated"),
        defaults=defaults,
        limits=limits,
        options=reader.mapping("options"),
        advice=_advice(reader, tasks),
        own=own,
        parts=read_parts(reader, source, own, engine == "diffusion"),
        isolate=reader.flag("isolate", default=own and facts is not None and facts.native),
        unchecked=reader.texts("unchecked"),
    )


def _check_remote(reader: TableReader, tasks: tuple[Task, ...]) -> None:
    """Whether what a remote server speaks has words for its tasks."""
    options = reader.mapping("options")
    if options.get("speaks", SPEAKS[0]) == "openai" and not set(tasks) <= OPENAI_TASKS:
        reader.flaw("options.speaks", f"openai has {', '.join(sorted(OPENAI_TASKS))}; another Atelier has all tasks")
    if reader.table.get("starter") or reader.table.get("isolate") or reader.table.get("parts"):
        reader.flaw("remote", "a remote model is no starter, and has neither parts nor a process here")


def _commercial(reader: TableReader, own: bool) -> Commercial:
    if reader.table.get("commercial") == "under-1m":
        return "under-1m"
    return reader.flag("commercial", needed=not own) if not own or "commercial" in reader.table else None


def _facts(engine: object) -> EngineFacts | None:
    return ENGINES.get(engine) if isinstance(engine, str) else None


def _tasks(reader: TableReader) -> tuple[Task, ...]:
    if "task" in reader.table and "tasks" in reader.table:
        reader.flaw("task", "give task or tasks, not both")
    key = "task" if "task" in reader.table else "tasks"
    names = (reader.text("task"),) if key == "task" else reader.texts("tasks", needed=True)
    for name in names:
        if name not in TASKS:
            reader.flaw(key, f"{name} is not one of {', '.join(TASKS)}" + suggestion(name, TASKS))
    return tuple(task for task in TASKS if task in names)


def _check_defaults(
    reader: TableReader, tasks: tuple[Task, ...], defaults: Mapping[str, Any], limits: Mapping[str, Any]
) -> None:
    known = {f.name for task in tasks for f in fields(REQUESTS[task])} - _NOT_DEFAULTS
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


def _advice(reader: TableReader, tasks: tuple[Task, ...]) -> Mapping[str, Any]:
    advice = reader.mapping("advice")
    if advice and "image" not in tasks:
        reader.flaw("advice", "is for models that paint")
    for name, message in advice_flaws(advice):
        reader.flaw(f"advice.{name}", message)
    return advice


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
    if "image" in tasks:
        return "diffusion"
    if any(name.lower().endswith((".gguf", "-gguf")) for name in names) or (folder and any(folder.glob("*.gguf"))):
        return "llama"
    if "upscale" in tasks:
        one = source.path if source.kind == "local" else source.files[0] if len(source.files) == 1 else ""
        return "upscale_network" if one.lower().endswith(".safetensors") else "upscaler"
    if "music" in tasks:
        try:
            text = (folder / "config.json").read_text("utf-8", "replace") if folder else source.repo
        except OSError:
            text = ""
        if '"format": "audiocraft"' in text:
            return "audiocraft"
        return "musicgen" if "musicgen" in text.lower() else "audio_diffusion"
    return "caption" if "caption" in tasks else "text"
