"""Keys of the API: 256 random bits each, of which the disk has the hash alone.

home/keys.json has one entry a name. It is read again when it changes, so that a key that is revoked on the command
line is refused by the running studio at its next request. A slow hash would protect words that people choose; nobody
guesses 256 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from studio.errors import StudioError
from studio.paths import write

log = logging.getLogger("studio")

PREFIX = "atelier-"
"""Begins every key, so that a person and a search for leaked secrets know one."""
SECRET = "STUDIO_API_KEY"
"""The name of the key that the environment sets."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it is known.

    Attributes:
        sha256: of the key, in hex.
        jobs: jobs that its programs may have waiting or running; 0 for what the settings allow anybody.
        created: seconds since 1970.
    """

    name: str
    sha256: str = field(repr=False)
    jobs: int = 0
    created: float = 0.0


class Keys:
    """The keys of a home. Safe to use from several threads and processes.

    Args:
        file: where they are kept.
        secret: one more that is kept nowhere, named SECRET; "" for none.
    """

    def __init__(self, file: Path, secret: str = "") -> None:
        self._file, self._lock = file, threading.Lock()
        self._secret = Key(SECRET, _hash(secret)) if secret else None
        self._seen: tuple[int, int] | None = None
        self._known: Mapping[str, Key] = {}

    def list(self) -> tuple[Key, ...]:
        """Those on the disk, by name.

        Raises:
            StudioError: bad_file, where the file is none of ours.
        """
        return tuple(sorted(self._read().values(), key=lambda key: key.name.lower()))

    @property
    def any(self) -> bool:
        """Whether there is a key at all."""
        return self._secret is not None or bool(self._readable())

    def add(self, name: str, jobs: int = 0) -> str:
        """A new key, which is told this once.

        Args:
            jobs: as Key.jobs.

        Raises:
            StudioError: key_name; key_taken; too_many; bad_file; the disk refuses.
        """
        if not _NAME.fullmatch(name):
            raise StudioError("key_name", name=name[:40])
        with self._lock:
            known = dict(self._read())
            if name.lower() in {one.lower() for one in known}:
                raise StudioError("key_taken", name=name)
            if len(known) >= _MOST:
                raise StudioError("too_many", field="field.key", count=len(known) + 1, limit=_MOST)
            told = PREFIX + secrets.token_urlsafe(32)
            known[name] = Key(name, _hash(told), jobs, time.time())
            self._write(known)
        return told

    def revoke(self, name: str) -> None:
        """Take a key back.

        Raises:
            StudioError: key_unknown; bad_file; the disk refuses.
        """
        with self._lock:
            known = dict(self._read())
            if known.pop(name, None) is None:
                raise StudioError("key_unknown", name=name[:40])
            self._write(known)

    def find(self, told: str) -> Key | None:
        """The key that somebody says; None where it is none, or where the file cannot be understood: that is told to
        whoever reads the log, and not to whoever is at the door."""
        given, found = _hash(told), None
        for key in (*self._readable().values(), *((self._secret,) if self._secret else ())):
            if hmac.compare_digest(key.sha256, given):
                found = key
        return found

    def _readable(self) -> Mapping[str, Key]:
        try:
            return self._read()
        except StudioError as error:
            log.error("%s", error)
            return {}

    def _read(self) -> Mapping[str, Key]:
        try:
            state = self._file.stat()
        except OSError:
            return {}
        mark = state.st_mtime_ns, state.st_ino
        if mark != self._seen:
            try:
                content = json.loads(self._file.read_text(encoding="utf-8"))
                self._known = {name: _key(name, one) for name, one in content.items()}
            except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
                raise StudioError("bad_file", path=str(self._file), reason=type(error).__name__) from None
            self._seen = mark
        return self._known

    def _write(self, known: Mapping[str, Key]) -> None:
        write(self._file, json.dumps({name: asdict(key) for name, key in sorted(known.items())}, indent=1))


def _key(name: str, kept: Mapping[str, object]) -> Key:
    jobs, created = kept.get("jobs", 0), kept.get("created", 0.0)
    if not isinstance(jobs, int) or not isinstance(created, int | float):
        raise TypeError
    return Key(name, str(kept["sha256"]), jobs, float(created))


def _hash(told: str) -> str:
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
