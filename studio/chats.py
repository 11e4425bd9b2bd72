"""Conversations on disk: one JSON file each, which a person can read, copy and mend.

A list of a thousand reads only the head of each file, because what a list shows stands first in it. Ids are
random and are the file's name; nothing else can become a path. Knows nothing of models or of the page.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from studio.errors import StudioError
from studio.paths import disk_error, write
from studio.requests import Message

FORMAT = "atelier-chat/1"
MAX_BYTES = 20_000_000
TITLE = 60
HEAD = 4096
_ID = re.compile(r"[0-9a-f]{16}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as it is kept: with the recipe of an answer, and when it was written (ISO, UTC)."""

    role: Literal["user", "assistant"]
    content: str
    time: str = ""
    recipe: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation. An empty title means: the first words of the first message."""

    id: str
    title: str = ""
    updated: str = ""
    system: str = ""
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Entry, ...] = ()

    @property
    def shown_title(self) -> str:
        """The title that people see; empty for a conversation that has not begun."""
        first = next((entry.content for entry in self.messages if entry.role == "user"), "")
        return self.title or _short(first)

    def as_messages(self) -> tuple[Message, ...]:
        """The conversation as a request takes it."""
        return tuple(Message(entry.role, entry.content) for entry in self.messages)


@dataclass(frozen=True, slots=True)
class ChatInfo:
    """What a list of conversations shows. `updated` is ISO, UTC."""

    id: str
    title: str
    updated: str


class Chats:
    """The conversations in one folder. Safe to use from several threads; of two writers the last one stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()

    def new(self, *, system: str = "", model: str = "", parameters: Mapping[str, Any] | None = None) -> Chat:
        """An empty conversation with an id of its own. It is written at its first `save`."""
        return Chat(id=secrets.token_hex(8), system=system, model=model, parameters=dict(parameters or {}))

    def list(self) -> tuple[ChatInfo, ...]:
        """All conversations, newest first. Broken files are logged and passed over."""
        found = [info for path in self._files() if (info := self._info(path))]
        return tuple(sorted(found, key=lambda info: (info.updated, info.id), reverse=True))

    def load(self, id: str) -> Chat:
        """The conversation `id`.

        Raises:
            StudioError: unknown_chat, or bad_file where its file cannot be understood.
        """
        path = self._path(id)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise StudioError("bad_file", path=path.name, reason="too large")
            data = path.read_bytes()
        except OSError:
            raise StudioError("unknown_chat") from None
        return replace(_parse(data, path.name), id=id)

    def save(self, chat: Chat) -> Chat:
        """Write a conversation, whole or not at all; returns it with its new time.

        Raises:
            StudioError: the disk is full or refuses; the older state is kept.
        """
        chat = replace(chat, updated=_now())
        with self._lock:
            write(self._path(chat.id), _dump(chat))
        return chat

    def rename(self, id: str, title: str) -> Chat:
        """Give a conversation a title; an empty one returns to the first message's words."""
        with self._lock:
            return self.save(replace(self.load(id), title=_short(title)))

    def delete(self, id: str) -> None:
        """Remove a conversation; one that is gone already is no error."""
        path = self._path(id)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error, path) from error

    def search(self, text: str) -> tuple[ChatInfo, ...]:
        """Conversations whose title or messages hold every word of `text`, in any case; newest first."""
        words = text.casefold().split()
        found = []
        for info in self.list():
            try:
                chat = self.load(info.id)
            except StudioError:
                continue
            whole = "\n".join((chat.shown_title, *(entry.content for entry in chat.messages))).casefold()
            if all(word in whole for word in words):
                found.append(info)
        return tuple(found)

    def export_markdown(self, id: str) -> str:
        """The conversation as Markdown: title, system prompt, one heading a message."""
        chat = self.load(id)
        parts = [f"# {chat.shown_title or 'Conversation'}"]
        if chat.model:
            parts.append(f"*{chat.model}*")
        if chat.system:
            parts.append("\n".join(f"> {line}".rstrip() for line in chat.system.splitlines()))
        for entry in chat.messages:
            parts.append(f"## {'You' if entry.role == 'user' else 'Assistant'}")
            parts.append(entry.content.strip())
        return "\n\n".join(parts) + "\n"

    def export_json(self, id: str) -> str:
        """The conversation as `import_json` reads it."""
        return _dump(self.load(id))

    def import_json(self, data: str | bytes) -> Chat:
        """Keep a conversation that came from elsewhere, under a new id.

        Raises:
            StudioError: bad_file where it is not one of ours, file_too_large.
        """
        raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
        if len(raw) > MAX_BYTES:
            raise StudioError("file_too_large", size=f"{len(raw) // 10**6} MB", limit=f"{MAX_BYTES // 10**6} MB")
        return self.save(replace(_parse(raw, "JSON"), id=secrets.token_hex(8)))

    def _path(self, id: str) -> Path:
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise StudioError("unknown_chat")
        return self._folder / f"{id}.json"

    def _files(self) -> tuple[Path, ...]:
        try:
            return tuple(path for path in self._folder.iterdir() if path.suffix == ".json" and _ID.fullmatch(path.stem))
        except OSError:
            return ()

    def _info(self, path: Path) -> ChatInfo | None:
        """What the list shows, from the first lines where they are ours; from the whole file otherwise."""
        try:
            with path.open("rb") as file:
                head = file.read(HEAD)
        except OSError:
            return None
        found: dict[str, str] = {}
        for line in head.splitlines()[1:5]:
            try:
                found.update(json.loads(b"{" + line.strip().rstrip(b",") + b"}"))
            except (ValueError, TypeError):
                break
        keys = ("format", "shown_title", "updated")
        if found.get("format") == FORMAT and all(isinstance(found.get(key), str) for key in keys):
            return ChatInfo(path.stem, found["shown_title"], found["updated"])
        try:
            chat = self.load(path.stem)
        except StudioError as error:
            _log.warning("%s is passed over: %s", path.name, error)
            return None
        return ChatInfo(chat.id, chat.shown_title, chat.updated)


