"""The strict reading of where a model's files come from: its own place, and the places of its parts.

A part is a folder inside the model's folder whose files come from somewhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from studio.addresses import VARIABLE, read_address
from studio.catalog.card import PICKLES, WEIGHTS, Part, Source
from studio.catalog.toml_reader import TableReader, suggestion

PLACES = ("hub", "package", "bundled", "path", "remote")
SPEAKS = ("openai", "atelier")
"""What a remote server may speak; the first where nothing is said."""
_PART_KEYS = ("hub", "package", "revision", "files", "rename", "sha256", "optional", "disk")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9._+!-]*)")


def read_source(reader: TableReader, own: bool, home: Path) -> Source:
    """Where the model of `reader` comes from.

    Args:
        own: the user wrote the table: a hub, a path or remote; ours are of the hub, a package, bundled or remote.
        home: what a relative path is relative to.
    """
    return _source(reader, ("hub", "path", "remote") if own else ("hub", "package", "bundled", "remote"), home)


def read_parts(reader: TableReader, source: Source, own: bool, one_file: bool = False) -> tuple[Part, ...]:
    """The tables [models.<id>.parts.<folder>]: of the hub, or of a package where the table is ours.

    Args:
        one_file: the engine runs checkpoints of one file, which lack what others have beside them.
    """
    allowed = ("hub",) if own else ("hub", "package")
    tables = reader.mapping("parts")
    if tables and (_whole_folder(source, one_file) or not (source.path or source.repo or source.package)):
        reader.flaw("parts", "only a model that is fetched, bundled or one file has parts")
        return ()
    alone = len(source.files) == 1 and not any(sign in source.files[0] for sign in "*?[")
    if tables and alone and not one_file:
        reader.flaw("parts", "a model of a single file has no folder for parts")
    return tuple(_part(reader, str(folder), table, allowed) for folder, table in tables.items())


def _whole_folder(source: Source, one_file: bool) -> bool:
    """A place of the person's that has whatever it needs."""
    return source.kind == "local" and not (one_file and source.path.lower().endswith(WEIGHTS))


def _part(reader: TableReader, folder: str, table: object, allowed: tuple[str, ...]) -> Part:
    inner = TableReader(table if isinstance(table, dict) else {})
    if not isinstance(table, dict):
        inner.flaw("", "must be a table")
    if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", folder):
        inner.flaw("", "is the name of a folder: small letters, digits and single underscores")
    for key in inner.table:
        if key not in _PART_KEYS:
            inner.flaw(key, "unknown field" + suggestion(key, _PART_KEYS))
    source = _source(inner, allowed, Path())
    rename = inner.mapping("rename")
    for name, new in rename.items():
        if not isinstance(new, str) or not new.strip() or _leads_outside(new):
            inner.flaw("rename", f"the new name of {name} must be a name inside the folder")
        if source.files and name not in source.files:
            inner.flaw("rename", f"{name} is not one of the files")
    part = Part(folder, source, {n: str(new) for n, new in rename.items()}, inner.flag("optional"), inner.size("disk"))
    if not inner.flaws and _doubled(part.target(name) for name in source.files):
        inner.flaw("files", "two files would get the same name")
    for field, message in inner.flaws:
        reader.flaw(".".join(("parts", folder, field)).rstrip("."), message)
    return part


def _doubled(names: Iterable[str]) -> bool:
    names = [name.casefold() for name in names]
    return len(set(names)) < len(names)


def _source(reader: TableReader, allowed: tuple[str, ...], home: Path) -> Source:
    places = [place for place in PLACES if place in reader.table]
    if len(places) != 1 or places[0] not in allowed:
        reader.flaw(places[-1] if places else allowed[0], f"say where it comes from: one of {', '.join(allowed)}")
        return Source("hub")
    place, value = places[0], reader.text(places[0], needed=True)
    files = reader.texts("files")
    for name in files:
        if name.lower().endswith(PICKLES):
            reader.flaw("files", f"{name} is a format that can run code; use .safetensors or .gguf")
        if _leads_outside(name):
            reader.flaw("files", f"{name} leads outside the model's folder")
    hashes = reader.mapping("sha256")
    for name, value_ in hashes.items():
        if not re.fullmatch(r"[0-9a-f]{64}", str(value_)):
            reader.flaw("sha256", f"the hash of {name} must be 64 hexadecimal digits")
    revision = reader.text("revision")
    if revision and (place != "hub" or not re.fullmatch(r"[0-9a-f]{40}", revision)):
        reader.flaw("revision", "must be a commit of the hub: 40 hexadecimal digits")
    if place == "hub":
        if not _REPO.fullmatch(value) or ".." in value or "--" in value:
            reader.flaw("hub", "must look like owner/name")
        return Source("hub", repo=value, revision=revision, files=files, sha256=hashes)
    if place == "package":
        return _package(reader, value, files, hashes)
    if place == "bundled":
        if PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value).parts:
            reader.flaw("bundled", "must be a name inside assets/starters")
        return Source("bundled", path=value, files=files, sha256=hashes)
    if place == "remote":
        return _remote(reader, value)
    path = _expanded(reader, value)
    if value.lower().endswith(PICKLES):
        reader.flaw("path", f"{path.name} is a format that can run code; use .safetensors or .gguf")
    return Source("local", path=str(path if path.is_absolute() else home / path), files=files, sha256=hashes)


def _remote(reader: TableReader, value: str) -> Source:
    """Another computer, with the options that say how it is spoken to."""
    options = reader.table.get("options")
    given: Mapping[str, Any] = options if isinstance(options, dict) else {}
    for name, allowed in (("speaks", SPEAKS), ("model", None), ("key", None)):
        told = given.get(name, SPEAKS[0])
        if not isinstance(told, str) or (allowed and told not in allowed):
            reader.flaw(f"options.{name}", f"must be one of {', '.join(allowed)}" if allowed else "must be a text")
    key = given.get("key", "")
    if isinstance(key, str) and key and not VARIABLE.fullmatch(key):
        reader.flaw("options.key", "name the environment variable that holds the key, not the key itself")
    for name in ("revision", "files", "sha256"):
        if name in reader.table:
            reader.flaw(name, "a remote model has no files here")
    try:
        return Source("remote", address=str(read_address(value)))
    except ValueError as error:
        reader.flaw("remote", str(error))
        return Source("remote")


def _package(reader: TableReader, value: str, files: tuple[str, ...], hashes: Mapping[str, Any]) -> Source:
    match = _PACKAGE.fullmatch(value)
    if not match:
        reader.flaw("package", "must look like name==version")
    if not files:
        reader.flaw("files", "name the files inside the wheel")
    name, version = match.groups() if match else ("", "")
    return Source("package", package=name, version=version, files=files, sha256=hashes)


def _leads_outside(name: str) -> bool:
    return PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name or ":" in name


def _expanded(reader: TableReader, value: str) -> Path:
    try:
        if "\0" in value:
            raise RuntimeError
        return Path(value).expanduser()
    except RuntimeError:
        reader.flaw("path", "is not a path of this machine")
        return Path(value.replace("\0", ""))
