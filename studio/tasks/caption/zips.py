"""Zip files of strangers in, zip files with captions out.

Only pictures and the texts beside them are taken out of a zip, each counted byte by byte as it comes: what a zip says
of sizes is not believed. Names that lead elsewhere refuse the whole file; links and whatever else is no picture are
passed over by name, and names that some system does not allow are changed.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from studio.errors import StudioError
from studio.paths import disk_error, gigabytes, inside, require_space, writing
from studio.tasks.bounds import MAX_IMAGE_BYTES
from studio.tasks.caption import folder, metadata_jsonl, zip_names
from studio.tasks.caption.folder import Passed

MAX_BYTES, MAX_BYTES_PUBLIC = 20_000_000_000, 500_000_000
"""Of everything that is taken out of one zip."""
_MAX_DIRECTORY = 16_000_000  # bytes of the list at a zip's end: it is read whole
_END, _END_BYTES, _COMMENT = b"PK\x05\x06", 22, 65_535
_PIECE = 1 << 20


@dataclass(slots=True)
class Unpacked:
    """What was not taken out of a zip, and what was, under another name: (in the zip, here)."""

    passed: list[Passed] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)


def unpack(file: Path, into: Path, *, most_bytes: int = MAX_BYTES, most_each: int = 0, keep_free: int = 0) -> Unpacked:
    """Take pictures and their captions out of a zip, into an empty folder.

    Args:
        most_bytes: of everything together. most_each: of one picture; 0: what any picture may have.

    Raises:
        StudioError: bad_zip, zip_locked, zip_too_large, too_many_pictures, no_space; or the disk refuses.
    """
    _check_directory(file)
    found = Unpacked()
    try:
        with zipfile.ZipFile(file) as packed:
            _take(packed, into, found, most_bytes, most_each or MAX_IMAGE_BYTES, keep_free)
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
    return found


def _take(
    packed: zipfile.ZipFile, into: Path, found: Unpacked, most_bytes: int, most_each: int, keep_free: int
) -> None:
    taken: set[str] = set()
    left, listed = most_bytes, [entry for entry in packed.infolist() if not entry.is_dir()]
    names = zip_names.read_name(listed)
    if any(zip_names.leads_out(name) for name in names):
        raise StudioError("bad_zip")
    keys = zip_names.allowed(list(dict.fromkeys(names)))
    for entry, name in zip(listed, names, strict=True):
        key = keys[name]
        if any(folder.system(part) for part in PurePosixPath(name).parts):
            continue
        if stat.S_ISLNK(entry.external_attr >> 16):
            found.passed.append(Passed(name, "caption_link"))
        elif not (limit := _limit(key, most_each)):
            if len(found.passed) < folder.MOST_OTHERS:
                found.passed.append(_other(packed, entry, name))
        elif entry.flag_bits & 1:
            raise StudioError("zip_locked")
        elif key.casefold() in taken:
            found.passed.append(Passed(name, "caption_shared"))
        else:
            taken.add(key.casefold())
            if len(taken) > 2 * folder.MOST:
                raise StudioError("too_many_pictures", limit=folder.MOST)
            require_space(into.parent, min(entry.file_size, limit), keep_free)
            size = _extract(packed, entry, inside(into, *PurePosixPath(key).parts), min(limit, left))
            if size < 0 and left < limit:
                raise StudioError("zip_too_large", limit=gigabytes(most_bytes))
            if size < 0 and limit == most_each:
                sizes = {"size": gigabytes(entry.file_size), "limit": gigabytes(limit)}
                found.passed.append(Passed(name, "file_too_large", sizes))
            elif size < 0:
                found.passed.append(Passed(name, "caption_too_large"))
            elif key != name:
                found.renamed.append((name, key))
            left -= max(size, 0)


def _limit(key: str, picture: int) -> int:
    """How many bytes a file of this name may have; 0 where it is not wanted."""
    if key.lower().endswith(folder.SUFFIXES):
        return picture
    if PurePosixPath(key).name.lower() == folder.LISTING:
        return metadata_jsonl.MOST_BYTES
    return folder.MAX_TEXT_BYTES if key.lower().endswith(folder.TEXTS) else 0


def _other(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Passed:
    if entry.flag_bits & 1:
        return Passed(name, "not_a_picture")
    with packed.open(entry) as source:
        return folder.other(name, source.read(1000))


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
                packed.writestr(folder.caption_key(root, key), text)
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
