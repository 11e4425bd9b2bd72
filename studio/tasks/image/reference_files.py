"""Files of IP-Adapters by their stems, and the image encoder that each reads pictures by, which lies beside it.

As their makers publish them (models/ip-adapter_sd15.safetensors, models/image_encoder/ …), and as people put them into
one folder. What a file is, is told by its header alone.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from studio.errors import StudioError
from studio.paths import Home
from studio.requests import ImageRequest, Request
from studio.tasks.image.limits import PLAIN_NAME
from studio.tasks.image.lora_files import SUFFIX, hash_of

ENCODER = "image_encoder"
"""How the folder of an image encoder is called, or begins: image_encoder, image_encoder_bigg …."""
Shapes = Mapping[str, tuple[int, ...]]
_SMALL = 1 << 20
_PUBLISHED = ("models", "sdxl_models")
"""The folders of their makers' repository. Encoders elsewhere may be as wide and see otherwise."""


class IPAdapters:
    """The IP-Adapters that lie ready: in home/ipadapters, and where other programs left them. None on a public studio.

    Args:
        more: files of IP-Adapters elsewhere.
    """

    def __init__(self, home: Home, more: Callable[[], Iterable[Path]] = tuple, *, public: bool = False) -> None:
        self._home, self._more, self._public = home, more, public

    def folders(self) -> tuple[Path, ...]:
        """Where they lie, the studio's own folder last: that is where `find` begins."""
        if self._public:
            return ()
        own = self._home.ipadapters
        return (*dict.fromkeys(file.parent for file in self._more()), *_inside(own), own)

    def names(self) -> tuple[str, ...]:
        if self._public:
            return ()
        own = (file.stem for folder in (*_inside(self._home.ipadapters), self._home.ipadapters) for file in _of(folder))
        found = {name for name in (*own, *(file.stem for file in self._more())) if PLAIN_NAME.fullmatch(name)}
        return tuple(sorted(found, key=str.casefold))

    def require(self, request: ImageRequest) -> None:
        """Raise StudioError where an IP-Adapter of a request is not here: not_for_public, no_reference."""
        if request.references and self._public:
            raise StudioError("not_for_public")
        for one in request.references:
            if find(one.model, self.folders()) is None:
                known = ", ".join(self.names()[:20]) or "–"
                raise StudioError("no_reference", name=one.model, path=str(self._home.ipadapters), known=known)


def find(name: str, folders: Sequence[Path]) -> Path | None:
    """The file of an IP-Adapter: of the last of `folders` which has one of this name.

    The same folders serve adaptations and ControlNets: a file of this name that is something else counts only where
    none is an IP-Adapter, so that it can be said what it is. Names lead out of no folder.
    """
    if not PLAIN_NAME.fullmatch(name):
        return None
    found = []
    for folder in dict.fromkeys(reversed(folders)):
        file = folder / f"{name}{SUFFIX}"
        try:
            if file.is_file():
                found.append(file)
        except (OSError, ValueError):  # NUL bytes, names that are too long
            continue
    return next((file for file in found if _is_one(file)), found[0] if found else None)


def shapes(file: Path) -> Shapes:
    """Name -> shape of a file's tensors; nothing where it cannot be read."""
    try:
        state = file.stat()
        return _shapes(file, state.st_size, state.st_mtime_ns)
    except OSError:
        return {}


def reads(tensors: Shapes) -> tuple[str, int]:
    """What of an image encoder an IP-Adapter takes in, by the name that its width has in the encoder's configuration:
    what all of a picture is in the end (projection_dim), or each part of it one layer before (hidden_size).

    ("", 0) where the tensors do not tell.
    """
    inner = {name.partition(".")[2]: shape for name, shape in tensors.items() if name.startswith(_PROJECTIONS)}
    for name, key, axis in (
        ("proj.weight", "projection_dim", 1), ("proj.3.weight", "hidden_size", 0), ("proj_in.weight", "hidden_size", 1),
    ):  # fmt: skip
        named = "proj.0.weight" if name == "proj.3.weight" else name
        if name in inner and len(shape := inner.get(named, ())) == 2:
            return key, shape[axis]
    return "", 0


_PROJECTIONS = ("image_proj.", "ip_adapter_proj_model.")


def encoder(file: Path, folders: Sequence[Path]) -> Path | None:
    """The folder of the image encoder that an IP-Adapter's file reads pictures by; None where there is none.

    Looked for beside the file, beside its folder, in the other folder of its repository, and in `folders`; of several
    the first that is as wide as it reads.
    """
    key, width = reads(shapes(file))
    return next((folder for folder in _encoders(file, folders) if width and _widths(folder).get(key) == width), None)


def _encoders(file: Path, folders: Sequence[Path]) -> Iterator[Path]:
    """Folders of image encoders, the nearest first, each once."""
    above = file.parent.parent
    seen: set[Path] = set()
    for place, pattern in (
        (file.parent, f"{ENCODER}*"), (above, f"{ENCODER}*"), *((above / name, ENCODER) for name in _PUBLISHED),
        *((folder, f"{ENCODER}*") for folder in reversed(folders)),
    ):  # fmt: skip
        try:
            found = sorted(place.glob(pattern))
        except OSError:
            continue
        for folder in found:
            if folder not in seen and (folder / "config.json").is_file() and encoder_weights(folder) is not None:
                seen.add(folder)
                yield folder


def encoder_weights(folder: Path) -> Path | None:
    """The file of weights of an image encoder; None where it has none that is read here."""
    file = folder / f"model{SUFFIX}"
    return file if file.is_file() else None


def _widths(folder: Path) -> dict[str, int]:
    """The widths in an image encoder's configuration; of one that reads words as well those of its eye."""
    try:
        file = folder / "config.json"
        told = json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size < _SMALL else {}
        seeing = told.get("vision_config") or told
        return {
            "projection_dim": int(told.get("projection_dim") or seeing.get("projection_dim") or 0),
            "hidden_size": int(seeing.get("hidden_size") or 0),
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def hashes(requests: Iterable[Request | None], folders: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by name of every IP-Adapter that the requests use, and of its encoder; without what cannot be read."""
    used = {one.model for request in requests for one in getattr(request, "references", ())}
    found = {}
    for name in sorted(used):
        if (file := find(name, folders)) is None:
            continue
        place = encoder(file, folders)
        for called, one in ((name, file), (f"{name}/{ENCODER}", place and encoder_weights(place))):
            if one is not None and (told := hash_of(one)):
                found[called] = told
    return found


def _is_one(file: Path) -> bool:
    return any(name.startswith((*_PROJECTIONS, "ip_adapter.")) for name in shapes(file))


@functools.lru_cache(maxsize=64)
def _shapes(file: Path, _size: int, _written: int) -> Shapes:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError):
        return {}


def _inside(folder: Path) -> list[Path]:
    """The folders in it that may hold IP-Adapters: a whole repository of theirs has one for each kind of model."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return []
    return [each for each in inside if each.is_dir() and not each.name.startswith((ENCODER, "."))]


def _of(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.glob(f"*{SUFFIX}") if file.is_file())
    except OSError:
        return []