def _dump(chat: Chat) -> str:
    messages = []
    for entry in chat.messages:
        kept: dict[str, Any] = {"role": entry.role, "content": entry.content}
        if entry.time:
            kept["time"] = entry.time
        if entry.recipe is not None:
            kept["recipe"] = dict(entry.recipe)
        messages.append(kept)
    whole = {
        "format": FORMAT,
        "shown_title": chat.shown_title,  # these three lines are all that a list reads
        "updated": chat.updated,
        "title": chat.title,
        "model": chat.model,
        "system": chat.system,
        "parameters": dict(chat.parameters),
        "messages": messages,
    }
    try:
        text = json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        text.encode()
    except (TypeError, ValueError) as error:
        raise StudioError("bad_file", path=f"{chat.id}.json", reason=str(error)) from None
    return text


def _parse(data: bytes, name: str) -> Chat:
    """A conversation from JSON; what a hand left out is filled, what makes no sense is refused."""
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise StudioError("bad_file", path=name, reason="not JSON") from None
    if not isinstance(found, dict) or not str(found.get("format", "")).startswith("atelier-chat/"):
        raise StudioError("bad_file", path=name, reason="not a conversation of this studio")
    messages, parameters = found.get("messages"), found.get("parameters", {})
    if not isinstance(messages, list) or not isinstance(parameters, dict):
        raise StudioError("bad_file", path=name, reason="messages are missing")
    return Chat(
        id="",
        parameters=parameters,
        messages=tuple(_entry(message, number, name) for number, message in enumerate(messages, 1)),
        **{key: _text(found.get(key)) for key in ("title", "updated", "system", "model")},
    )


def _entry(message: object, number: int, name: str) -> Entry:
    if (
        not isinstance(message, dict)
        or message.get("role") not in ("user", "assistant")
        or not isinstance(message.get("content"), str)
    ):
        raise StudioError("bad_file", path=name, reason=f"message {number} has no role or no text")
    recipe = message.get("recipe")
    kept = recipe if isinstance(recipe, dict) else None
    return Entry(message["role"], message["content"], _text(message.get("time")), kept)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _short(text: str) -> str:
    line = " ".join(text[: TITLE * 20].split())
    return line if len(line) <= TITLE else line[: TITLE - 1].rstrip() + "…"


def _now() -> str:
    """Fine enough that two saves in a row keep their order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
