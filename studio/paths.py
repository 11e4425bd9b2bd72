"""Paths, and safe writing: everything below one home folder, nothing half-written.

home/models/      weights by source        home/outputs/   what was made, by task and day
home/chats/       conversations            home/cache/     can be deleted at any time
home/models.toml  the user's own models    home/inputs/    pictures that pictures were made from, by hash
home/styles/      words round a prompt     home/wildcards/ lists of words to draw from
home/loras/       adaptations of models    home/captions/ how folders of pictures were captioned
home/controlnets/ networks that hold a picture to a map
home/ipadapters/  networks that show a model reference pictures
home/preprocessors/ networks that make such maps: the depth of a picture
home/embeddings/  textual inversions, by their names in a prompt
home/upscalers/   networks that enlarge pictures        home/detectors/ networks that find faces and hands
home/chat-presets.json  how conversations are answered, by name; image-, music-, code-, caption-presets.json the same
home/keys.json    keys of the API, as hashes
home/queue/       jobs that wait, for after a restart
home/library/     the index of all that was made; can be deleted at any time
home/refiners/    second halves of Stable Diffusion XL
home/vaes/        decoders that pictures can be decoded by in place of a model's own
home/chains/      chains of steps, and in runs/ what was done with each
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import platformdirs

from studio.errors import StudioError


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds everything the studio writes. Made on first use, readable by its owner only."""

    root: Path
    weights: Path | None = None

    @classmethod
    def at(cls, root: Path | None, weights: Path | None = None) -> Home:
        """The home at `root`, by default the user's data folder.

        Args:
            weights: where the models' files lie, which several homes may share; by default in this one.

        Raises:
            StudioError: it cannot be made or written.
        """
        home = cls(
            (root or Path(platformdirs.user_data_path("atelier", appauthor=False))).expanduser().resolve(),
            weights and weights.expanduser().resolve(),
        )
        # made so that people find where theirs go
        own = (
            home.styles, home.wildcards, home.loras, home.embeddings, home.controlnets, home.ipadapters,
            home.preprocessors, home.detectors, home.upscalers, home.vaes, home.refiners, home.chains,
        )  # fmt: skip
        for folder in (home.root, home.models, home.outputs, home.chats, home.cache, *own):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StudioError("home_not_writable", path=str(folder), reason=error.strerror or str(error)) from None
        return home

    @property
    def models(self) -> Path:
        return self.weights or self.root / "models"

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    @property
    def chats(self) -> Path:
        return self.root / "chats"

    def presets(self, task: str) -> Path:
        """The file of a task's presets."""
        return self.root / f"{task}-presets.json"

    @property
    def keys(self) -> Path:
        return self.root / "keys.json"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def styles(self) -> Path:
        return self.root / "styles"

    @property
    def wildcards(self) -> Path:
        return self.root / "wildcards"

    @property
    def loras(self) -> Path:
        return self.root / "loras"

    @property
    def controlnets(self) -> Path:
        return self.root / "controlnets"

    @property
    def ipadapters(self) -> Path:
        return self.root / "ipadapters"

    @property
    def preprocessors(self) -> Path:
        return self.root / "preprocessors"

    @property
    def detectors(self) -> Path:
        return self.root / "detectors"

    @property
    def embeddings(self) -> Path:
        return self.root / "embeddings"

    @property
    def upscalers(self) -> Path:
        return self.root / "upscalers"

    @property
    def refiners(self) -> Path:
        return self.root / "refiners"

    @property
    def vaes(self) -> Path:
        return self.root / "vaes"

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def library(self) -> Path:
        return self.root / "library"

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    @property
    def captions(self) -> Path:
        return self.root / "captions"

    @property
    def chains(self) -> Path:
        return self.root / "chains"

    @property
    def own_models(self) -> Path:
        return self.root / "models.toml"


def inside(root: Path, *parts: str) -> Path:
    """`root` joined with untrusted `parts`.

    Raises:
        StudioError: the result would lie outside `root`.
    """
    root = root.resolve()
    try:
        path = root.joinpath(*parts).resolve()
    except (OSError, ValueError):  # NUL bytes, names the file system refuses
        raise StudioError("bad_path") from None
    if not path.is_relative_to(root):
        raise StudioError("bad_path")
    return path


