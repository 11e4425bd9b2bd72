"""Items of the library: what one file says of itself, as a row of the index can hold it.

A row follows from the file and from what lies beside it and from nothing else, so that an index that was lost is made
again exactly as it was (studio.library.archive).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from studio.errors import StudioError
from studio.library import chat_file, scan
from studio.media import formats
from studio.recipes import inspect, origins
from studio.requests import Task
from studio.tasks.code import languages, text_file

Kind = Literal["picture", "sound", "text", "code", "chat", "notes"]
CHATS = "chat"
"""What stands before the id of a conversation, as the folder of its task stands before that of another output."""
IMPORTED = "imported"
"""The folder, beside those of the tasks, of what was not made here."""
SOUNDS = (".wav", ".flac", ".mp3", ".ogg")
TEXTS = (".txt", ".md", ".markdown")
NOTES = (".mid", ".midi")
KEPT_NOTES = ".midi"
"""How notes from elsewhere end here: a .mid is what lies beside a piece and goes where that goes."""
MAX_WORDS = 200_000
"""Letters of one item that are searched: a very long conversation is found by its beginning."""
MAX_TITLE = 200
_FOREIGN: dict[Kind, Task] = {
    "picture": "image", "sound": "music", "notes": "music", "text": "caption", "code": "code",
}  # fmt: skip
"""The task under which a kind from elsewhere is found."""
_PROSE = ("prompt", "lyrics", "players", "key", "path")


@dataclass(frozen=True, slots=True)
class Item:
    """One picture, piece, caption, completion or conversation; of what comes from elsewhere also a text, and notes.

    Attributes:
        id: its path below the outputs; of a conversation `chat/` and its own id.
        at: when it was made, or last spoken in, in milliseconds since 1970.
        title: what a person would call it: its prompt, its words, its name.
        model: the id of what made it; of imported ones whatever they name.
        words: all that it is searched by, folded.
        star, tags, note, collections: what a person marked it with.
    """

    id: str
    task: Task
    kind: Kind
    at: int
    title: str
    model: str = ""
    model_title: str = ""
    words: str = ""
    size: int = 0
    stamp: str = ""
    foreign: bool = False
    star: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    collections: tuple[str, ...] = ()

    @property
    def made(self) -> datetime:
        """When it was made, in this machine's time."""
        return datetime.fromtimestamp(self.at / 1000, UTC).astimezone()


def folded(text: str) -> str:
    """A text as it is searched: one form of each letter, no case, one blank between words."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def of_output(path: Path, root: Path, stamp: str) -> Item | None:
    """The item of a file below the outputs folder `root`; None where it is none of ours.

    Args:
        stamp: kept with it; it changes when the file does.
    """
    id = path.relative_to(root).as_posix()
    folder = id.partition("/")[0]
    try:
        size, written = path.stat().st_size, path.stat().st_mtime
    except OSError:
        return None
    made = scan.recipe_of(path, folder)
    if folder == IMPORTED:
        return _imported(path, id, made, size, written, stamp)
    if made is None or made["task"] != folder:
        return None
    task: Task = made["task"]
    text = _text(path) if task in ("code", "caption") else ""
    if text is None:
        return None
    told = origins.painting(made)
    given = told["parameters"]
    title = _line(text) or _line(str(given.get("prompt") or "")) or path.stem
    kind: Kind = {"image": "picture", "upscale": "picture", "music": "sound", "code": "code"}.get(task, "text")  # pyright: ignore
    parts = [text, *_prose(given), _tail(given), path.stem]
    return _item(id, task, kind, _when(made["made"], written), title, made["model"], parts, size, stamp)


def of_chat(path: Path, stamp: str) -> Item | None:
    """The item of a conversation's file; None where it cannot be read or says nothing yet."""
    try:
        data = path.read_bytes()
        chat = chat_file.parse(data, path.name)
        written = path.stat().st_mtime
    except (OSError, StudioError):
        return None
    model = {"id": chat.model, "title": chat.model}
    parts = [chat.shown_title, *(entry.content for entry in chat.messages)]
    title = _line(chat.shown_title) or path.stem
    id = f"{CHATS}/{path.stem}"
    return _item(id, "chat", "chat", _when(chat.updated, written), title, model, parts, len(data), stamp)


