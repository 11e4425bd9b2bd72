"""The model files on this machine: are they here, where, how large; fetch them, delete them.

One door for the four kinds of source. States are read from disk each time, so a folder that the user deletes
is simply absent. Knows nothing of loading or of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import filelock

from studio.cards import Card, measure
from studio.errors import Cancelled, StudioError
from studio.paths import Home, disk_error, gigabytes
from studio.sources import hub, local, package, receipts
from studio.sources.transport import LOOK_UP

State = Literal["ready", "partial", "absent"]


class Store:
    """Model files below `home`. Safe to use from several threads and several processes.

    Args:
        offline: never try the network.
        keep_free: bytes of disk space that downloads leave.
    """

    def __init__(self, home: Home, *, offline: bool = False, keep_free: int = 0) -> None:
        self._home = home
        self._offline = offline
        self._keep_free = keep_free

    def state(self, card: Card) -> State:
        """Whether the card's files are here. Cheap: no file is read but a short list of them."""
        if _stays(card):
            return "ready" if local.there(card) else "absent"
        folder = self._folder(card)
        if receipts.files(folder, card):
            return "ready"
        return "partial" if receipts.started(folder) else "absent"

    def path(self, card: Card) -> Path:
        """The card's folder, or its one file.

        Raises:
            StudioError: not_on_disk, missing_files, or unsafe_file for a path of the user's.
        """
        if _stays(card):
            return local.checked(card)
        folder = self._folder(card)
        if files := receipts.files(folder, card):
            return receipts.single(folder, files)
        raise receipts.not_here(card, folder, gigabytes(card.disk_bytes) if card.disk_bytes else "?")

    def fetch(self, card: Card, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Path:
        """Bring the card's files here, going on where an earlier call stopped, and return `path(card)`.

        Blocks until done; a second caller waits for the first and then finds the files.

        Args:
            progress: called with bytes done and bytes in all (0 = unknown); often, from this thread.
            cancelled: asked at least every half second.

        Raises:
            Cancelled: the person stopped it; what arrived is kept.
            StudioError: offline, offline_setting, gated, not_on_hub, not_on_index, bad_hash, missing_files,
                missing_package, no_space, disk_full, download_failed.
        """
        if self.state(card) == "ready" or _stays(card):
            return self.path(card)
        if self._offline:
            raise StudioError("offline_setting", model=card.title)
        with self._alone(card, cancelled, lambda: progress(self.bytes_on_disk(card), card.disk_bytes)):
            if self.state(card) != "ready":
                kind = hub if card.source.kind == "hub" else package
                try:
                    sizes = kind.fetch(self._home, card, progress, cancelled, self._keep_free)
                except OSError as error:
                    raise disk_error(error, self._folder(card)) from error
                receipts.add(self._folder(card), card, sizes)
        return self.path(card)

    def delete(self, card: Card) -> int:
        """Delete the card's downloaded files, whole or part, and return the bytes freed.

        Starters and the user's own paths are never touched: 0.

        Raises:
            StudioError: busy_download while it is being fetched; cannot_write.
        """
        if _stays(card) or self.state(card) == "absent":
            return 0
        looks = iter((False, False, True))
        try:
            with self._alone(card, lambda: next(looks, True), lambda: None):
                folder = self._folder(card)
                freed = receipts.remove(folder, card)
                if card.source.kind == "hub" and not folder.exists():
                    hub.unlock(self._home, card)
                    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
                        folder.parent.rmdir()
                return freed
        except Cancelled:
            raise StudioError("busy_download", model=card.title) from None

    def bytes_on_disk(self, card: Card) -> int:
        """What the card's files occupy now, unfinished downloads included."""
        if _stays(card):
            return measure(local.place(card)) if card.source.path else 0
        return receipts.used(self._folder(card), card)

    def revision(self, card: Card) -> str:
        """What names the exact files: a commit of the hub or a package's version; "" where nothing does."""
        if card.source.kind == "hub":
            return hub.commit(self._home, card)
        return f"{card.source.package}=={card.source.version}" if card.source.kind == "package" else ""

    def _folder(self, card: Card) -> Path:
        return hub.folder(self._home, card) if card.source.kind == "hub" else package.folder(self._home, card)

    @contextmanager
    def _alone(self, card: Card, cancelled: Callable[[], bool], waiting: Callable[[], None]) -> Iterator[None]:
        """Hold this source's lock; while another thread or process has it, ask `cancelled` and call `waiting`."""
        source = card.source
        name = source.repo.replace("/", "--") or f"{source.package}-{source.version}"
        file = self._home.models / ".locks" / f"{source.kind}-{name}.lock"
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


def _stays(card: Card) -> bool:
    """Its files are not ours to fetch or delete."""
    return card.source.kind in ("bundled", "local")
