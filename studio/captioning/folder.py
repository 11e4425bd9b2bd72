"""The pictures of a folder, in the order of their names, and where the caption of each goes.

A picture is called by its path below the folder, with slashes. Nothing is read through a symbolic link, and nothing
is written through one: a folder that somebody sent could point anywhere.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from studio.errors import StudioError
from studio.paths import gigabytes, opened

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MOST, MOST_PUBLIC = 20_000, 500
"""Pictures of one run."""
MAX_TEXT_BYTES = 1_000_000
"""Of a caption file: a larger text is no caption, and is left alone."""
_DIGITS = re.compile(r"([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Passed:
    """A file that looks like a picture and is not captioned. `why` is the code of an error."""

    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """The pictures of a folder by their names below it, and those that were passed over."""

    keys: tuple[str, ...]
    passed: tuple[Passed, ...] = ()


def natural(key: str) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """What to sort names by: 2 before 10, a folder's files together, large letters like small ones."""

    def bits(part: str) -> tuple[tuple[int, int, str], ...]:
        found = [bit for bit in _DIGITS.split(part) if bit]
        return tuple((0, int(bit), "") if _DIGITS.fullmatch(bit) else (1, 0, bit.casefold()) for bit in found)

    path = PurePosixPath(key)
    return tuple(bits(part) for part in (*path.parts[:-1], path.stem))  # cat before cat-2, whatever comes after


def find(root: Path, recursive: bool = False, most: int = MOST) -> Found:
    """The pictures in `root`. Hidden files and folders are left out.

    Of two pictures whose captions would be the same file (a.png and a.jpg) the first is taken.

    Raises:
        StudioError: folder_not_found, too_many_pictures, no_pictures.
    """
    if not root.is_dir():
        raise StudioError("folder_not_found", path=str(root))
    keys: list[str] = []
    passed: list[Passed] = []
    for key, entry in _below(root, recursive):
        if entry.is_symlink():
            passed.append(Passed(key, "caption_link"))
        elif not entry.is_file():
            continue
        elif not _speakable(key):
            passed.append(Passed(" ".join(key.encode("utf-8", "replace").decode().split()), "caption_name"))
        elif len(keys) >= most:
            raise StudioError("too_many_pictures", limit=most)
        else:
            keys.append(key)
    kept: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: (natural(key), key)):
        if (name := beside(key).casefold()) in kept:
            passed.append(Passed(key, "caption_shared"))
        else:
            kept[name] = key
    if not kept:
        raise StudioError("no_pictures", path=root.name)
    return Found(tuple(kept.values()), tuple(passed))


def beside(key: str) -> str:
    """The caption file of a picture: `<stem>.txt` in the same folder."""
    return str(PurePosixPath(key).with_suffix(".txt"))


def place(root: Path, key: str) -> Path:
    """Where `key` lies below `root`.

    Raises:
        StudioError: caption_link: there is a symbolic link on the way, or it leads out of the folder.
    """
    root = root.resolve()
    path = root.joinpath(*PurePosixPath(key).parts)
    if ".." in PurePosixPath(key).parts or os.path.realpath(path) != str(path):
        raise StudioError("caption_link")
    return path


def read_picture(root: Path, key: str, limit: int) -> bytes:
    """The bytes of a picture's file. Raises StudioError: file_not_found, file_too_large, caption_link."""
    path = place(root, key)
    try:
        with opened(path) as file:
            data = file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)  # as much is set aside at once
    except OSError:
        raise StudioError("file_not_found", path=key) from None
    if len(data) > limit:
        raise StudioError("file_too_large", size=f"> {gigabytes(limit)}", limit=gigabytes(limit))
    return data


def read_caption(root: Path, key: str) -> bytes | None:
    """What lies beside a picture now; None where nothing does.

    Raises:
        StudioError: caption_link, caption_too_large; caption_unreadable where it is no file, or may not be read.
    """
    path = place(root, beside(key))
    try:
        with opened(path) as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError:
        raise StudioError("caption_unreadable", path=beside(key)) from None
    if len(data) > MAX_TEXT_BYTES:
        raise StudioError("caption_too_large", path=beside(key))
    return data


def _below(root: Path, recursive: bool) -> list[tuple[str, os.DirEntry[str]]]:
    found: list[tuple[str, os.DirEntry[str]]] = []
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError:
            continue
        for entry in listed:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if recursive:
                    waiting.append((f"{prefix}{entry.name}/", Path(entry)))
            elif entry.name.lower().endswith(SUFFIXES):
                found.append((prefix + entry.name, entry))
    return found


def _speakable(key: str) -> bool:
    """Whether a name can be written down on one line: some file systems hold bytes that are no text."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return len(key.splitlines()) == 1 and "\t" not in key
