"""Other files of the chosen picture: without what is said about it, without its ground, as vectors."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from studio.errors import StudioError
from studio.i18n import text
from studio.media import ground, stamp, strip, vectors
from studio.media.image import decode
from studio.recipes import ai_marks, explicit_label, recipe
from studio.recipes.embed_image import encode_png
from tabs.shared import job_progress
from tabs.shared.context import Page

Made = tuple[bytes, str, str]
"""The bytes of a file, its name, and HTML to show with it."""


def clean(file: Path, spoken: str) -> Made:  # noqa: ARG001
    """The same pixels, and nothing said about them."""
    return strip.clean(file.read_bytes()), f"picture{file.suffix}", ""


def cut_out(file: Path, spoken: str) -> Made:  # noqa: ARG001
    """A PNG with the recipe, transparent where its ground was."""
    data = file.read_bytes()
    picture, made = ground.cut_out(decode(data).image), recipe.read_recipe(data)
    if made is not None:
        picture = explicit_label.on_picture(picture, made, changed=True)
    return encode_png(picture, made), f"{file.stem}-cut.png", ""


def vector(file: Path, spoken: str) -> Made:
    """An SVG file with the recipe, shown as it is drawn, and of how many shapes."""
    data = file.read_bytes()
    made = recipe.read_recipe(data)
    picture, plate = decode(data).image, None
    if made and (spoken := explicit_label.language(made)) and (parts := stamp.apart(picture, spoken)):
        picture, plate = parts[0], parts[1:]
    told = (recipe.to_json(made), ai_marks.xmp(made)) if made else ("", "")
    found = vectors.trace(picture, *told, plate)
    svg = found.svg.encode()
    said = text("image.traced", spoken, count=found.paths, size=f"{len(svg) / 1000:.0f} kB")
    preview = f'<img class="a-traced" src="data:image/svg+xml;base64,{b64encode(svg).decode()}" alt="">'
    return svg, f"{file.stem}.svg", preview + job_progress.note(said)


def offered(page: Page, file: Path, spoken: str, make: Callable[[Path, str], Made]) -> tuple[str | None, str]:
    """Where the browser finds what `make` makes, None where it cannot, and what is said of it."""
    try:
        data, name, said = make(file, spoken)
    except OSError:
        return None, job_progress.failure(StudioError("file_not_found", path=file.name), spoken)
    except StudioError as error:
        return None, job_progress.failure(error, spoken)
    return page.offer(data, name), said
