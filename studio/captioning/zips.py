"""Zip files of strangers in, zip files with captions out.

Only pictures and the texts beside them are taken out of a zip, each counted byte by byte as it comes: what a zip says
of sizes is not believed. Names that lead elsewhere refuse the whole file; links are passed over.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from studio.captioning import folder
from studio.captioning.folder import Passed
from studio.errors import StudioError
from studio.limits import MAX_IMAGE_BYTES
from studio.paths import disk_error, gigabytes, inside, require_space, writing

MAX_BYTES, MAX_BYTES_PUBLIC = 20_000_000_000, 500_000_000
"""Of everything that is taken out of one zip."""
_MAX_DIRECTORY = 16_000_000  # bytes of the list at a zip's end: it is read whole
_END, _END_BYTES, _COMMENT = b"PK\x05\x06", 22, 65_535
_PIECE = 1 << 20


def unpack(
    file: Path, into: Path, *, most_bytes: int = MAX_BYTES, most_each: int = 0, keep_free: int = 0
) -> tuple[Passed, ...]:
    """Take pictures and their captions out of a zip, into an empty folder.

    Args:
        most_bytes: of everything together. most_each: of one picture; 0: what any picture may have.

    Returns:
        The pictures that were passed over.

    Raises:
        StudioError: bad_zip, zip_too_large, too_many_pictures, no_space; or the disk refuses.
    """
    _check_directory(file)
    passed: list[Passed] = []
    taken: set[str] = set()
    left = most_bytes
    try:
        with zipfile.ZipFile(file) as packed:
            for entry in packed.infolist():
                key = _key(entry)
                if entry.is_dir() or not _wanted(key):
                    continue
                if stat.S_ISLNK(entry.external_attr >> 16):
                    passed.append(Passed(key, "caption_link"))
                elif entry.flag_bits & 1:
                    raise StudioError("zip_locked")
                elif key.casefold() in taken:
                    passed.append(Passed(key, "caption_shared"))
                else:
                    taken.add(key.casefold())
                    if len(taken) > 2 * folder.MOST:
                        raise StudioError("too_many_pictures", limit=folder.MOST)
                    picture = not key.lower().endswith(".txt")
                    limit = (most_each or MAX_IMAGE_BYTES) if picture else folder.MAX_TEXT_BYTES
                    require_space(into.parent, min(entry.file_size, limit), keep_free)
                    size = _extract(packed, entry, inside(into, *PurePosixPath(key).parts), min(limit, left))
                    if size < 0 and left < limit:
                        raise StudioError("zip_too_large", limit=gigabytes(most_bytes))
                    if size < 0:
                        passed.append(Passed(key, "file_too_large" if picture else "caption_too_large"))
                    left -= max(size, 0)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        ValueError,
        RuntimeError,
        FileExistsError,
        NotADirectoryError,
        IsADirectoryError,
    ):  # the last three: a file and a folder of one name
        raise StudioError("bad_zip") from None
    except OSError as error:
        raise disk_error(error, into) from error
    return tuple(passed)


def pack(target: Path, root: Path, texts: Iterable[tuple[str, str]], listing: str, pictures: bool) -> None:
    """Write a zip with the captions, metadata.jsonl and, where wanted, the pictures themselves.

    Args:
        root: the folder of the pictures.
        texts: (picture, caption); those without a caption have no file.
        listing: the content of metadata.jsonl.

    Raises:
        StudioError: the disk is full or refuses; `target` is then what it was.
    """
    with writing(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as packed:
        for key, text in texts:
            if text:
                packed.writestr(folder.beside(key), text)
            if pictures:
                try:
                    packed.write(folder.place(root, key), key, zipfile.ZIP_STORED)
                except (StudioError, FileNotFoundError):
                    continue  # it went away meanwhile
        packed.writestr("metadata.jsonl", listing)


def _check_directory(file: Path) -> None:
    """Refuse a zip whose list of files is so long that reading it would fill the memory."""
    try:
        with file.open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(size - _END_BYTES - _COMMENT, 0))
            end = handle.read()
    except OSError:
        raise StudioError("bad_zip") from None
    places = [at for at in (len(end) - _END_BYTES, end.rfind(_END)) if at >= 0 and end.startswith(_END, at)]
    if not places:
        raise StudioError("bad_zip")
    if any(int.from_bytes(end[at + 12 : at + 16], "little") > _MAX_DIRECTORY for at in places):
        raise StudioError("zip_too_large", limit=gigabytes(_MAX_DIRECTORY))


def _key(entry: zipfile.ZipInfo) -> str:
    """The name of an entry with slashes. Raises StudioError bad_zip where it would leave the folder."""
    name = entry.filename
    if not entry.flag_bits & 0x800:  # most programs write UTF-8 and forget to say so
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:
            name = entry.filename
    name = name.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or any(":" in part or "\0" in part for part in parts):
        raise StudioError("bad_zip")
    return "/".join(parts)


def _wanted(key: str) -> bool:
    parts = PurePosixPath(key).parts
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return not hidden and key.lower().endswith((*folder.SUFFIXES, ".txt"))


def _extract(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Bytes written; -1, and no file, where there are more than `limit`."""
    size = 0
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with packed.open(entry) as source, target.open("xb") as out:
        while data := source.read(_PIECE):
            size += len(data)
            if size > limit:
                break
            out.write(data)
    if size > limit:
        target.unlink()
        return -1
    return size