@contextmanager
def writing(target: Path, *, new: bool = False) -> Iterator[Path]:
    """A temporary path beside `target` that becomes `target` at the end, or disappears on any error.

    Args:
        new: never in place of another file, whoever made it and when.

    Raises:
        StudioError: the disk is full or refuses. `target` is then what it was before.
        FileExistsError: `new`, and the name is taken.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise disk_error(error, target) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        (_place if new else os.replace)(temporary, target)
    except OSError as error:
        if new and isinstance(error, FileExistsError):
            raise
        raise disk_error(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
"""How file systems without hard links say so, exFAT for one. The claim then lasts as long as one renaming."""


def write(target: Path, data: bytes | str, *, new: bool = False) -> None:
    """Write a whole file or nothing. Raises as `writing`."""
    with writing(target, new=new) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def unused(path: Path) -> Path:
    """A path of this name at which nothing lies: with `-2` and so on behind its stem where something does."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def _place(temporary: Path, target: Path) -> None:
    """Give a finished file its name unless another has it, in one step: a name that is claimed first and filled
    later stays as an empty file where the process is killed between the two."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
        os.replace(temporary, target)


def sweep(target: Path) -> None:
    """Remove what a killed process left of a file that it was writing. Only for its one writer."""
    for leftover in target.parent.glob(f".{glob.escape(target.name[:40])}.*.part"):
        with suppress(OSError):
            leftover.unlink()


def put_file(path: Path, data: bytes, *, new: bool = False) -> None:
    """As `write`, for a file of the user's own: with its permissions, or those that their other new files get.

    Raises:
        StudioError: the disk is full or refuses.
        FileExistsError: `new`, and the name is taken.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask()
        with writing(path, new=new) as temporary:
            temporary.write_bytes(data)
            temporary.chmod(mode)  # not afterwards: by then the name may be somebody's link to another file
    except OSError as error:
        if new and isinstance(error, FileExistsError):
            raise
        raise disk_error(error, path) from error


def opened(path: Path) -> BinaryIO:
    """A regular file, open for reading; never what a link at its place points to, nor a pipe or a device, which could
    keep the reader waiting or reading for ever.

    Raises:
        OSError: there is none, it may not be read, or it is something else.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return open(handle, "rb")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def disk_error(error: OSError, path: Path) -> StudioError:
    """The error a user meets for an operating system error while writing `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StudioError("disk_full", path=str(path.parent))
    return StudioError("cannot_write", path=str(path), reason=error.strerror or str(error))


def require_space(folder: Path, needed: int, keep_free: int) -> None:
    """Raise StudioError where writing `needed` bytes would leave less than `keep_free` on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < needed + keep_free:
        kept = gigabytes(keep_free)
        raise StudioError("no_space", needed=gigabytes(needed), free=gigabytes(free), path=str(folder), kept=kept)


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`, from the top; links are followed, and no folder is entered twice."""
    seen: set[tuple[int, int]] = set()
    for top, folders, names in os.walk(folder, followlinks=True):
        with suppress(OSError):
            state = os.stat(top)
            if (state.st_dev, state.st_ino) in seen:
                folders.clear()
                continue
            seen.add((state.st_dev, state.st_ino))
        yield Path(top), folders, names


def occupied(folder: Path, shared: bool = True) -> int:
    """Bytes of all files below `folder`. What goes away while we count, or cannot be read, counts nothing.

    Args:
        shared: count files that other folders hold too, by a hard link.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                state = os.stat(os.path.join(place, name))
                total += state.st_size if shared or state.st_nlink == 1 else 0
    return total


def gigabytes(count: float) -> str:
    """Bytes as people read them: ``"98 MB"``, ``"3.1 GB"`` (decimal units, as on a disk's box)."""
    if count >= 999_500_000:
        return f"{count / 1e9:.1f} GB"
    if count >= 999_500:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e3:.0f} kB"
