"""One running studio among others at the same home: what it alone may use, and what those before it left.

    home/cache/instances/<id>/lock    held by the process for as long as it lives
    home/cache/instances/<id>/jobs/   one empty file for each job that has not ended
    home/cache/gradio/<id>/           what its page shows: copies of outputs, uploads
    home/cache/sessions/<id>/         what strangers said and sent, on a public studio

A lock goes with its process, however that ends, so an id without a held lock is that of a dead studio. What the dead
left is cleared at the next start, and what the living use is not.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from studio.errors import StudioError
from studio.paths import Home, disk_error

_log = logging.getLogger(__name__)
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_FRESH = 2.0
"""Seconds for which a lock counts as held although it is not: its process has made it and is about to take it."""


class Instance:
    """The place of this studio in a home.

    Raises:
        StudioError: the home cannot be written, or its disk is full.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._began = time.time()
        self.id = secrets.token_hex(8)
        self.closed = threading.Event()
        self.interrupted: frozenset[str] = frozenset()
        """Jobs that dead studios had not ended, as far as `clear` has found them."""
        self._locks = home.cache / "instances"
        self._lock = FileLock(self._locks / self.id / "lock", thread_local=False)
        try:
            (self._locks / self.id).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
                known = disk_error(error, self._locks)
                if known.code == "cannot_write":
                    raise StudioError(
                        "home_not_writable", path=str(home.root), reason=known.params["reason"]
                    ) from error
                raise known from error
            _log.warning("%s knows no locks; what a killed studio leaves there stays.", self._locks)

    @property
    def shown(self) -> Path:
        """Where copies lie that a page shows; they go with this studio."""
        return self._home.cache / "gradio" / self.id

    @property
    def sessions(self) -> Path:
        """Where strangers' conversations and pictures lie; they go with this studio."""
        return self._home.cache / "sessions" / self.id

    def begun(self, job: str) -> None:
        """Remember that a job runs, until `ended`: should this studio end before, the next one knows."""
        with suppress(OSError):  # a full disk is no reason not to run it
            (self._jobs / job).parent.mkdir(exist_ok=True)
            (self._jobs / job).touch()

    def ended(self, job: str) -> None:
        """A job has come to its end, whatever that is."""
        with suppress(OSError):
            (self._jobs / job).unlink(missing_ok=True)

    @property
    def _jobs(self) -> Path:
        return self._locks / self.id / "jobs"

    def others(self) -> set[str]:
        """Ids of the studios that live at the same home now."""
        found = set[str]()
        for file in self._locks.glob("*/lock"):
            name = file.parent.name
            if name == self.id:
                continue
            with suppress(OSError, NotImplementedError):
                if time.time() - file.stat().st_mtime < _FRESH:
                    found.add(name)
                    continue
                try:
                    with FileLock(file, timeout=0, thread_local=False):
                        pass
                except Timeout:
                    found.add(name)
        return found

    def clear(self) -> None:
        """Take away what dead studios left: what they showed, and the files that they had not finished writing.

        An unfinished file of a living one is never touched: where others live, none is.
        """
        living = self.others()
        dead = [file for file in self._locks.glob("*/jobs/*") if file.parts[-3] not in {self.id, *living}]
        self.interrupted = frozenset(file.name for file in dead)
        for place in (self._home.cache / "gradio", self._home.cache / "sessions", self._locks):
            for entry in list(place.iterdir()) if place.is_dir() else []:
                if entry.name not in {self.id, *living}:
                    _remove(entry)
        if not living:
            home = self._home
            for top in (home.root, home.models, home.cache):  # files of ours; below them lie whole models
                for file in top.glob(".*.part"):
                    self._remove_older(file)
            for folder in (home.outputs, home.chats, home.inputs, home.captions, home.queue):
                for place, _, names in os.walk(folder):
                    for name in names:
                        if name.startswith(".") and name.endswith(".part"):
                            self._remove_older(Path(place, name))

    def close(self) -> None:
        """Leave the home. Doing it again does nothing."""
        self.closed.set()
        for place in (self.shown, self.sessions):
            shutil.rmtree(place, ignore_errors=True)
        self._lock.release()
        with suppress(OSError):  # one that is gone counts as such at once, however lately it was made
            (self._locks / self.id / "lock").unlink(missing_ok=True)
        if not any(self._jobs.glob("*")):
            shutil.rmtree(self._locks / self.id, ignore_errors=True)

    def _remove_older(self, file: Path) -> None:
        """Remove a file unless a studio may have begun it that came after our look at who is there."""
        with suppress(OSError):
            if file.stat().st_mtime < self._began:
                file.unlink()


def expire(folder: Path, seconds: float, keep: Collection[str] = ()) -> None:
    """Remove the files below a folder that nobody has written or read for so long, and folders that were left empty.

    Args:
        keep: paths of files that stay.
    """
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = os.path.join(place, name)
            with suppress(OSError):
                state = os.stat(path, follow_symlinks=False)
                if path not in keep and time.time() - max(state.st_mtime, state.st_atime) > seconds:
                    os.unlink(path)
        if Path(place) != folder:
            with suppress(OSError):  # not empty
                if time.time() - os.stat(place).st_mtime > seconds:
                    os.rmdir(place)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        with suppress(OSError):
            entry.unlink()
