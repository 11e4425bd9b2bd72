"""The names in a zip: in whatever encoding they were written, and as every system can have them.

Most programs write UTF-8 and some forget to say so; older ones wrote in the encoding of their machine. Info-ZIP puts
the name once more beside it, in UTF-8 (APPNOTE 4.6.9). Signs that some system does not allow are replaced. Pure.
"""

from __future__ import annotations

import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from studio.media.encodings import likeliest

_UTF8, _UNICODE_PATH = 0x800, 0x7075
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_MOST_BYTES = 200
"""Of one part of a name; file systems take 255, and a caption's ending is to fit as well."""


def read_name(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The name of each entry as text."""
    raw = [None if entry.flag_bits & _UTF8 else entry.orig_filename.encode("cp437", "replace") for entry in entries]
    unsure = [name for name in raw if name is not None and not name.isascii()]
    encoding = likeliest(unsure) if unsure else "ascii"
    found: list[str] = []
    for entry, name in zip(entries, raw, strict=True):
        if name is None or name.isascii():
            found.append(entry.orig_filename)
        else:
            found.append(_beside(entry, name) or name.decode(encoding or likeliest([name]) or "cp437", "replace"))
    return [name.split("\0")[0].replace("\\", "/") for name in found]


def leads_out(name: str) -> bool:
    """Whether a name is a path out of its folder."""
    return name.startswith("/") or ".." in PurePosixPath(name).parts


def allowed(names: Sequence[str]) -> dict[str, str]:
    """Each name as every system allows it; files that belong together (`a.png`, `a.txt`) stay together.

    Two that would be one get numbers. Names that are fine stay as they are.
    """
    clean = {name: "/".join(_part(part) for part in PurePosixPath(name).parts) for name in names}
    taken: dict[str, str] = {}
    found: dict[str, str] = {}
    for name in sorted(names, key=lambda name: clean[name] != name):
        stem, suffix = _split(clean[name])
        own, wanted, number = _split(name)[0], stem, 1
        while taken.get(wanted.casefold(), own) != own:
            number += 1
            wanted = f"{stem}-{number}"
        taken[wanted.casefold()] = own
        found[name] = name if clean[name] == name else wanted + suffix
    return found


def _split(name: str) -> tuple[str, str]:
    suffix = PurePosixPath(name.rstrip(". ")).suffix
    return name.rstrip(". ")[: len(name.rstrip(". ")) - len(suffix)], suffix


def _beside(entry: zipfile.ZipInfo, name: bytes) -> str:
    """The name in Info-ZIP's field, where it is for this very name; empty where there is none."""
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and body[:1] == b"\1" and body[1:5] == struct.pack("<I", zlib.crc32(name)):
            return body[5:].decode("utf-8", "ignore")
    return ""


def _part(part: str) -> str:
    made = _FORBIDDEN.sub("_", part)
    made = "".join("_" if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") else sign for sign in made)
    made = made.rstrip(" .") or "_"
    if _RESERVED.fullmatch(made):
        made = f"_{made}"
    stem, suffix = PurePosixPath(made).stem, PurePosixPath(made).suffix
    while len((stem + suffix).encode()) > _MOST_BYTES and len(stem) > 1:
        stem = stem[:-1]
    return stem + suffix
