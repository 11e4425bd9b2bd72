"""Files of ControlNets: a safetensors file or a folder with its config.json, by the stem or the name of the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from studio.errors import StudioError
from studio.paths import Home
from studio.requests import ImageRequest, Request
from studio.tasks.image.limits import PLAIN_NAME
from studio.tasks.image.lora_files import SUFFIX, hash_of

CONFIG = "config.json"
_HUB = "models--"
"""How the folder of a repository begins in the hub's cache."""


class ControlNets:
    """The ControlNets that lie ready: in home/controlnets, and where other programs left them. None on a public studio.

    Args:
        more: files and folders of ControlNets elsewhere.
    """

    def __init__(self, home: Home, more: Callable[[], Iterable[Path]] = tuple, *, public: bool = False) -> None:
        self._home, self._more, self._public = home, more, public

    def folders(self) -> tuple[Path, ...]:
        """Where they lie, the studio's own folder last: that is where `find` begins."""
        if self._public:
            return ()
        return (*dict.fromkeys(_repository(place) or place.parent for place in self._more()), self._home.controlnets)

    def names(self) -> tuple[str, ...]:
        if self._public:
            return ()
        elsewhere = (name_of(place) for place in self._more())
        found = {*_names(self._home.controlnets), *(name for name in elsewhere if PLAIN_NAME.fullmatch(name))}
        return tuple(sorted(found, key=str.casefold))

    def require(self, request: ImageRequest) -> None:
        """Raise StudioError where a ControlNet of a request is not here: not_for_public, no_control."""
        if request.controls and self._public:
            raise StudioError("not_for_public")
        for control in request.controls:
            if find(control.model, self.folders()) is None:
                known = ", ".join(self.names()[:20]) or "–"
                raise StudioError("no_control", name=control.model, path=str(self._home.controlnets), known=known)


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
    """SHA-256 by name of the weights of every ControlNet that the requests use; without those that cannot be read."""
    used = {one.model for request in requests for one in getattr(request, "controls", ())}
    found = {}
    for name in sorted(used):
        place = find(name, folders)
        if place is not None and (file := weights(place)) is not None and (told := hash_of(file)):
            found[name] = told
    return found
