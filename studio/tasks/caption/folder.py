"""The pictures of a folder, in the order of their names, and where the caption of each goes.

A picture is called by its path below the folder, with slashes. Nothing is read through a symbolic link, and nothing
is written through one: a folder that somebody sent could point anywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from studio.errors import StudioError
from studio.media import formats
from studio.media.formats import SUFFIXES
from studio.paths import gigabytes, opened

TEXTS = (".txt", ".caption")
"""Endings of captions."""
LISTING = "metadata.jsonl"
_SYSTEM = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir")
"""What systems put into folders by themselves."""
_LIKE_PICTURES = ("picture_format", "picture_ending", "caption_link", "caption_name", "file_too_large")
MOST_OTHERS = 500
"""Files that are no pictures and are named one by one."""
MOST, MOST_PUBLIC = 20_000, 500
"""Pictures of one run."""
MAX_TEXT_BYTES = 1_000_000
"""Of a caption file: a larger text is no caption, and is left alone."""
_DIGITS = re.compile(r"([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Passed:
    """A file that is not captioned. `why` is the code of an error, `params` what its text needs."""

    key: str
    why: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> StudioError:
        return StudioError(self.why, **{"path": self.key, **self.params})


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


def find_pictures(root: Path, recursive: bool = False, most: int = MOST) -> Found:
    """The pictures in `root`, and every other file with why it is none. Hidden files and folders are left out.

    Of two pictures whose captions would be the same file (a.png and a.jpg) the first is taken.

    Raises:
        StudioError: folder_not_found, too_many_pictures, no_pictures.
    """
    if not root.is_dir():
        raise StudioError("folder_not_found", path=str(root))
    keys: list[str] = []
    passed: list[Passed] = []
    others: list[tuple[str, os.DirEntry[str]]] = []
    for key, entry in _below(root, recursive):
        if not key.lower().endswith(SUFFIXES):
            others.append((key, entry))
        elif entry.is_symlink():
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
    passed += _others(others, kept)
    if not kept:
        raise nothing(root.name, passed)
    return Found(tuple(kept.values()), tuple(sorted(passed, key=lambda one: natural(one.key))))


def nothing(name: str, passed: Iterable[Passed]) -> StudioError:
    """That no picture is there; where others are, which ones."""
    if not (names := [one.key for one in passed if one.why in _LIKE_PICTURES]):
        return StudioError("no_pictures", path=name)
    listed = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
    return StudioError("no_readable_pictures", path=name, names=listed)


def system(name: str) -> bool:
    """Whether a file or folder is hidden, or was put there by a system and by nobody."""
    return name.startswith(".") or name.lower() in _SYSTEM


def other(name: str, head: bytes) -> Passed:
    """Why a file is no picture, by its ending and its first bytes."""
    suffix = PurePosixPath(name).suffix.lower()
    if (found := formats.kind(head)) and not (found == "TIFF" and suffix in formats.OTHER):  # as cameras' own are
        return Passed(name, "picture_ending", {"kind": found})
    kind = formats.OTHER.get(suffix) or formats.named(head)
    return Passed(name, "picture_format", {"kind": kind}) if kind else Passed(name, "not_a_picture")


def beside(key: str) -> str:
    """The usual caption file of a picture: `<stem>.txt` in the same folder."""
    return str(PurePosixPath(key).with_suffix(".txt"))


def caption_key(root: Path, key: str) -> str:
    """Where a picture's caption stands or will stand: `<stem>.caption` where that is the one with words in it.

    Raises:
        StudioError: caption_link.
    """
    usual, other = beside(key), str(PurePosixPath(key).with_suffix(".caption"))
    try:
        if place(root, other).is_file():
            with opened(place(root, usual)) as file:
                return usual if file.read(MAX_TEXT_BYTES).strip() else other
    except FileNotFoundError:
        return other
    except OSError:
        pass
    return usual


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
    name = caption_key(root, key)
    path = place(root, name)
    try:
        with opened(path) as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError:
        raise StudioError("caption_unreadable", path=name) from None
    if len(data) > MAX_TEXT_BYTES:
        raise StudioError("caption_too_large", path=name)
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
            if system(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False) and recursive:
                waiting.append((f"{prefix}{entry.name}/", Path(entry)))
            else:
                found.append((prefix + entry.name, entry))
    return found


def _others(found: list[tuple[str, os.DirEntry[str]]], pictures: Container[str]) -> list[Passed]:
    """What lies beside the pictures and is none, without their captions; the first MOST_OTHERS by name."""
    passed: list[Passed] = []
    left = 0
    for key, entry in sorted(found, key=lambda one: natural(one[0])):
        captioned = key.lower().endswith(TEXTS) and beside(key).casefold() in pictures
        if captioned or PurePosixPath(key).name.lower() == LISTING:
            continue
        if len(passed) >= MOST_OTHERS:
            left += 1
            continue
        name = " ".join(key.encode("utf-8", "replace").decode().split())
        if entry.is_symlink():
            passed.append(Passed(name, "caption_link"))
        elif entry.is_dir(follow_symlinks=False):
            passed.append(Passed(f"{name}/", "caption_folder"))
        elif key.lower().endswith(TEXTS):
            passed.append(Passed(name, "caption_alone"))
        elif entry.is_file(follow_symlinks=False):
            passed.append(other(name, _head(entry)))
    return [*passed, *([Passed("…", "more_files", {"count": left})] if left else [])]


def _head(entry: os.DirEntry[str]) -> bytes:
    try:
        with opened(Path(entry)) as file:
            return file.read(1000)
    except OSError:
        return b""


def _speakable(key: str) -> bool:
    """Whether a name can be written down on one line: some file systems hold bytes that are no text."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return len(key.splitlines()) == 1 and "\t" not in key
