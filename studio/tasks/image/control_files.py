"""Files of ControlNets and T2I-Adapters: a safetensors file or a folder with its config.json, by its stem or its name.

Beside them the network that tells how deep a picture is, which has a folder of its own and no name in a request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from studio.errors import StudioError
from studio.paths import Home
from studio.requests import ImageRequest, Request
from studio.tasks.image.limits import PLAIN_NAME
from studio.tasks.image.lora_files import SUFFIX, hash_of

CONFIG = "config.json"
DEPTH_FOLDER = "preprocessors"
DEPTH = ("DepthAnythingForDepthEstimation", "DPTForDepthEstimation")
"""Networks that tell how deep a picture is, as their configurations call them."""
_HUB = "models--"
"""How the folder of a repository begins in the hub's cache."""


class ControlNets:
    """The ControlNets that lie ready: in home/controlnets, and where other programs left them. None on a public studio.

    Args:
        more: files and folders of ControlNets elsewhere. depths: folders of networks that tell depth, elsewhere.
    """

    def __init__(
        self, home: Home, more: Callable[[], Iterable[Path]] = tuple, depths: Callable[[], Iterable[Path]] = tuple, *,
        public: bool = False,
    ) -> None:  # fmt: skip
        self._home, self._more, self._depths, self._public = home, more, depths, public

    def folders(self) -> tuple[Path, ...]:
        """Where they lie, the studio's own folder last: that is where `find` begins."""
        if self._public:
            return ()
        found = (_repository(place) or place.parent for place in (*self._depths(), *self._more()))
        return (*dict.fromkeys(found), self._home.preprocessors, self._home.controlnets)

    def names(self) -> tuple[str, ...]:
        if self._public:
            return ()
        elsewhere = (name_of(place) for place in self._more())
        found = {*_names(self._home.controlnets), *(name for name in elsewhere if PLAIN_NAME.fullmatch(name))}
        return tuple(sorted(found, key=str.casefold))

    def require(self, request: ImageRequest) -> None:
        """Raise StudioError where what a request is steered by is not here: not_for_public, no_control, no_depth."""
        if request.controls and self._public:
            raise StudioError("not_for_public")
        for control in request.controls:
            if find(control.model, self.folders()) is None:
                known = ", ".join(self.names()[:20]) or "–"
                raise StudioError("no_control", name=control.model, path=str(self._home.controlnets), known=known)
        if any(control.preprocessor == "depth" for control in request.controls):
            self.depth()

    def depth(self) -> Path:
        """The folder of the network that tells depth. Raises StudioError: not_for_public, no_depth."""
        if self._public:
            raise StudioError("not_for_public")
        if (place := find_depth(self.folders())) is None:
            raise StudioError("no_depth", path=str(self._home.preprocessors))
        return place


def name_of(place: Path) -> str:
    """What a ControlNet is called by its file or folder; in the hub's cache by its repository, without the owner."""
    if (repository := _repository(place)) is not None:
        return repository.name.rpartition("--")[2]
    return place.stem if place.suffix == SUFFIX else place.name


def find(name: str, folders: Sequence[Path]) -> Path | None:
    """The file, or the folder with its files, of a ControlNet: of the last of `folders` which has one of this name.

    The same folders serve adaptations, of which the first counts: theirs stand in front, and no adaptation takes the
    name of a ControlNet, nor the other way round. Names lead out of no folder. A folder counts before a file.
    """
    if not PLAIN_NAME.fullmatch(name):
        return None
    for folder in reversed(folders):
        try:
            if folder.name.startswith(_HUB):
                if folder.name.endswith(f"--{name}") and (place := _version(folder)) is not None:
                    return place
                continue
            if (folder / name / CONFIG).is_file() and weights(folder / name) is not None:
                return folder / name
            if (path := folder / f"{name}{SUFFIX}").is_file():
                return path
        except (OSError, ValueError):  # NUL bytes, names that are too long
            continue
    return None


def find_depth(folders: Sequence[Path]) -> Path | None:
    """The folder of a network that tells depth: of the last of `folders` that has one, the first by its name."""
    for folder in reversed(folders):
        try:
            if folder.name.startswith(_HUB):
                inside = [place] if (place := _version(folder)) is not None else []
            else:
                inside = sorted(one for one in folder.iterdir() if one.is_dir())
            for place in inside:
                if _tells_depth(place) and weights(place) is not None:
                    return place
        except OSError:
            continue
    return None


def _tells_depth(place: Path) -> bool:
    try:
        stated = json.loads((place / CONFIG).read_text(encoding="utf-8"))["architectures"][0]
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return False
    return stated in DEPTH


def _repository(place: Path) -> Path | None:
    """The folder of the hub's cache in which one of its versions lies; None for what lies elsewhere."""
    above = place.parent.parent
    return above if place.parent.name == "snapshots" and above.name.startswith(_HUB) else None


def _version(repository: Path) -> Path | None:
    """Of the versions in the hub's cache the one that was asked for last; None where it is no ControlNet."""
    found = {one.name: one for one in (repository / "snapshots").iterdir() if (one / CONFIG).is_file()}
    named = repository / "refs" / "main"
    meant = named.read_text(encoding="utf-8").strip() if named.is_file() else ""
    place = found.get(meant) or found.get(max(found, default=""))
    return place if place is not None and weights(place) is not None else None


def weights(place: Path) -> Path | None:
    """The file of weights of a ControlNet: in a folder the usual name, else the first; None where it has none."""
    if place.is_file():
        return place
    found = sorted(place.glob(f"*{SUFFIX}"))
    return next((file for file in found if file.stem == "diffusion_pytorch_model"), found[0] if found else None)


def _names(folder: Path) -> tuple[str, ...]:
    """The ControlNets that lie in a folder, as far as their names tell."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return ()
    found = [each.stem for each in inside if each.suffix == SUFFIX and each.is_file()]
    found += [each.name for each in inside if (each / CONFIG).is_file() and weights(each) is not None]
    return tuple(name for name in found if PLAIN_NAME.fullmatch(name))


def hashes(requests: Iterable[Request | None], folders: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by name of the weights of every ControlNet that the requests use, and of the network that tells depth.

    Without those that cannot be read.
    """
    requests = tuple(requests)
    used = {one.model for request in requests for one in getattr(request, "controls", ())}
    found = hashes_of((name, find(name, folders)) for name in used)
    deep = any(one.preprocessor == "depth" for request in requests for one in getattr(request, "controls", ()))
    place = find_depth(folders) if deep else None
    return found if place is None else found | hashes_of([(name_of(place), place)])


def hashes_of(
    places: Iterable[tuple[str, Path | None]], weights_of: Callable[[Path], Path | None] = weights
) -> dict[str, str]:
    """SHA-256 by name of the weights of files and folders, by their names' order; without what cannot be read."""
    files = ((name, place and weights_of(place)) for name, place in sorted(places))
    return {name: told for name, file in files if file is not None and (told := hash_of(file))}


def stamp(name: str, place: Path, weights_of: Callable[[Path], Path | None] = weights) -> tuple[str, int, int] | None:
    """What changes where other weights take the place of those that were read; None where there are none."""
    try:
        state = file.stat() if (file := weights_of(place)) is not None else None
    except OSError:
        return None
    return state and (name, state.st_mtime_ns, state.st_size)


def names_in(folder: Path, find: Callable[[str, Sequence[Path]], Path | None]) -> tuple[str, ...]:
    """Names under which `find` finds something in a folder."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return ()
    found = {each.stem if each.suffix == SUFFIX else each.name for each in inside}
    return tuple(name for name in found if find(name, (folder,)) is not None)
