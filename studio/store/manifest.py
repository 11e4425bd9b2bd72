"""Manifest of a download folder: `complete.json`, written last, so that a kill at any moment leaves no half model.

One folder can serve several cards that want different files of it; each has an entry of its own. Reading a
state costs one small file and one stat per model file. Knows nothing of where files come from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.paths import disk_error, occupied, write

NAME = "complete.json"
PART_OF_A_MODEL = "part"
"""Set in the options of a card that stands for a part: its note is not that of a model which wants the same files."""


def wish(card: Card) -> str:
    """What `card` wants of its folder: the key of its entry."""
    variant = card.options.get("variant", "")
    marks = (f"({variant})" if variant else "", "(part)" if card.options.get(PART_OF_A_MODEL) else "")
    return " ".join(filter(None, (*(card.source.files or ("*",)), *marks)))


def files(folder: Path, card: Card) -> tuple[Path, ...]:
    """The card's files in `folder`; empty unless all are there in full."""
    names = _read(folder).get(wish(card), {})
    whole = bool(names) and all(_size(folder / name) == size for name, size in names.items())
    return tuple(folder / name for name in names) if whole else ()


def sizes(folder: Path, card: Card) -> dict[str, int]:
    """Names and sizes of the card's files as they once were complete; some may be gone since."""
    return _read(folder).get(wish(card), {})


def started(folder: Path) -> bool:
    """Something of a download lies there."""
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*"))


def known(folder: Path, names: Iterable[str]) -> dict[str, int]:
    """The sizes of `names` where other cards brought all of them here already, whole; else nothing."""
    sizes = {name: size for entry in _read(folder).values() for name, size in entry.items()}
    found = {name: sizes[name] for name in names if name in sizes and _size(folder / name) == sizes[name]}
    return found if len(found) == len(set(names)) else {}


def add_links(folder: Path, card: Card, part: str, sizes: Mapping[str, int]) -> None:
    """Note which files of the card's folder belong to its part, so that they go with it and not before."""
    entries = _read(folder)
    entries[_link_note(card, part)] = dict(sizes)
    _write(folder, entries)


def _link_note(card: Card, part: str) -> str:
    return f"{wish(card)} + {part}/"


def add(folder: Path, card: Card, sizes: Mapping[str, int]) -> None:
    """Note that the card's files are all there. Raises StudioError where the disk refuses."""
    entries = _read(folder)
    entries[wish(card)] = dict(sizes)
    _write(folder, entries)


def remove(folder: Path, card: Card) -> int:
    """Delete what only this card needs, and what interrupted downloads left. Returns the bytes freed.

    Raises:
        StudioError: a file cannot be deleted, for example because it is open on Windows.
    """
    entries = _read(folder)
    for note in [note for note in entries if note == wish(card) or note.startswith(_link_note(card, "")[:-1])]:
        del entries[note]
    kept = {folder / name for names in entries.values() for name in names}
    try:
        if entries:
            _write(folder, entries)
            kept.add(folder / NAME)
        else:
            (folder / NAME).unlink(missing_ok=True)  # first: what follows may be cut short
        freed = 0
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in kept:
                about = path.lstat()  # a link holds nothing itself
                freed += about.st_size if about.st_nlink == 1 and not path.is_symlink() else 0
                path.unlink()
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise disk_error(error, folder) from error
    return freed


def used(folder: Path, card: Card) -> int:
    """Bytes on disk: of the card's files, or of everything that an unfinished download left."""
    if names := _read(folder).get(wish(card)):
        return sum(_size(folder / name) for name in names)
    return occupied(folder)


def single(folder: Path, paths: tuple[Path, ...]) -> Path:
    """What an engine is given: the one file, the first shard of a split GGUF, or the folder of several files."""
    if len(paths) == 1:
        return paths[0]
    if all(path.suffix == ".gguf" for path in paths):
        return min(paths)
    top = paths[0].parent
    while not all(path.is_relative_to(top) for path in paths):
        top = top.parent
    return top if top.is_relative_to(folder) else folder


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _read(folder: Path) -> dict[str, dict[str, int]]:
    try:
        entries = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return {str(key): {str(name): int(size) for name, size in names.items()} for key, names in entries.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _write(folder: Path, entries: Mapping[str, Mapping[str, int]]) -> None:
    write(folder / NAME, json.dumps(entries, indent=2, sort_keys=True) + "\n")


def not_here(card: Card, folder: Path, size: str) -> StudioError:
    """Why the card's files cannot be used: never fetched, or no longer whole."""
    for name in sizes(folder, card):
        if _size(folder / name) < 0:
            return StudioError("missing_files", model=card.title, file=name)
    return StudioError("not_on_disk", model=card.title, id=card.base, size=size)
