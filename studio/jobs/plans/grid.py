"""Several picture requests, one after another, through one loaded model: the cells of a grid.

A cell that is skipped or fails is missing, Stop keeps those that are done, and the progress is that of all.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from studio.engines.base import Loaded
from studio.errors import Cancelled, StudioError
from studio.jobs.context import PartContext, Plan, RunContext
from studio.media.image import decode
from studio.requests import ImageRequest, UpscaleRequest, light
from studio.results import Output
from studio.tasks.image import contact_sheet
from studio.tasks.image.grid_axes import Layout

log = logging.getLogger("studio")

Cell = ImageRequest | UpscaleRequest


@dataclass(frozen=True, slots=True)
class Before:
    """A picture of a group that was painted before it was stopped: its cell, its file and its recipe."""

    cell: Cell
    file: Path
    recipe: dict[str, Any]


@dataclass(frozen=True)
class Grid(Plan):
    """Pictures of different kinds.

    Attributes:
        cells: what is run instead of `request`.
        layout: how the cells lie on their sheet; None where they want none.
        whole, before: of a group that is gone on with, all of its cells, and those that are there.
    """

    cells: tuple[Cell, ...]
    layout: Layout | None = None
    whole: tuple[Cell, ...] = field(default=(), kw_only=True)
    before: tuple[Before, ...] = field(default=(), kw_only=True)

    @property
    def requests(self) -> tuple[Cell, ...]:
        return self.cells

    def run(self, model: Loaded, context: RunContext) -> Output:
        """All cells; `Output.requests` are those of the finished ones.

        Raises:
            Cancelled: stopped before one was done.
            StudioError: no cell can be painted; says why the first could not.
        """
        images: list[Image.Image] = []
        seeds: list[int] = []
        requests: list[Cell] = []
        notes: list[tuple[str, dict[str, Any]]] = []
        stats: dict[str, float] = {}
        failures: list[Exception] = []
        inside, finish = _CellContext(context, self.cells), "stop"
        for number, cell in enumerate(self.cells):
            inside.begin(number)
            try:
                inside.check()
                output = model.run(cell, inside)
            except Cancelled:
                if context.cancelled:
                    finish = "cancelled"
                    break
                continue  # skipped
            except StudioError as error:  # its own fault: a scheduler that the model does not know, a black picture
                failures.append(error)
                continue
            except Exception as error:
                if not images:
                    raise
                log.exception("a cell failed after %d were done", len(images))  # those are worth keeping
                failures += [error] * (len(self.cells) - number)
                break
            images += output.images
            if len(self.cells) > 1:
                context.finished(replace(output, requests=(cell,) * len(output.images)))
            if number + 1 < len(self.cells):
                inside.preview(images[-1], whole=True)
            seeds += output.seeds
            requests += [cell] * len(output.images)
            notes += [note for note in output.notes if note not in notes]
            for name, value in output.stats.items():
                stats[name] = stats.get(name, 0.0) + value
            if output.finish == "cancelled":
                finish = "cancelled"
                break
        if not images:
            raise failures[0] if failures and not context.cancelled else Cancelled
        if failures:
            notes.append(("cells_failed", {"count": len(failures)}))
        output = Output(
            images=tuple(images), seeds=tuple(seeds), finish=finish, stats=stats, notes=tuple(notes),
            requests=tuple(requests),
        )  # fmt: skip
        return self.noted(output)

    def sheet(self, output: Output) -> Image.Image | None:
        if self.layout is None:
            return None
        painted = contact_sheet.placed(self.whole or self.cells, output)
        for number, cell in enumerate(self.whole):
            if painted[number] is None:
                painted[number] = _picture(next((one.file for one in self.before if one.cell == cell), None))
        sheet = contact_sheet.sheet(self.layout, painted)
        sheet.info["axes"] = self.layout.axes
        return sheet

    def light(self) -> Plan:
        cells, whole = (tuple(light(cell) for cell in many) for many in (self.cells, self.whole))
        return replace(self, request=light(self.request), cells=cells, whole=whole)


def _picture(file: Path | None) -> Image.Image | None:
    """A picture that was painted before; None where it is gone by now."""
    try:
        return decode(file.read_bytes()).image if file is not None else None
    except (OSError, StudioError):
        return None


class _CellContext(PartContext):
    """Counts the steps of all cells: those behind as they were, those ahead as their requests say."""

    def __init__(self, whole: RunContext, cells: Sequence[Cell]) -> None:
        super().__init__(whole)
        self._planned = [int(getattr(cell, "steps", None) or 1) for cell in cells]
        self._number = 0

    def begin(self, number: int) -> None:
        self._number = number

    def step(self, done: int, total: int = 0) -> None:
        if total:
            self._planned[self._number] = total
        super().step(sum(self._planned[: self._number]) + done, sum(self._planned))

    def preview(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None:
        super().preview(picture, self._number + number, whole)
