"""A flat picture as vectors: few clean shapes of few colours on nothing, in an SVG file that carries its recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from studio.errors import StudioError
from studio.media import ground

if TYPE_CHECKING:
    from PIL import Image

MOST_PATHS = 400
MOST_PIXELS = 1024 * 1024
"""A larger picture is traced smaller: a flat one loses nothing by it."""
_TRACED = 512
"""Pixels of the longer side at least while it is traced: edges of a small picture are stairs."""
_TRIES = ((24, 8), (16, 12), (10, 16), (6, 32))
"""(colours, least size of a spot in pixels) one after the other, until the paths are few enough."""
_PATH = re.compile(r"<path [^>]*/>")
_MARK = "atelier-recipe"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture in vectors.

    Attributes:
        svg: the file.
        paths: shapes in it, at most MOST_PATHS.
        cut: its ground was taken away.
    """

    svg: str
    paths: int
    cut: bool


Plate = tuple["Image.Image", tuple[float, float, float, float]]
"""A small picture of two colours, and its box in the large one (left, top, right, bottom)."""


def trace(picture: Image.Image, recipe: str = "", packet: str = "", plate: Plate | None = None) -> Drawing:
    """The picture as shapes; where its border is of one colour, without it.

    Args:
        recipe: JSON that the file carries.
        packet: XMP that it carries.
        plate: traced by itself and put on top, for words that the picture is too coarse for.

    Raises:
        StudioError: missing_package; not_flat where MOST_PATHS shapes are not enough, as for a photograph.
    """
    try:
        import vtracer
    except ImportError:
        raise StudioError("missing_package", model="SVG", package="vtracer") from None
    size = picture.size
    try:
        picture, cut = ground.cut_out(picture), True
    except StudioError:
        picture, cut = picture.convert("RGBA"), False
    large = _sized(picture)
    for colours, spot in _TRIES:
        drawn = vtracer.convert_raw_image_to_svg(
            _png(_fewer(large, colours)), img_format="png", colormode="color", hierarchical="stacked", mode="spline",
            filter_speckle=spot, color_precision=8, layer_difference=0, corner_threshold=60, length_threshold=6.0,
            splice_threshold=45, path_precision=1,
        )  # fmt: skip
        paths = _PATH.findall(drawn)
        if 0 < len(paths) <= MOST_PATHS:
            paths += _on_top(plate, large.width / size[0]) if plate is not None else []
            return Drawing(_file(paths, size, large.size, recipe, packet), len(paths), cut)
    raise StudioError("not_flat", most=MOST_PATHS)


def _on_top(plate: Plate, scale: float) -> list[str]:
    import vtracer

    picture, (left, top, right, _) = plate
    drawn = vtracer.convert_raw_image_to_svg(
        _png(picture.convert("L").point([0] * 128 + [255] * 128).convert("RGBA")), img_format="png", colormode="color",
        hierarchical="stacked", mode="spline", filter_speckle=2, path_precision=1,
    )  # fmt: skip
    larger = scale * (right - left) / picture.width
    where = f"translate({left * scale:.2f} {top * scale:.2f}) scale({larger:.5f})"
    return [f'<g transform="{where}">', *_PATH.findall(drawn), "</g>"]


def read_recipe(data: bytes) -> str:
    """The recipe in an SVG file that was written here; "" where there is none. Nothing of XML is carried out."""
    if not data[:400].lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<svg", b"<?xml")):
        return ""
    found = re.search(rb'<metadata id="' + _MARK.encode() + rb'">([^<]*)</metadata>', data)
    if found is None:
        return ""
    said = found[1].decode("utf-8", "replace")
    return said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _file(paths: list[str], size: tuple[int, int], traced: tuple[int, int], recipe: str, packet: str) -> str:
    width, height = size
    carried = f'<metadata id="{_MARK}">{escape(recipe)}</metadata>' if recipe else ""
    carried += f"<metadata>{packet}</metadata>" if packet else ""
    shapes = "\n".join(paths)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {traced[0]} {traced[1]}">\n{carried}\n{shapes}\n</svg>\n'
    )


def _sized(picture: Image.Image) -> Image.Image:
    from PIL import Image

    longer, pixels = max(picture.size), picture.width * picture.height
    scale = max(1.0, _TRACED / longer) if pixels <= MOST_PIXELS else (MOST_PIXELS / pixels) ** 0.5
    if scale == 1.0:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _fewer(picture: Image.Image, colours: int) -> Image.Image:
    """With so many colours, each pixel there or not: what is half there would be a shape along every edge."""
    from PIL import Image, ImageFilter

    there = picture.getchannel("A").point([0] * 128 + [255] * 128)
    flat = picture.convert("RGB").filter(ImageFilter.MedianFilter(5))  # a soft change is no hundred shapes
    few = flat.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    few.putalpha(there)
    return few


def _png(picture: Image.Image) -> bytes:
    import io

    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
