"""Uploads: counted in bytes while they come, for each person, each address and all together.

Gradio looks at the size of one file and at nothing else: fifty of them fill a disk, the part of it that is to stay free
included. Here what comes is counted against the disk and, on a studio that others use, against shares. Somebody who has
more than their share loses their own oldest files first; the disk's reserve and everybody's share together are hard.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.api.message import length, pour_away
from studio.errors import StudioError
from studio.paths import gigabytes
from studio.settings import Settings
from tabs.door.bodies import sender
from tabs.door.gate import API, local_path
from tabs.door.refusal import Refusal
from tabs.shared import identity

STRANGERS, KNOWN = (8, 16, 64), (64, 128, 256)
"""Largest files (STUDIO_MAX_UPLOAD_MB) that one person, one address and everybody together may have here: on a public
studio, and among people who know the password."""
KEPT_SECONDS = 3600.0
"""How long a public studio keeps an upload."""
_MORE = 200_000  # what stands round the files in a form
_PIECE = 1_000_000  # bytes between two looks at the disk


@dataclass(slots=True)
class _Entry:
    who: str
    where: str
    nbytes: int
    when: float = field(default_factory=time.time)
    files: tuple[str, ...] | None = None  # None while it comes


class Ledger:
    """What was uploaded, by whom, and how much of it is still here. Safe to use from several threads.

    Args:
        folder: where uploads lie. keep_free: bytes of its disk that stay free.
        limits: bytes for a person, an address and all; None where only the disk bounds them.
        kept: seconds until an upload is removed; None where that is somebody else's business.
    """

    def __init__(
        self, folder: Path, keep_free: int, limits: tuple[int, int, int] | None = None, kept: float | None = None
    ) -> None:
        self._folder, self._keep_free, self._limits, self._kept = folder, keep_free, limits, kept
        self._entries: list[_Entry] = []
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings, folder: Path) -> Ledger:
        """The ledger that a studio with these settings keeps."""
        largest = settings.max_upload_mb * 1_000_000
        person, place, everybody = (largest * many for many in (STRANGERS if settings.public else KNOWN))
        limits = None if settings.profile == "local" else (person, place, everybody)
        return cls(folder, int(settings.keep_free_gb * 1e9), limits, KEPT_SECONDS if settings.public else None)

    def open(self, who: str, where: str, nbytes: int) -> _Entry:
        """Room for an upload of so many bytes.

        Raises:
            StudioError: uploads_full, upload_too_large or no_space.
        """
        with self._lock:
            self._tidy()
            self._make_room(who, where, nbytes)
            entry = _Entry(who, where, nbytes)
            self._entries.append(entry)
            return entry

    def grow(self, entry: _Entry, nbytes: int) -> None:
        """An upload turns out to have so many bytes. Raises as `open`."""
        with self._lock:
            if self._limits is not None and nbytes > self._limits[0]:
                raise StudioError("upload_too_large", limit=gigabytes(self._limits[0]))
            if nbytes > entry.nbytes:
                self._make_room(entry.who, entry.where, nbytes - entry.nbytes)
                entry.nbytes = nbytes
            self._check_disk(0)

    def close(self, entry: _Entry, files: Iterable[str]) -> None:
        """An upload is over; it left these files, or nothing."""
        with self._lock:
            entry.files = tuple(files)
            if not entry.files:
                self._entries.remove(entry)

    def theirs(self, file: str, who: str) -> bool:
        """Whether somebody may name a file: one that they sent, or that nobody did."""
        with self._lock:
            senders = {entry.who for entry in self._entries if entry.files and file in entry.files}
        return not senders or who in senders

    def tidy(self) -> None:
        """Remove what was kept long enough, and what was never to be named: parts of forms that were no files."""
        with self._lock:
            self._tidy()
            for stray in self._folder.glob("tmp*"):
                with contextlib.suppress(OSError):
                    if stray.is_file() and time.time() - stray.stat().st_mtime > KEPT_SECONDS:
                        stray.unlink()

    @property
    def total(self) -> int:
        """Bytes that are counted now."""
        return sum(entry.nbytes for entry in self._entries)

    def _make_room(self, who: str, where: str, nbytes: int) -> None:
        self._check_disk(nbytes)
        if self._limits is None:
            return
        person, place, everybody = self._limits
        if nbytes > person:
            raise StudioError("upload_too_large", limit=gigabytes(person))
        mine = [entry for entry in self._entries if entry.who == who]
        for oldest in list(mine):
            if sum(entry.nbytes for entry in mine) + nbytes <= person:
                break
            if oldest.files is not None:
                mine.remove(oldest)
                self._remove(oldest)
        if sum(entry.nbytes for entry in mine) + nbytes > person:
            raise StudioError("uploads_full")
        if sum(entry.nbytes for entry in self._entries if entry.where == where) + nbytes > place:
            raise StudioError("uploads_full")
        if self.total + nbytes > everybody:
            raise StudioError("uploads_full")

    def _check_disk(self, nbytes: int) -> None:
        free = shutil.disk_usage(self._folder).free - self._keep_free
        if free < nbytes:
            raise StudioError("upload_no_space", reserve=gigabytes(self._keep_free))

    def _tidy(self) -> None:
        now = time.time()
        for entry in list(self._entries):
            if entry.files is None:
                continue
            if (self._kept is not None and now - entry.when > self._kept) or not any(
                Path(file).exists() for file in entry.files
            ):
                self._remove(entry)

    def _remove(self, entry: _Entry) -> None:
        """Remove an upload, but for files that somebody else has sent too."""
        self._entries.remove(entry)
        others = {file for other in self._entries for file in other.files or ()}
        for file in entry.files or ():
            place = Path(file)
            if file in others or self._folder.resolve() not in place.resolve().parents:
                continue
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
                place.parent.rmdir()


class Quota:
    """Stands before Gradio's upload and keeps the ledger."""

    def __init__(self, app: ASGIApp, settings: Settings, ledger: Ledger, folder: Path) -> None:
        self._app, self._ledger, self._public, self._folder = app, ledger, settings.public, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or local_path(scope) != API + "upload":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            entry = await asyncio.to_thread(
                self._ledger.open, sender(scope, self._public), identity.address(scope, self._public),
                max((length(headers) or 0) - _MORE, 0),
            )  # fmt: skip
        except StudioError as error:
            await pour_away(receive)
            await Refusal(_status(error), error, scope)(scope, receive, send)
            return
        await self._counted(entry, scope, receive, send)

    async def _counted(self, entry: _Entry, scope: Scope, receive: Receive, send: Send) -> None:
        refused: StudioError | None = None
        size, looked, status = 0, 0, 0
        body = bytearray()

        async def counting() -> Message:
            nonlocal size, looked, refused
            message = await receive()
            if message["type"] != "http.request":  # gone in the middle: said so that what came of it is removed
                raise MultiPartException("The connection was closed.")
            size += len(message.get("body", b""))
            if size - looked >= _PIECE or not message.get("more_body", False):
                looked = size
                try:
                    self._ledger.grow(entry, max(size - _MORE, 0))
                except StudioError as error:
                    refused = error
                    if message.get("more_body", False):
                        await pour_away(receive)
                    raise MultiPartException("No room.") from None
            return message

        async def answering(message: Message) -> None:
            nonlocal status
            if refused is not None:
                return
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counting, answering)
        finally:
            self._ledger.close(entry, _files(bytes(body)) if status == 200 and refused is None else ())
        if refused is not None:
            await Refusal(_status(refused), refused, scope)(scope, receive, send)


def _files(answer: bytes) -> list[str]:
    """What Gradio says it stored."""
    with contextlib.suppress(ValueError):
        found = json.loads(answer)
        if isinstance(found, list):
            return [file for file in found if isinstance(file, str)]
    return []


def _status(error: StudioError) -> int:
    return 413 if error.code == "upload_too_large" else 507
