"""Results as programs get them: the bytes of a file, or an address at which it lies."""

from __future__ import annotations

import base64
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import anyio
from starlette.requests import Request

ADDRESS = "/v1/files/"
"""Begins the address of a result's file. What follows cannot be guessed, and whoever knows it may read the file."""
_REMEMBERED = 2_000
_KINDS = {
    ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".wav": "audio/wav", ".flac": "audio/flac",
    ".mp3": "audio/mpeg", ".mid": "audio/midi", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip


class Links:
    """Addresses that were given out, the newest ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[str, Path] = OrderedDict()
        self._names: dict[Path, str] = {}

    def find(self, name: str) -> Path | None:
        """The file at an address; None where it is forgotten, or never was."""
        with self._lock:
            return self._files.get(name)

    def give(self, http: Request, files: Sequence[Path]) -> list[str]:
        """A whole address for each file, by the name that the program called this studio."""
        scheme = http.headers.get("x-forwarded-proto", "").partition(",")[0].strip() or http.url.scheme
        scheme = scheme if scheme in ("http", "https") else "http"
        return [f"{scheme}://{http.url.netloc}{ADDRESS}{self._name(file)}" for file in files]

    def _name(self, file: Path) -> str:
        with self._lock:
            if (known := self._names.get(file)) is not None:
                self._files.move_to_end(known)
                return known
            name = secrets.token_urlsafe(16) + file.suffix
            self._files[name], self._names[file] = file, name
            while len(self._files) > _REMEMBERED:
                del self._names[self._files.popitem(last=False)[1]]
            return name


async def encoded(file: Path) -> str:
    """A file in base64."""
    return base64.b64encode(await anyio.Path(file).read_bytes()).decode()


def media_type(file: Path) -> str:
    """What a browser takes a file for."""
    return _KINDS.get(file.suffix.lower(), "application/octet-stream")
