"""One file over HTTP: resumable, checked, cancellable, and under its own name only once it is whole.

The bytes collect in `<name>.part` beside the target. A later call goes on there, as long as a hash says at the end that
the two halves belong together.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

import httpx

from studio.errors import Cancelled, StudioError
from studio.paths import disk_error, require_space
from studio.store.http import Response, get, pause

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further attempt that brought no byte; after the last one it is an error."""
LONGEST_WAIT = 30.0
"""A server that asks for more patience than this is told to the person instead."""
_BLOCK = 1 << 20
_RECHECK = 64 << 20


class DownloadError(Exception):
    """A file did not come; the subclass says why. `explained` puts it into words for a person."""


class RefusedError(DownloadError):
    """The server said no: a status from 400 on that trying again would not change."""

    def __init__(self, status: int, wait: float = 0.0) -> None:
        super().__init__(status, wait)
        self.status = status
        self.wait = wait


class UnreachableError(DownloadError):
    """No server answered: no network, no name, nobody listening."""


class BrokenError(DownloadError):
    """The connection or the server failed again and again. `str()` says how."""


class DamagedError(DownloadError):
    """The whole file arrived and is not what it should be. It was thrown away."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file: where it is, what it must be.

    Attributes:
        size: bytes; 0 where unknown.
        sha256, git_sha1: hexadecimal; empty where unknown. The second is git's name of the content, which the
            hub gives for its small files. Without either, an interrupted download starts over.
    """

    url: str
    size: int = 0
    sha256: str = ""
    git_sha1: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def hasher(self) -> Any:
        if self.git_sha1 and self.size and not self.sha256:
            return hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)
        return hashlib.sha256()

    @property
    def digest(self) -> str:
        return self.sha256 or (self.git_sha1 if self.size else "")


def download(
    wanted: Wanted,
    target: Path,
    *,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
    keep_free: int = 0,
) -> None:
    """Fetch `wanted` to `target`.

    Args:
        progress: called with bytes done and bytes in all (0 = unknown).
        cancelled: asked at least four times a second.
        keep_free: bytes of disk space to leave.

    Raises:
        Cancelled: the person stopped it; the .part file stays.
        StudioError: disk_full, no_space, cannot_write.
        RefusedError, UnreachableError, BrokenError, DamagedError: see there. The .part file stays for all but the last.
    """
    part = target.with_name(target.name + ".part")
    transfer = _Transfer(wanted, part, progress, cancelled, keep_free)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not wanted.digest:
            part.unlink(missing_ok=True)
        resumed = part.exists() and part.stat().st_size > 0
        try:
            transfer.run()
        except DamagedError:
            part.unlink(missing_ok=True)
            if not resumed:
                raise
            transfer.run()  # the half from earlier belonged to something else
        os.replace(part, target)
    except OSError as error:
        raise disk_error(error, target) from error


