"""Files of adaptations: what they are called, where they lie, and their hashes.

A name is the path below the folder that holds them, without its ending: "ink" or "style/ink". Hashes are remembered for
as long as a file keeps its size and time; in a recipe they tell when another file took a name's place.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.errors import StudioError
from studio.paths import walk
from studio.requests import ImageRequest, Request
from studio.tasks.image.limits import LORA_NAME, LORA_PATH

SUFFIX = ".safetensors"
MAX_FILES = 20_000
_DEPTH = 8
_CALLED = ("lora", "loras", "lycoris", "locon")
"""Folders that hold adaptations are called so by the programs that we know."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A file of an adaptation, and the folder below which its name begins."""

    root: Path
    file: Path

    @property
    def name(self) -> str:
        """What it is called; "" where nothing can be called so."""
        name = self.file.relative_to(self.root).as_posix().removesuffix(SUFFIX)
        return name if LORA_PATH.fullmatch(name) and len(name) <= LORA_NAME.high else ""


def placed(file: Path, pointed: Sequence[Path]) -> Placed:
    """Where the name of a file begins that lies in somebody's folders.

    Below the outermost folder that programs call so, else below the one that was pointed at, else beside it.
    """
    within = next((folder for folder in pointed if folder in file.parents), None)
    near = file.parents[: list(file.parents).index(within) + 1] if within else file.parents
    called = [folder for folder in near if folder.name.casefold() in _CALLED]
    root = (called[-1] if within else called[0]) if called else within or file.parent
    found = Placed(root, file)
    return found if found.name else Placed(file.parent, file)


def below(folder: Path) -> Iterator[Placed]:
    """All files in a folder and those below it, in the order of their names. Links are followed, each folder once."""
    left = MAX_FILES
    for place, folders, names in walk(folder):
        deep = len(place.relative_to(folder).parts) >= _DEPTH - 1
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIX) and left > 0:
                left -= 1
                yield Placed(folder, place / name)


def meant(name: str, known: Collection[str]) -> str:
    """The adaptation that is meant by a name; "" where there is none.

    Other programs write the bare name of a file, whatever folder it lies in, and people move files between folders.

    Raises:
        StudioError: lora_ambiguous, where several files have that bare name.
    """
    if name in known:
        return name
    plain = name.replace("\\", "/").removesuffix(SUFFIX)
    if plain in known:
        return plain
    bare = plain.rpartition("/")[2]
    found = sorted(one for one in known if one.rpartition("/")[2] == bare)
    if len(found) > 1:
        raise StudioError("lora_ambiguous", name=name, names=", ".join(found[:8]))
    return found[0] if found else ""


def find(name: str, folders: Iterable[Path]) -> Path | None:
    """The file of an adaptation: that of the first folder which has one of this name. Names lead out of no folder."""
    if not LORA_PATH.fullmatch(name):
        return None
    for folder in folders:
        path = folder / f"{name}{SUFFIX}"
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # names that are too long
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
