"""Conversations of visitors, which their browsers keep: what a browser has and what is here, made the same.

A public studio keeps nothing of strangers for long (studio.library.expiry). While somebody is there it works on copies;
whatever changes in them goes to the browser, and what the browser alone has comes back from it. What comes is read as a
file of a stranger's is: it may be anything.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock

from studio.errors import StudioError
from studio.library import chat_file
from studio.library.chats import ChatInfo, Chats
from studio.media import pdf
from studio.paths import occupied
from studio.request_parts import Attachment
from studio.tasks.chat.attachments import read_attachment
from studio.tasks.chat.conversation import Chat, short

MOST, MOST_BYTES = 200, 20_000_000
"""Conversations of one visitor, and bytes of them all with what came along; the oldest go first."""
ONE_BYTES = 8_000_000
"""Of a conversation as a browser keeps it, its files included."""
ANSWER_BYTES = 4_000_000
"""After so many no further conversation goes to the browser at once."""
ROOM = 2_000_000_000
"""Bytes that whatever all strangers have sent may take."""
LOOK_SECONDS = 5.0
"""How long a look at what it takes is good: it walks through all sessions, and in so short a time the quota on uploads
(tabs.door.upload_quota) lets little more come."""
_IDS = 4 * MOST


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation as a browser keeps it.

    Attributes:
        stamp: changes with every change. file: its JSON; empty where that is too large.
    """

    id: str
    title: str
    updated: str
    stamp: str
    file: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What a browser has to do so that it has what is here.

    Attributes:
        missing: what it has and is not here: it may send it. gone: what it has to forget.
        changed: what it has not, or not as it is now. more: there are others, to be asked for next.
        left_out: titles of those that had to go because there were too many.
    """

    missing: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[Kept, ...]
    more: bool
    left_out: tuple[str, ...]


class Room:
    """What strangers may take of the disk, all together.

    Args:
        folder: where all that they sent lies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._taken, self._due = 0, 0.0

    def require(self) -> None:
        """Raises StudioError strangers_full where it is taken."""
        with self._lock:
            if time.monotonic() >= self._due:
                self._taken = occupied(self._folder)
                self._due = time.monotonic() + LOOK_SECONDS
            taken = self._taken
        if taken > ROOM:
            raise StudioError("strangers_full")


def compare(store: Chats, have: Mapping[str, str]) -> Difference:
    """What a browser has to do.

    Args:
        have: id -> stamp, as the browser was told it.
    """
    left_out = _made_room(store)
    stamps, deleted = store.stamps(), store.deleted()
    names = list(have)[:_IDS]
    deleted |= {info.id for info in left_out}
    gone = [id for id in names if id in deleted and id not in stamps]
    missing = [id for id in names if id not in stamps and id not in deleted]
    changed, size, more = list[Kept](), 0, False
    for info in store.list():
        stamp = stamps.get(info.id)
        if stamp is None or have.get(info.id) == stamp:
            continue
        if size > ANSWER_BYTES:
            more = True
            break
        try:
            file = store.export_json(info.id)
        except StudioError:
            continue
        kept = Kept(info.id, info.title, info.updated, stamp, file if len(file.encode()) <= ONE_BYTES else "")
        changed.append(kept)
        size += len(kept.file)
    return Difference(tuple(missing), tuple(gone), tuple(changed), more, tuple(info.title for info in left_out))


def take_in(store: Chats, id: str, file: str) -> bool:
    """Keep what a browser brings back; what is here already stays as it is.

    Returns:
        Whether it is here now. False where it cannot be read or there is no room for it.

    Raises:
        StudioError: the disk is full or refuses.
    """
    data = file.encode("utf-8", "replace")
    if len(data) > ONE_BYTES:
        return False
    stamps = store.stamps()
    if id in stamps:
        return True
    if len(stamps) >= MOST or store.nbytes() + len(data) > MOST_BYTES:
        return False
    try:
        chat = chat_file.parse(data, id)
        return store.adopt(id, _harmless(chat))
    except StudioError as error:
        if error.code in ("bad_file", "chat_newer", "chat_full", "unknown_chat"):
            return False
        raise


def _harmless(chat: Chat) -> Chat:
    """A conversation of a stranger's: its time is one, its files are what they say."""
    try:
        datetime.fromisoformat(chat.updated)
    except ValueError:
        chat = replace(chat, updated="")
    return replace(chat_file.with_files(chat, _checked), title=short(chat.title), extra={})


def _checked(one: Attachment) -> Attachment:
    """A file that came along, without its bytes where a stranger could not have sent them."""
    if not one.data or (not one.picture and pdf.is_pdf(one.data)):
        return replace(one, data=b"")
    try:
        found = read_attachment(one.name, one.data, public=True)
    except StudioError:
        return replace(one, data=b"")
    return found if (found.sha256, found.picture) == (one.sha256, one.picture) else replace(one, data=b"")


def _made_room(store: Chats) -> tuple[ChatInfo, ...]:
    """Have the oldest go where there are too many; what is pinned goes last. Returns them."""
    found = store.list()  # those that are pinned first, newest first
    taken, gone = store.nbytes(), list[ChatInfo]()
    for place, info in reversed(list(enumerate(found))):
        if place == 0 or (place < MOST and taken <= MOST_BYTES):
            break
        taken -= store.nbytes(info.id)
        store.delete(info.id)
        gone.append(info)
    if gone:
        store.sweep()
    return tuple(gone)
