"""The edge of a mask before the run: how softly what is painted begins, and what is cut out for it."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageDraw

from studio.catalog.card import Card
from studio.i18n import text
from studio.media import masks, seams
from studio.media.image import decode_image
from studio.requests import ImageRequest
from studio.tasks import limits
from studio.tasks.image import size
from tabs.image import form
from tabs.image.source import PAINT
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.uploaded import address

SIDE = 1024
"""The longer side of what is shown."""


def shown(page: Page, values: Mapping[str, Any], card: Card, spoken: str) -> str:
    """What the fields would have painted anew, as HTML. Raises StudioError as a run would."""
    request = form.request({**values, "prompt": values["prompt"] or "-"}, card, values["picture"])
    if not request.image or not request.mask:
        return job_progress.note(text("image.edge_none" if request.image else "image.edge_empty", spoken))
    limits.check(request, card, public=page.studio.settings.public)
    file = page.offer(drawn(request, card), "edge.png")
    said = html.escape(text("image.edge_shown", spoken))
    return f'{job_progress.note(said)}<img class="a-edge" src="{address(file)}" alt="{said}">'


def drawn(request: ImageRequest, card: Card) -> bytes:
    """The picture with paint where it is painted anew, as softly as there, and a frame round what is cut out.

    As a PNG file of at most SIDE x SIDE pixels. Raises StudioError: bad_image, mask_empty.
    """
    picture, mask = decode_image(request.image), masks.read_mask(request.mask)
    hard = mask.point([0] * masks.HALF + [255] * (256 - masks.HALF))
    soft = seams.soft_edge(hard, float(request.mask_blur))
    out = Image.composite(Image.blend(picture, Image.new("RGB", picture.size, PAINT), 0.75), picture, soft)
    box = masks.marked_box(mask, request.mask_padding) if request.masked_only else None
    if box is not None:
        across, down = size.sides(request, card)
        frame = masks.shaped_box(box, across / down, picture.size)
        thick = max(1, max(picture.size) // 256)
        pen = ImageDraw.Draw(out)
        for inner, colour in ((0, "black"), (thick, "white")):
            left, top, right, bottom = frame[0] + inner, frame[1] + inner, frame[2] - inner - 1, frame[3] - inner - 1
            pen.rectangle((left, top, right, bottom), outline=colour, width=thick)
    out.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    out.save(file, "PNG", compress_level=1)
    return file.getvalue()
