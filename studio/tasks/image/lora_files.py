"""Files of adaptations: their hashes, so that a recipe tells when another one took a name's place.

Hashes are remembered for as long as a file keeps its size and time.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from studio.requests import ImageRequest, Request

SUFFIX = ".safetensors"


def find(name: str, folders: Iterable[Path]) -> Path | None:
    """The file of an adaptation: that of the first folder which has one of this name. Names lead out of no folder."""
    for folder in folders:
        path = folder / f"{name}{SUFFIX}"
        try:
            if path.parent == folder and name.strip(". ") and path.is_file():
                return path
        except (OSError, ValueError):  # NUL bytes, names that are too long
            continue
    return None


def hashes(requests: Iterable[Request | None], folders: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by name of every adaptation that the requests use; without those that cannot be read."""
    found = {}
    names = {lora.name for request in requests if isinstance(request, ImageRequest) for lora in request.loras}
    for name in sorted(names):
        path = find(name, folders)
        if path is not None and (told := hash_of(path)):
            found[name] = told
    return found


def hash_of(path: Path) -> str:
    """SHA-256 of a file's contents, "" where it cannot be read."""
    try:
        state = path.stat()
        return _hash(path, state.st_size, state.st_mtime_ns)
    except OSError:
        return ""


@functools.lru_cache(maxsize=256)
def _hash(path: Path, _size: int, _written: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
