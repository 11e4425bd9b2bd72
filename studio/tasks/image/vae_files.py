"""Files of picture decoders (VAEs): a safetensors file or a folder with its config.json, by the stem or its name.

The folders serve adaptations and ControlNets as well: what is no decoder by its header is passed over there.
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

OWN_WORDS = ("", "automatic", "none", "baked vae", "default (model)")
"""What stands, in small letters, where the model's own decoder is meant."""
_SIGNS = ("decoder.", "first_stage_model.decoder.", "vae.decoder.")
_PICKLES = (".pt", ".ckpt", ".bin", ".pth")


class Vaes:
    """The decoders that lie ready: in home/vaes, and where other programs left them. None on a public studio.

    Args:
        more: files of decoders elsewhere.
    """

    def __init__(self, home: Home, more: Callable[[], Iterable[Path]] = tuple, *, public: bool = False) -> None:
        self._home, self._more, self._public = home, more, public

    def folders(self) -> tuple[Path, ...]:
        """Where they lie, the studio's own folder first."""
        if self._public:
            return ()
        return tuple(dict.fromkeys((self._home.vaes, *(place.parent for place in self._more()))))

    def names(self) -> tuple[str, ...]:
        if self._public:
            return ()
        found = {*control_files.names_in(self._home.vaes, find), *(place.stem for place in self._more())}
        return tuple(sorted(filter(PLAIN_NAME.fullmatch, found), key=str.casefold))

    def require(self, request: ImageRequest) -> None:
        """Raise StudioError where the decoder of a request is not here: not_for_public, no_vae, vae_pickle."""
        if not request.vae:
            return
        if self._public:
            raise StudioError("not_for_public")
        if find(request.vae, self.folders()) is None:
            for ending in _PICKLES:
                if (file := self._home.vaes / f"{request.vae}{ending}").is_file():
                    raise StudioError("vae_pickle", name=file.name)
            known = ", ".join(self.names()[:20]) or "–"
            raise StudioError("no_vae", name=request.vae, path=str(self._home.vaes), known=known)


def plain_name(written: str) -> str:
    """What a decoder is called by the file that other programs name; "" where they mean the model's own."""
    bare = written.strip().replace("\\", "/").rpartition("/")[2]
    for ending in (SUFFIX, *_PICKLES):
        bare = bare.removesuffix(ending)
    return "" if bare.casefold() in OWN_WORDS else bare


def find(name: str, folders: Sequence[Path]) -> Path | None:
    """The file, or the folder with its files, of a decoder: of the first of `folders` which has one of this name.

    Names lead out of no folder. A folder counts before a file.
    """
    if not PLAIN_NAME.fullmatch(name):
        return None
    for folder in folders:
        try:
            inside = folder / name
            if (inside / control_files.CONFIG).is_file() and (file := control_files.weights(inside)):
                if decodes(file):
                    return inside
            elif (path := folder / f"{name}{SUFFIX}").is_file() and decodes(path):
                return path
        except (OSError, ValueError):  # NUL bytes, names that are too long
            continue
    return None


def decodes(file: Path) -> bool:
    """Whether there is a decoder in a file, by its header. Also those that are not read here: they are told apart."""
    try:
        state = file.stat()
        return _decodes(file, state.st_size, state.st_mtime_ns)
    except OSError:
        return False


@functools.lru_cache(maxsize=512)
def _decodes(file: Path, _size: int, _written: int) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            names = list(opened.keys())
    except (OSError, SafetensorError, ValueError):
        return True  # a damaged file is said to be one by whoever reads it
    return any(name.startswith(_SIGNS) for name in names)


def hashes(requests: Iterable[Request | None], folders: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by name of the weights of every decoder that the requests use; without those that cannot be read."""
    used = set(filter(None, (getattr(request, "vae", "") for request in requests)))
    return control_files.hashes_of((name, find(name, folders)) for name in used)
