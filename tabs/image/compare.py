"""Two pictures side by side: what a picture is compared with, brought to its size."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from studio.errors import StudioError
from studio.media.image import check_image, decode_image
from studio.recipes import recipe
from studio.results import Artifact
from tabs.shared.context import Page

Kind = Literal["source", "before", "beside"]


def pair(page: Page, artifact: Artifact, index: int, earlier: Sequence[Artifact]) -> tuple[Kind, str] | None:
    """What picture `index` is compared with, as a file of the page's: the one it was made from, else the one that
    was made before, else its neighbour; None where there is nothing else.

    Raises:
        StudioError: one of the two cannot be read any more.
    """
    made = artifact.recipes[index]
    hash = recipe.sources(made).get("image")
    if hash and (data := known(page, hash, earlier)):
        return "source", _offered(page, data, artifact.files[index])
    if len(artifact.files) > 1:
        return "beside", _offered(page, content(artifact.files[index - 1 if index else 1]), artifact.files[index])
    for other in reversed(earlier):
        if other.files and all(file.exists() for file in other.files):
            return "before", _offered(page, content(other.files[0]), artifact.files[index])
    return None


def known(page: Page, sha256: str, earlier: Sequence[Artifact]) -> bytes | None:
    """The picture with this hash: among those that were kept as inputs, else among those made here."""
    if data := page.studio.source(sha256):
        return data
    for artifact in reversed(earlier):
        for file in artifact.files:
            if file.exists() and hashlib.sha256(data := content(file)).hexdigest() == sha256:
                return data
    return None


def _offered(page: Page, data: bytes, beside: Path) -> str:
    """`data` as a PNG of the size that the picture beside it has."""
    from PIL import Image

    _, width, height = check_image(content(beside))
    picture = decode_image(data)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return page.offer(out.getvalue(), "before.png")


def content(file: str | Path) -> bytes:
    """A picture's file. Raises StudioError where it is gone."""
    try:
        return Path(file).read_bytes()
    except OSError:
        raise StudioError("file_not_found", path=Path(file).name) from None
