"""The store of finished outputs: home/outputs/<task>/<day>/<time>-<words>-<seed>.png, .wav, .txt or code.

Every file carries its recipe, inside it or, for text, beside it as `<name>.json`. There is no index: what is in
the folders is what there is, so files may be moved, copied and deleted by hand. Knows nothing of models or of
the page.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from studio import media, recipe
from studio.paths import Home, disk_error, inside, require_space, write
from studio.types import TASKS, Artifact, Output, Task

MAX_READ = 200_000_000
SUFFIXES = {
    "python": ".py", "javascript": ".js", "typescript": ".ts", "java": ".java", "c": ".c", "c++": ".cpp", "cpp": ".cpp",
    "c#": ".cs", "csharp": ".cs", "go": ".go", "rust": ".rs", "ruby": ".rb", "php": ".php", "swift": ".swift",
    "kotlin": ".kt", "scala": ".scala", "r": ".r", "julia": ".jl", "lua": ".lua", "perl": ".pl", "shell": ".sh",
    "bash": ".sh", "sql": ".sql", "html": ".html", "css": ".css", "yaml": ".yaml", "toml": ".toml",
    "xml": ".xml", "markdown": ".md", "haskell": ".hs", "dart": ".dart",
}  # fmt: skip
_NAME = re.compile(r"\d{6}-.+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_RECIPE_SUFFIX = ".json"
_WITH_SIDECAR = ("code", "caption")


class Library:
    """What was made, on disk. Safe to use from several threads and several processes.

    Args:
        keep_free: bytes that saving leaves free on the disk.
    """

    def __init__(self, home: Home, keep_free: int = 0) -> None:
        self._root = home.outputs
        self._keep_free = keep_free
        self._lock = threading.Lock()

    def save(self, task: Task, output: Output, made: dict[str, Any]) -> Artifact:
        """Write an output with its recipe: all of its files, or none.

        Chat answers are not written here (studio.chats keeps conversations); their artifact has no files.

        Args:
            made: the recipe of the whole run (studio.recipe.make).

        Raises:
            StudioError: the disk is full or refuses; no file of this output is left behind.
        """
        made = {**made, "finish": output.finish}
        pieces = max(len(output.images), len(output.audio), 1)
        seeds = output.seeds or tuple(made["seed"] + index for index in range(pieces))
        recipes = tuple(recipe.for_seed(made, seed) for seed in seeds)
        words = slug(str(made["parameters"].get("prompt") or output.text or task))
        paths = [] if task == "chat" else self._write_all(task, output, words, recipes)
        return Artifact(
            id=_id(paths[0], self._root) if paths else uuid4().hex,
            task=task,
            files=tuple(paths),
            text=output.text,
            recipe=made,
            recipes=recipes,
            finish=output.finish,
            stats=dict(output.stats),
            notes=output.notes,
        )

    def recent(self, task: Task | None = None, limit: int = 50) -> tuple[Artifact, ...]:
        """The newest artifacts, one a file, newest first. Files that are broken or not ours are passed over."""
        found: list[Artifact] = []
        for path in self._newest(task):
            if len(found) >= limit:
                break
            if artifact := _read(path, self._root):
                found.append(artifact)
        return tuple(found)

    def forget(self, artifact: Artifact) -> None:
        """Delete the artifact's files and their sidecars. Those that are gone already are no error.

        Raises:
            StudioError: a file lies outside the outputs folder, or the disk refuses.
        """
        for path in [inside(self._root, str(file)) for file in artifact.files]:
            for file in (path, _sidecar(path)):
                try:
                    file.unlink(missing_ok=True)
                except OSError as error:
                    raise disk_error(error, file) from error

    def _write_all(self, task: Task, output: Output, words: str, recipes: tuple[dict[str, Any], ...]) -> list[Path]:
        pieces = _pieces(task, output, recipes)
        if not pieces:
            return []
        now = datetime.now()
        folder = self._root / task / now.strftime("%Y-%m-%d")
        started: list[Path] = []
        kept: list[Path] = []
        with self._lock:  # a name is free until it is written
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                require_space(folder, sum(len(data) for data, _, _ in pieces), self._keep_free)
                for data, suffix, own in pieces:
                    path = _free_name(folder, f"{now:%H%M%S}-{words}-{own['seed']}", suffix)
                    if task in _WITH_SIDECAR:  # first: a recipe alone is passed over, a text alone has lost its own
                        started.append(_sidecar(path))
                        write(_sidecar(path), recipe.to_json(own, indent=2) + "\n")
                    started.append(path)
                    write(path, data)
                    kept.append(path)
            except BaseException as error:
                for path in started:
                    path.unlink(missing_ok=True)
                if isinstance(error, OSError):
                    raise disk_error(error, folder) from error
                raise
        return kept

    def _newest(self, task: Task | None) -> Iterator[Path]:
        """Every output file, newest first, reading only the days that are asked for."""
        days = [
            (day.name, day)
            for kind in ([task] if task else TASKS)
            for day in _listed(self._root / kind)
            if _DAY.fullmatch(day.name)
        ]
        for name in sorted({name for name, _ in days}, reverse=True):
            files = [file for day_name, day in days if day_name == name for file in _listed(day)]
            yield from sorted(
                (file for file in files if _NAME.match(file.name) and file.suffix not in (_RECIPE_SUFFIX, ".part")),
                key=lambda file: (file.name[:6], _modified(file), file.name),
                reverse=True,
            )


def slug(text: str, longest: int = 40) -> str:
    """`text` as part of a file name on any system: letters and digits of any script, joined by hyphens."""
    plain = unicodedata.normalize("NFC", text[: longest * 10]).casefold()
    words = "-".join(re.findall(r"[^\W_]+", plain))[:longest]
    while len(words.encode()) > 2 * longest:  # file systems count bytes, and these scripts need three a sign
        words = words[:-1]
    return words.strip("-") or "untitled"


def _pieces(task: Task, output: Output, recipes: tuple[dict[str, Any], ...]) -> list[tuple[bytes, str, dict[str, Any]]]:
    """Content, suffix and recipe of each file."""
    if task in ("image", "upscale"):
        return [(media.encode_png(image, own), ".png", own) for image, own in zip(output.images, recipes, strict=True)]
    if task == "music":
        return [(media.encode_wav(audio, own), ".wav", own) for audio, own in zip(output.audio, recipes, strict=True)]
    if not output.text:
        return []
    language = str(recipes[0]["parameters"].get("language", "")).casefold()
    suffix = SUFFIXES.get(language, ".txt") if task == "code" else ".txt"
    return [(output.text.encode("utf-8", "replace"), suffix, recipes[0])]


def _read(path: Path, root: Path) -> Artifact | None:
    """The artifact of one file, or None where it is none of ours."""
    try:
        beside = path.parent.parent.name in _WITH_SIDECAR
        source = _sidecar(path) if beside else path
        if not path.is_file() or source.stat().st_size > MAX_READ:
            return None
        made = recipe.read(source.read_bytes())
        text = path.read_text(encoding="utf-8") if beside and path.stat().st_size < recipe.MAX_CHARACTERS else ""
    except (OSError, UnicodeDecodeError):
        return None
    if made is None or made["task"] != path.parent.parent.name:
        return None
    return Artifact(
        id=_id(path, root),
        task=made["task"],
        files=(path,),
        text=text,
        recipe=made,
        recipes=(made,),
        finish=made["finish"],
    )


def _free_name(folder: Path, stem: str, suffix: str) -> Path:
    """`stem`, or `stem-2`, `stem-3` … where that is taken."""
    for number in count(1):
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
        if not path.exists() and not _sidecar(path).exists():
            return path
    raise AssertionError


def _id(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + _RECIPE_SUFFIX)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
