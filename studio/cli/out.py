"""--out: results copied to a file or a folder of the user's choice, in the format that the name asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from studio.errors import StudioError
from studio.library import music_export
from studio.media.image import decode
from studio.paths import disk_error, put_file, unused
from studio.recipes import explicit_label
from studio.recipes.signing import Sign, unsigned
from studio.requests import Task
from studio.results import Artifact

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
FORMATS: dict[Task, tuple[str, ...]] = {"image": _PICTURES, "upscale": _PICTURES, "music": music_export.MUSIC}
_ALIAS = {".jpeg": ".jpg"}


@dataclass(frozen=True, slots=True)
class Target:
    """What --out named. `folder`: files keep their own names below it."""

    path: Path
    folder: bool


def target(out: str, task: Task) -> Target:
    """What `out` means: an existing folder, a name that ends like one, or a file.

    Raises:
        ValueError: the file's suffix is a format that this task cannot write; lists those it can.
    """
    path, known = Path(out).expanduser(), FORMATS.get(task, ())
    if path.is_dir() or out.endswith(("/", os.sep)):
        return Target(path, True)
    if known and path.suffix.lower() not in known:
        raise ValueError(", ".join(known))
    return Target(path, False)


def keep(artifact: Artifact, out: Target, clean: bool = False, sign: Sign = unsigned) -> tuple[Path, ...]:
    """Write the artifact's results to `out`; the second one gets -2 before its suffix, and so on, a sheet -grid.

    Args:
        clean: put nothing into the files about how they were made.
        sign: how files in another format are signed.

    Raises:
        StudioError: the disk is full or refuses.
    """
    if artifact.task in FORMATS:
        names = [file.name for file in artifact.files]
        contents = [_converted(artifact, index, out, clean, sign) for index in range(len(artifact.files))]
    else:
        names = [file.name for file in artifact.files] or [f"{artifact.task}-{artifact.recipe['seed']}.txt"]
        texts = artifact.texts or (artifact.text,)
        contents = [explicit_label.on_caption(one, artifact.recipe).encode("utf-8", "replace") for one in texts]
    written = []
    for number, (name, data) in enumerate(zip(names, contents, strict=True), 1):
        more = f"-{number}" if number > 1 else ""
        path = unused(out.path / name) if out.folder else out.path.with_stem(out.path.stem + more)
        _put(path, data)
        written.append(path)
    if artifact.sheet:
        path = unused(out.path / artifact.sheet.name) if out.folder else out.path.with_name(out.path.stem + "-grid.png")
        _put(path, _read(artifact.sheet))
        written.append(path)
    return tuple(written)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise StudioError("file_not_found", path=str(file)) from None


def _converted(artifact: Artifact, index: int, out: Target, clean: bool, sign: Sign) -> bytes:
    """The stored file, or the same with the same recipe in the format that `out` names."""
    file, made = artifact.files[index], artifact.recipes[index]
    suffix = file.suffix if out.folder else out.path.suffix.lower()
    if artifact.task == "music":
        return music_export.music(file, made, suffix, sign)
    data = _read(file)
    if _ALIAS.get(suffix, suffix) == file.suffix:
        return data
    from studio.recipes import embed_image

    picture = decode(data).image
    encode = {".png": embed_image.encode_png, ".webp": embed_image.encode_webp}.get(suffix, embed_image.encode_jpeg)
    return encode(picture) if clean else sign(encode(picture, made), made, True)


def _put(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    path = path.resolve()
    try:
        if path.exists() and not path.is_file():  # a pipe or a device: replacing it would remove it
            path.write_bytes(data)
            return
    except OSError as error:
        raise disk_error(error, path) from error
    put_file(path, data)
