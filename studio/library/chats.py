"""Conversations on disk: one JSON file each (studio.library.chat_file), and a folder for what came along in it.

A list of a thousand reads only the head of each file, because what a list shows stands first in it. Ids are random and
are the file's name; nothing else can become a path. A file that cannot be understood gets another name, so that no list
stumbles over it twice and nothing overwrites it.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import secrets
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from studio.errors import StudioError
from studio.library import chat_file, foreign_chats
from studio.library.chat_file import FORMAT, MAX_BYTES
from studio.library.chat_search import Texts
from studio.paths import disk_error, occupied, opened, write
from studio.request_parts import Attachment
from studio.tasks.chat.conversation import Chat, Entry, short

__all__ = ["FORMAT", "MAX_BYTES", "Chat", "ChatInfo", "Chats", "Entry"]

HEAD = 4096
TRASH_DAYS = 30
ASIDE = ".damaged"
_ID = re.compile(r"[0-9a-f]{16}")
_log = logging.getLogger(__name__)


class _Lock:
    """A lock that a weak dictionary can hold."""

    def __init__(self) -> None:
        self.held = threading.RLock()


_locks: WeakValueDictionary[Path, _Lock] = WeakValueDictionary()
_naming = threading.Lock()


@dataclass(frozen=True, slots=True)
class ChatInfo:
    """What a list of conversations shows. `updated` is ISO, UTC."""

    id: str
    title: str
    updated: str
    pinned: bool = False


class Chats:
    """The conversations in one folder. Safe to use from several threads and by several of these objects.

    Of two writers the last one stays; who adds to what is there does so in a `change`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _naming:
            self._shared = _locks.setdefault(folder.absolute(), _Lock())
        self._lock = self._shared.held
        self._texts = Texts()
        self._passed: dict[str, StudioError] = {}  # files that lie in the folder and cannot be listed

    def new(self, *, system: str = "", model: str = "", parameters: Mapping[str, Any] | None = None) -> Chat:
        """An empty conversation with an id of its own. It is written at its first `save`."""
        return Chat(id=secrets.token_hex(8), system=system, model=model, parameters=dict(parameters or {}))

    def list(self) -> tuple[ChatInfo, ...]:
        """All conversations, those that are pinned first, newest first. `unread` tells of those that cannot be read."""
        self._passed = {}
        found = [info for path in self._files() if (info := self._info(path))]
        return tuple(sorted(found, key=lambda info: (info.pinned, info.updated, info.id), reverse=True))

    def unread(self) -> tuple[StudioError, ...]:
        """What to tell of files that the last `list` could not show, and of those that were put aside earlier."""
        kept = sorted(path.name for path in self._folder.glob(f"*.json{ASIDE}*"))
        damaged = (StudioError("chat_aside", count=len(kept), names=", ".join(kept[:3]), folder=str(self._folder)),)
        return (*(damaged if kept else ()), *self._passed.values())

    def load(self, id: str) -> Chat:
        """The conversation `id`. A file that cannot be understood is renamed, whole as it is.

        Raises:
            StudioError: unknown_chat, chat_damaged with the file's new name, chat_newer where a newer version wrote
                it, or chat_unreadable; the last two are left in their place.
        """
        path = self._path(id)
        with self._lock:
            try:
                with opened(path) as file:
                    data = file.read(MAX_BYTES * 2 + 1)
                if len(data) > MAX_BYTES * 2:
                    raise StudioError("chat_unreadable", path=path.name, reason="too large")
            except FileNotFoundError:
                raise StudioError("unknown_chat") from None
            except OSError as error:
                raise StudioError("chat_unreadable", path=path.name, reason=error.strerror or str(error)) from None
            try:
                return replace(chat_file.parse(data, path.name), id=id)
            except StudioError as error:
                if error.code != "bad_file":
                    raise
                raise self._put_aside(path, str(error.params["reason"])) from None

    def save(self, chat: Chat) -> Chat:
        """Write a conversation, whole or not at all; returns it with its new time.

        Raises:
            StudioError: the disk is full or refuses; the older state is kept. chat_full where it has become too large.
        """
        with self._lock:
            return self._write(replace(chat, updated=_now()))

    def change(self, id: str, how: Callable[[Chat], Chat], *, quiet: bool = False) -> Chat:
        """Read a conversation, change it and write it, with nobody between.

        Args:
            quiet: it keeps its place in the list.

        Raises:
            StudioError: as `load` and `save`, or what `how` raises; nothing is written then.
        """
        with self._lock:
            found = self.load(id)
            changed = how(found)
            if changed == found:
                return found
            return self._write(changed) if quiet else self.save(changed)

    def rename(self, id: str, title: str) -> Chat:
        """Give a conversation a title; an empty one returns to the first message's words."""
        with self._lock:
            return self.save(replace(self.load(id), title=short(title)))

    def pin(self, id: str) -> Chat:
        """Put a conversation above the others, or back among them."""
        return self.change(id, lambda chat: replace(chat, pinned=not chat.pinned), quiet=True)

    def delete(self, id: str) -> None:
        """Take a conversation out of the list; one that is gone already is no error. `restore` brings it back for
        TRASH_DAYS."""
        path = self._path(id)
        with self._lock:
            self._empty_trash()
            try:
                self._trash.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.replace(self._trash / path.name)
                os.utime(self._trash / path.name)
                _move(self._attached(id), self._trash / self._attached(id).name)
            except FileNotFoundError:
                return
            except OSError as error:
                raise disk_error(error, path) from error

    def restore(self, id: str) -> None:
        """Bring back a conversation that was deleted. Raises StudioError: unknown_chat where it is gone for good."""
        path = self._path(id)
        with self._lock:
            if path.exists():
                return
            try:
                (self._trash / path.name).replace(path)
                _move(self._trash / self._attached(id).name, self._attached(id))
            except FileNotFoundError:
                raise StudioError("unknown_chat") from None
            except OSError as error:
                raise disk_error(error, path) from error

    def adopt(self, id: str, chat: Chat) -> bool:
        """Keep a conversation that somebody else kept, under its id and with its time; not where there is one already.

        Returns:
            Whether it was written.

        Raises:
            StudioError: unknown_chat for what is no id; as `save`.
        """
        path = self._path(id)
        with self._lock:
            if path.exists():
                return False
            self._write(replace(chat, id=id, updated=chat.updated or _now()))
            return True

    def stamps(self) -> dict[str, str]:
        """Each conversation by its id, with what changes whenever it is written."""
        found = dict[str, str]()
        for path in self._files():
            with suppress(OSError):
                state = path.stat()
                found[path.stem] = f"{state.st_mtime_ns:x}-{state.st_size:x}"
        return found

    def deleted(self) -> frozenset[str]:
        """The ids of those that `restore` could bring back."""
        return frozenset(path.stem for path in self._trash.glob("*.json"))

    def nbytes(self, id: str = "") -> int:
        """Bytes of a conversation with what came along; by default of all, deleted ones too."""
        return occupied(self._attached(id)) + _size(self._path(id)) if id else occupied(self._folder)

    def sweep(self) -> None:
        """Have what was deleted go for good."""
        with self._lock:
            self._empty_trash(0)

    def attachment(self, id: str, one: Attachment) -> bytes:
        """The bytes of a file that came along in a conversation; nothing where they are gone or changed."""
        try:
            data = one.data or self.place(id, one).read_bytes()
        except OSError:
            return b""
        return data if hashlib.sha256(data).hexdigest() == one.sha256 else b""

    def place(self, id: str, one: Attachment) -> Path:
        """Where a file lies that came along in a conversation. It need not be there any more."""
        return self._attached(id) / one.sha256

    def branch(self, chat: Chat, at: int) -> Chat:
        """Keep another conversation that begins as this one does, up to and with the message in place `at`."""
        return self.save(self._whole(chat).branch(at, self.new().id))

    def search(self, text: str) -> tuple[ChatInfo, ...]:
        """Conversations whose title or messages hold every word of `text`, in any case; newest first."""
        words, stamps, found = text.casefold().split(), self.stamps(), list[ChatInfo]()
        for info in self.list():
            try:
                whole = self._texts.get(info.id, stamps.get(info.id, ""), self.load)
            except StudioError:
                continue
            if all(word in whole for word in words):
                found.append(info)
        return tuple(found)

    def export_markdown(self, id: str, marking: chat_file.Marking = chat_file.UNMARKED) -> str:
        """The conversation as Markdown (`chat_file.markdown`)."""
        return chat_file.markdown(self.load(id), marking)

    def export_json(self, id: str) -> str:
        """The conversation as `import_json` reads it."""
        return chat_file.dump(self._whole(self.load(id)), foreign_chats.MAX_BYTES)

    def export_all(self) -> bytes:
        """Every conversation that can be read, as a zip of JSON files named by day and title."""
        packed, names = io.BytesIO(), set[str]()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for info in self.list():
                try:
                    whole = self.export_json(info.id)
                except StudioError:
                    continue
                title = re.sub(r"[^\w -]+", "", info.title).strip()[:40] or "conversation"
                name = f"{info.updated[:10]} {title}"
                name = name if name not in names else f"{name} {info.id}"
                names.add(name)
                archive.writestr(f"{name}.json", whole)
        return packed.getvalue()

    def import_file(self, data: bytes, name: str, most: int = foreign_chats.MOST) -> tuple[Chat, ...]:
        """Keep the conversations of a file, ours or another program's, under new ids (studio.library.foreign_chats).

        Those with a time keep it, so that they stand where they belong.

        Args:
            most: conversations that are kept of a file; the others are passed over.

        Raises:
            StudioError: bad_file where there is none in it, file_too_large; the disk is full or refuses: those before
                stay.
        """
        limit = foreign_chats.MAX_BYTES
        if len(data) > limit:
            raise StudioError("file_too_large", size=f"{len(data) // 10**6} MB", limit=f"{limit // 10**6} MB")
        kept = []
        for found in foreign_chats.read(data, name)[:most]:
            chat = replace(found, id=secrets.token_hex(8), updated=found.updated or _now(), pinned=False)
            kept.append(self._write(chat))
        return tuple(kept)

    @property
    def _trash(self) -> Path:
        return self._folder / ".trash"

    def _empty_trash(self, days: float = TRASH_DAYS) -> None:
        past = time.time() - days * 86_400
        for file in self._trash.glob("*.json"):
            with suppress(OSError):
                if file.stat().st_mtime <= past or not days:
                    file.unlink()
                    shutil.rmtree(self._trash / self._attached(file.stem).name, ignore_errors=True)

    def _attached(self, id: str) -> Path:
        """The folder of what came along in a conversation: each file by its hash."""
        return self._path(id).with_suffix(".files")

    def _whole(self, chat: Chat) -> Chat:
        """The conversation with the bytes of all that came along."""
        return chat_file.with_files(chat, lambda one: replace(one, data=self.attachment(chat.id, one)))

    def _write(self, chat: Chat) -> Chat:
        """Write a conversation and, before it, what is new of its files; returns it without their bytes."""
        folder = self._attached(chat.id)
        for one in chat_file.files_of(chat):
            if one.data and not (folder / one.sha256).exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write(folder / one.sha256, one.data)
        bare = chat_file.with_files(chat, lambda one: replace(one, data=b""))
        write(self._path(chat.id), chat_file.dump(bare))
        return bare

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
            with opened(path) as file:
                head = file.read(HEAD)
        except FileNotFoundError:
            return None
        except OSError:
            head = b""
        found: dict[str, Any] = {}
        for line in head.splitlines()[1:5]:
            try:
                found.update(json.loads(b"{" + line.strip().rstrip(b",") + b"}"))
            except (ValueError, TypeError):
                break
        keys = ("format", "shown_title", "updated")
        if found.get("format") == FORMAT and all(_is_text(found.get(key)) for key in keys):
            return ChatInfo(path.stem, found["shown_title"], found["updated"], found.get("pinned") is True)
        try:
            chat = self.load(path.stem)
        except StudioError as error:
            if error.code not in ("chat_damaged", "unknown_chat"):
                self._passed[path.name] = error
                _log.warning("%s is passed over: %s", path.name, error)
            return None
        return ChatInfo(chat.id, chat.shown_title, chat.updated, chat.pinned)

    def _put_aside(self, path: Path, reason: str) -> StudioError:
        """Give a file another name, one that no file has yet. Returns what to tell of it."""
        names = (f"{path.name}{ASIDE}{number or ''}" for number in range(1000))
        kept = next(path.with_name(name) for name in names if not path.with_name(name).exists())
        try:
            path.rename(kept)
        except OSError as error:  # a folder that may only be read
            _log.warning("%s is damaged (%s) and stays where it is: %s", path.name, reason, error)
            return StudioError("chat_unreadable", path=path.name, reason=reason)
        _log.warning("%s is damaged (%s) and is now called %s", path.name, reason, kept.name)
        return StudioError("chat_damaged", path=path.name, reason=reason, kept=kept.name)


def _move(folder: Path, to: Path) -> None:
    """Move what came along with its conversation."""
    if folder.is_dir():
        shutil.rmtree(to, ignore_errors=True)
        folder.replace(to)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _is_text(value: object) -> bool:
    """Whether it is text without halves of characters."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _now() -> str:
    """Fine enough that two saves in a row keep their order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
