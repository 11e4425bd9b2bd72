"""A picture laid out nine times: whether its edges fit can be seen only where they meet."""

from __future__ import annotations

import html

from studio.i18n import text
from tabs.shared import job_progress
from tabs.shared.uploaded import address


def nine(file: str, size: tuple[int, int], spoken: str) -> str:
    """Three by three of the page's `file`, as HTML.

    Args:
        size: its width and height in pixels.
    """
    style = f"background-image: url('{address(file)}'); aspect-ratio: {size[0]} / {size[1]}"
    said = html.escape(text("image.tiled_shown", spoken))
    picture = f'<div class="a-nine" role="img" aria-label="{said}" style="{html.escape(style)}"></div>'
    return job_progress.note(text("image.tiled_shown", spoken)) + picture