def kind_of(path: Path) -> Kind | None:
    """What a file that was not made here is taken for, by its name; None for what the library does not take."""
    suffix = path.suffix.lower()
    by_suffix: tuple[tuple[Kind, Collection[str]], ...] = (
        ("picture", formats.SUFFIXES), ("sound", SOUNDS), ("text", TEXTS), ("notes", NOTES),
    )  # fmt: skip
    for kind, suffixes in by_suffix:
        if suffix in suffixes:
            return kind
    return "code" if languages.of_file(f"x{suffix}") else None


def _imported(
    path: Path, id: str, made: Mapping[str, Any] | None, size: int, written_at: float, stamp: str
) -> Item | None:
    kind = kind_of(path)
    if kind is None:
        return None
    if made is not None and made["task"] in ("image", "upscale", "music"):
        given = origins.painting(made)["parameters"]
        title = _line(str(given.get("prompt") or "")) or path.stem
        parts, when = [*_prose(given), path.stem], _when(made["made"], written_at)
        return _item(id, made["task"], kind, when, title, made["model"], parts, size, stamp, foreign=True)
    if kind in ("text", "code"):
        text = written(path)
        if text is None:
            return None
        title, about = _line(text) if kind == "text" else path.name, _FOREIGN[kind]
        return _item(id, about, kind, int(written_at * 1000), title or path.stem, {}, [text, path.name], size, stamp,
                     foreign=True)  # fmt: skip
    fields, model = _foreign(path) if kind == "picture" and size <= scan.MAX_READ else ({}, "")
    title = _line(str(fields.get("prompt") or "")) or path.stem
    task = _FOREIGN[kind]
    named = {"id": model, "title": model}
    return _item(id, task, kind, int(written_at * 1000), title, named, [*_prose(fields), path.stem], size, stamp,
                 foreign=True)  # fmt: skip


def _foreign(path: Path) -> tuple[Mapping[str, Any], str]:
    try:
        found = inspect.read_settings(path.read_bytes())
    except OSError:
        found = None
    return (found.fields, found.model) if found is not None else ({}, "")


def _item(
    id: str, task: Task, kind: Kind, at: int, title: str, model: Mapping[str, Any], parts: Iterable[str], size: int,
    stamp: str, *, foreign: bool = False,
) -> Item:  # fmt: skip
    named, called = str(model.get("id", "")), str(model.get("title", ""))
    words = folded("\n".join((title, *parts, named, called)))[:MAX_WORDS]
    return Item(id, task, kind, at, title, named, called, words, size, stamp, foreign)


def _prose(given: Mapping[str, Any]) -> list[str]:
    """What a person wrote in a request, and the names that they chose."""
    found = [str(given[name]) for name in _PROSE if isinstance(given.get(name), str)]
    for name in ("prompts", "styles"):
        values = given.get(name)
        found += [str(one) for one in values] if isinstance(values, list | tuple) else []
    loras = given.get("loras")
    named = [str(one.get("name", "")) for one in loras if isinstance(one, dict)] if isinstance(loras, list) else []
    return found + named


def _tail(given: Mapping[str, Any]) -> str:
    """The lines of code before a completion, as far as they help to find it."""
    prefix = given.get("prefix")
    return prefix[-4000:] if isinstance(prefix, str) else ""


def written(path: Path) -> str | None:
    """The text of a file from elsewhere, in whatever encoding, with line feeds alone; None where it is none."""
    try:
        return text_file.read(path.read_bytes(), path.name) if path.stat().st_size <= scan.MAX_READ else None
    except (OSError, StudioError):
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _line(text: str) -> str:
    """The first words of a text in one line, without halves of characters."""
    whole = " ".join(text[: MAX_TITLE * 4].encode("utf-8", "replace").decode().split())
    return whole if len(whole) <= MAX_TITLE else whole[: MAX_TITLE - 1].rstrip() + "…"


def _when(told: str, written: float) -> int:
    """Milliseconds of the time that a recipe tells; those of the file where it tells none."""
    try:
        when = datetime.fromisoformat(told)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return int(written * 1000)
