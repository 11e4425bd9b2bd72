"""Files of refiners, the second half of Stable Diffusion XL: a checkpoint's file, or a folder in diffusers' layout.

Called by the stem of the file, the name of the folder, or in a cache of the hub by the repository without its owner. Of
a folder only `unet` is read: words and pictures are those of the first half.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from studio.errors import StudioError
from studio.paths import Home
from studio.requests import ImageRequest, Request
from studio.tasks.image import control_files
from studio.tasks.image.limits import PLAIN_NAME
from studio.tasks.image.lora_files import SUFFIX

PART = "unet"
_SIGNS = ("model.diffusion_model.label_emb.0.0.weight", "label_emb.0.0.weight")


class Refiners:
    """The refiners that lie ready: in home/refiners, and elsewhere. None on a public studio.

    Args:
        more: files and folders of refiners elsewhere.
    """

    def __init__(self, home: Home, more: Callable[[], Iterable[Path]] = tuple, *, public: bool = False) -> None:
        self._home, self._more, self._public = home, more, public

    def folders(self) -> tuple[Path, ...]:
        """Where they lie, the studio's own folder first. A folder that is a refiner itself is among them."""
        if self._public:
            return ()
        others = (place if place.is_dir() else place.parent for place in self._more())
        return tuple(dict.fromkeys((self._home.refiners, *others)))

    def names(self) -> tuple[str, ...]:
        if self._public:
            return ()
        found = {*control_files.names_in(self._home.refiners, find), *(called(place) for place in self._more())}
        return tuple(sorted(filter(PLAIN_NAME.fullmatch, found), key=str.casefold))

    def require(self, request: ImageRequest) -> None:
        """Raise StudioError where the refiner of a request is not here: not_for_public, no_refiner."""
        if not request.refiner:
            return
        if self._public:
            raise StudioError("not_for_public")
        if find(request.refiner, self.folders()) is None:
            known = ", ".join(self.names()[:20]) or "–"
            raise StudioError("no_refiner", name=request.refiner, path=str(self._home.refiners), known=known)


def called(place: Path) -> str:
    """What a refiner is called by its file or folder."""
    if place.suffix == SUFFIX and place.is_file():
        return place.stem
    above = place.parent.parent if place.parent.name == "snapshots" else place.parent
    return above.name.rpartition("--")[2] if "--" in above.name else place.name


def find(name: str, folders: Sequence[Path]) -> Path | None:
    """The file or folder of a refiner: of the first of `folders` which has one of this name, or is it."""
    if not PLAIN_NAME.fullmatch(name):
        return None
    for folder in folders:
        try:
            if _whole(folder) and called(folder) == name:
                return folder
            if _whole(folder / name):
                return folder / name
            if (path := folder / f"{name}{SUFFIX}").is_file() and paints(path):
                return path
        except (OSError, ValueError):  # NUL bytes, names that are too long
            continue
    return None


def paints(file: Path) -> bool:
    """Whether there is a network in a file that is told sizes beside words, as XL's and its refiner's are."""
    try:
        state = file.stat()
        return _paints(file, state.st_size, state.st_mtime_ns)
    except OSError:
        return False


@functools.lru_cache(maxsize=512)
def _paints(file: Path, _size: int, _written: int) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            names = set(opened.keys())
    except (OSError, SafetensorError, ValueError):
        return True  # a damaged file is said to be one by whoever reads it
    return any(sign in names for sign in _SIGNS)


def weights(place: Path) -> Path | None:
    """The file of weights of a refiner; None where it has none."""
    return place if place.is_file() else control_files.weights(place / PART)


def hashes(requests: Iterable[Request | None], folders: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by name of the weights of every refiner that the requests use; without those that cannot be read."""
    used = set(filter(None, (getattr(request, "refiner", "") for request in requests)))
    return control_files.hashes_of(((name, find(name, folders)) for name in used), weights)


def _whole(folder: Path) -> bool:
    return (folder / PART / control_files.CONFIG).is_file() and control_files.weights(folder / PART) is not None
