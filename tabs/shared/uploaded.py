"""Files that a request names: what may be opened of them, and reading those.

A request is only text. It may name any path of this machine, a device that never ends, a pipe that never answers, or an
address; Gradio looks at some of those and not at others (a picture without its `meta` it takes as it stands). So
everything is looked at here before it is opened: it lies where uploads go, it is a plain file, and it is not too large.
The door does the same for every message (tabs.door.bodies), ahead of Gradio.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gradio.utils import get_upload_folder

from studio.errors import StudioError
from studio.paths import gigabytes, opened

MAX_BYTES = 1_100_000_000
"""Nothing larger is read as a whole, whatever the settings let in."""
_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.\-]+:", re.IGNORECASE)  # one letter and a colon is a drive
_MOST_LEVELS = 40


def uploads() -> Path:
    """Where uploads go, and copies of outputs for the page: Gradio's own folder."""
    return Path(get_upload_folder())


def address(file: str) -> str:
    """Where the browser finds a file of Gradio's cache; relative, for a page behind a proxy."""
    return "gradio_api/file=" + quote(file)


def allowed(path: str, root: Path) -> bool:
    """Whether a request may name this path: below `root` by its true place, and a plain file where it exists."""
    if "\0" in path or _ADDRESS.match(path) or path.startswith(("\\\\", "//")):
        return False
    try:
        place = Path(path)
        if not place.is_absolute() or ".." in place.parts:
            return False
        if not place.resolve().is_relative_to(root.resolve()):
            return False
        state = os.lstat(place)
    except FileNotFoundError:
        return True  # it was there once; whoever reads it says so
    except (OSError, ValueError, RuntimeError):
        return False
    return stat.S_ISREG(state.st_mode)


def path(file: Any) -> Path | None:
    """Where a file lies that a request names; None where it names none.

    Args:
        file: what a component sends: a path, or a table with one below "path".

    Raises:
        StudioError: not_uploaded, for whatever else there is on this machine, and is not.
    """
    name = file.get("path") if isinstance(file, dict) else file
    if not name:
        return None
    if not isinstance(name, str) or not allowed(name, uploads()) or not os.path.lexists(name):
        raise StudioError("not_uploaded")
    return Path(name)


def read_upload(file: Any, most: int = MAX_BYTES) -> bytes:
    """The bytes of an uploaded file as the page names it; nothing where it names none.

    The studio decodes what comes from a page itself, with its size checked first, so handlers take the file's name and
    not what Gradio would make of it: it would open a picture before anybody has measured it.

    Raises:
        StudioError: not_uploaded; upload_too_large where there are more than `most` bytes.
    """
    place = path(file)
    if place is None:
        return b""
    try:
        with opened(place) as source:  # it may be something else than when it was looked at
            size = os.fstat(source.fileno()).st_size
            data = source.read(most + 1) if size <= most else b""
    except OSError:
        raise StudioError("not_uploaded") from None
    if size > most or len(data) > most:  # what grows while it is read is cut off too
        raise StudioError("upload_too_large", limit=gigabytes(most))
    return data


def harmless(value: Any, may: Callable[[str], bool], instead: Path, level: int = 0) -> Any:
    """A message with every path that it may not name, however deep, replaced by one at which nothing lies.

    So it arrives, and whoever would read the file says that it is not there.

    Args:
        may: whether it may name a path.
        instead: that path.

    Raises:
        ValueError: nested deeper than anything that the page sends.
    """
    if level > _MOST_LEVELS:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {
            key: inner if key == "path" and isinstance(inner, str) and (not inner or may(inner))
            else str(instead) if key == "path" and isinstance(inner, str)
            else harmless(inner, may, instead, level + 1)
            for key, inner in value.items()
        }  # fmt: skip
    return [harmless(inner, may, instead, level + 1) for inner in value] if isinstance(value, list) else value
