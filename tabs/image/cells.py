"""Pictures while they are painted, in the places and at the sizes that they will have when they are done."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from studio.jobs.job import Job
from studio.requests import ImageRequest
from studio.results import Update
from tabs.shared.context import Page
from tabs.shared.i18n import said
from tabs.shared.uploaded import address

TINY, SMALL = 128, 256
"""Pixels of a side; pictures up to that are shown four in a row, and one alone not enlarged beyond recognition."""
MOST = 100
"""Places that are drawn at most."""
_NAME = said("image.in_work", classes="a-unseen")


@dataclass(frozen=True, slots=True)
class Lay:
    """How pictures lie in the column: so many in a row, and the classes that say how large they become."""

    columns: int
    classes: tuple[str, ...]


def lay(count: int, largest: int, across: int = 0) -> Lay:
    """The lay of `count` pictures.

    Args:
        largest: the longest side of any of them, in pixels. across: columns, where they have a meaning.
    """
    columns = across or min(count, 4 if largest <= SMALL else 2)
    return Lay(columns, ("a-tiny",) if largest <= TINY else ("a-small",) if largest <= SMALL else ())


class Cells:
    """The part of the column that stands there while something is painted."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.part = gr.HTML(elem_id="image-work")
        self._shown: dict[str, dict[int, str]] = {}  # job -> picture -> where the browser finds it

    def show(self, update: Update, job: Job | None) -> object:
        """What the part becomes for an update: places for all pictures, filled as they come."""
        if update.final or job is None:
            self._shown.pop(update.job, None)
            return ""
        asked = [one for one in job.requests if isinstance(one, ImageRequest)]
        sizes = [side for one in asked for side in (one.width or 0, one.height or 0)]
        if update.kind != "running" or not sizes or not all(sizes):
            return gr.skip()
        known = self._shown.setdefault(update.job, {})
        known.update({n: address(self._page.offer(data, "preview.png")) for n, data in update.previews.items()})
        grid = getattr(job.plan, "layout", None)
        scale = max(one.hires_scale for one in asked)
        found = lay(sum(one.count for one in asked), int(max(sizes) * scale), len(grid.columns) if grid else 0)
        return _drawn(found, [(one.width or 1, one.height or 1) for one in asked for _ in range(one.count)], known)


def _drawn(lay: Lay, sizes: list[tuple[int, int]], known: dict[int, str]) -> str:
    cells = "".join(
        f'<div style="aspect-ratio:{width}/{height};--w:{width};--h:{height}">'
        + (f'<img src="{known[place]}" alt="">' if place in known else "")
        + "</div>"
        for place, (width, height) in enumerate(sizes[:MOST])
    )
    classes = " ".join(("a-cells", *lay.classes))
    return f'<div class="{classes}" style="--across:{lay.columns}">{cells}</div>{_NAME}'