def fetch_bytes(wanted: Wanted, cancelled: Callable[[], bool]) -> bytes:
    """A small answer, whole. Raises what `download` raises."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "answer"
        download(wanted, target, progress=lambda *_: None, cancelled=cancelled)
        return target.read_bytes()


class _Transfer:
    """The attempts at one file."""

    def __init__(
        self,
        wanted: Wanted,
        part: Path,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
        keep_free: int,
    ) -> None:
        self.wanted, self.part, self.progress, self.cancelled = wanted, part, progress, cancelled
        self.keep_free = keep_free
        self.total = wanted.size
        self.done = 0
        self.hash: Any = None

    def run(self) -> None:
        with self.part.open("ab+", buffering=0) as file:
            try:
                self._rehash(file)
                require_space(self.part.parent, max(self.total - self.done, 0), self.keep_free)
                while not (self.total and self.done == self.total) and not self._connect(file):
                    pass
                os.fsync(file.fileno())
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    file.truncate(0)  # a full disk stops everything else on this machine too
                raise
        if self.wanted.digest and self.hash.hexdigest() != self.wanted.digest:
            raise DamagedError
        self.progress(self.done, self.total or self.done)

    def _connect(self, file: FileIO) -> bool:
        """One connection after the other until one ends well. True where the server says that this was all."""
        started, failed = self.done, 0
        while True:
            before, wait = self.done, 0.0
            try:
                span = {"Range": f"bytes={self.done}-"} if self.done else {}
                with get(self.wanted.url, {**self.wanted.headers, **span}, self.cancelled) as response:
                    return self._receive(response, file)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if "CERTIFICATE_VERIFY" in str(error):
                    raise BrokenError(str(error)) from error
                trouble: Exception = UnreachableError(str(error))
                slow = isinstance(error, httpx.ConnectTimeout)
                patience = len(WAITS) if self.done > started else int(not slow)  # the first answer comes in seconds
            except (httpx.TransportError, _UnwellError) as error:
                trouble = BrokenError(str(error) or type(error).__name__)
                mute = isinstance(error, httpx.ReadTimeout) and self.done == started
                patience = 1 if mute else len(WAITS)
                wait = error.wait if isinstance(error, _UnwellError) else 0.0
            failed = 0 if self.done > before else failed + 1
            if failed > patience:
                raise trouble
            pause(wait or WAITS[max(failed - 1, 0)], self.cancelled)

    def _receive(self, response: Response, file: FileIO) -> bool:
        status = response.status
        if status == 416:
            whole = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("content-range", ""))
            if whole and int(whole[1]) == self.done and not self.wanted.size:
                return True
            if not self.done:
                raise RefusedError(status)
            self._restart(file)
            return False
        if status == 429 or status >= 500:
            wait = _retry_after(response)
            if wait > LONGEST_WAIT:
                raise RefusedError(status, wait)
            raise _UnwellError(f"the server answers {status}", wait)
        if status not in (200, 206):
            raise RefusedError(status)
        total = self._announced(response, file)
        if self.wanted.size and total and total != self.wanted.size:
            self._restart(file)
            raise DamagedError
        self.total = self.wanted.size or total
        if self.total and not self.wanted.size:
            require_space(self.part.parent, self.total - self.done, self.keep_free)
        since = 0
        for chunk in response.chunks():
            _write(file, chunk)
            self.hash.update(chunk)
            self.done += len(chunk)
            since += len(chunk)
            if self.total and self.done > self.total:
                self._restart(file)
                raise DamagedError
            if since >= _RECHECK:
                since = 0
                require_space(self.part.parent, 0, self.keep_free)
            self.progress(self.done, self.total)
        if self.total and self.done < self.total:
            raise _UnwellError("the connection ended early")
        return True

    def _announced(self, response: Response, file: FileIO) -> int:
        """How long the whole file is, as the server says; 0 where it does not. Starts over where it must."""
        if response.status == 206:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
            if not span or int(span[1]) != self.done:
                self._restart(file)
                raise _UnwellError("the server sent another part than the one asked for")
            return int(span[2]) if span[2] != "*" else 0
        if self.done:
            self._restart(file)
        length = response.headers.get("content-length", "")
        return int(length) if length.isdecimal() and "content-encoding" not in response.headers else 0

    def _restart(self, file: FileIO) -> None:
        file.truncate(0)
        self.done = 0
        self.hash = self.wanted.hasher()

    def _rehash(self, file: FileIO) -> None:
        """Take what an earlier attempt left."""
        self.done, self.hash = 0, self.wanted.hasher()
        file.seek(0)
        while block := file.read(_BLOCK):
            if self.cancelled():
                raise Cancelled
            self.hash.update(block)
            self.done += len(block)
        if self.total and self.done > self.total:
            self._restart(file)
        self.progress(self.done, self.total)


class _UnwellError(Exception):
    """Something that may pass."""

    def __init__(self, what: str, wait: float = 0.0) -> None:
        super().__init__(what)
        self.wait = wait


def _write(file: FileIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:  # an unbuffered write may take a part only
        rest = rest[file.write(rest) :]


def _retry_after(response: Response) -> float:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else 0.0


def explained(error: DownloadError, model: str, file: str) -> StudioError:
    """What a person is told when `file` of `model` could not be fetched."""
    if isinstance(error, UnreachableError):
        return StudioError("offline", model=model)
    if isinstance(error, DamagedError):
        return StudioError("bad_hash", model=model, file=file)
    if isinstance(error, RefusedError):
        reason = f"the server refused {file} ({error.status})"
        if error.wait:
            reason = f"the server is busy and asks to come back in {error.wait:.0f} s"
        return StudioError("download_failed", model=model, reason=reason)
    return StudioError("download_failed", model=model, reason=str(error) or type(error).__name__)
