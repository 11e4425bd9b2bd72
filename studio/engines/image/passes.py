"""The passes in which a picture is painted, and what is told of them: plain arithmetic, without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from studio.catalog.card import Card
from studio.engines.base import Context
from studio.engines.image import init_image
from studio.requests import ImageRequest, Request
from studio.tasks.image import editing

_TILE_ABOVE = 2_400_000
_START = 64 << 20
_DECODED, _PAINTED = 3000, 1000  # bytes a pixel
_TILE = 512 * 512


class SkippedError(Exception):
    """The picture in work is not wanted any more; the next one is."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of a pipeline.

    Attributes:
        size: width and height in pixels.
        steps: what the pipeline is asked for; 0 where there is nothing to do.
        strength: how far it may go from the picture that it starts from; None where it starts from noise.
        second: another one lies behind, whose picture it paints over.
    """

    size: tuple[int, int]
    steps: int
    strength: float | None = None
    second: bool = False

    @property
    def expected(self) -> int:
        """Steps that it will take, as far as one can tell before."""
        return self.steps if self.strength is None else int(self.steps * self.strength)


def plan(request: ImageRequest, multiple: int, twice: bool, measured: bool = True) -> tuple[Pass, ...]:
    """What is painted for one picture: once, or small first and then enlarged where that is asked for and possible.

    Args:
        multiple: what the sides of a smaller pass are rounded to.
        twice: the model can paint over what it painted.
        measured: it paints over a picture as far as `strength` says; where not, a picture is only an example to it.
    """
    size = request.width or 0, request.height or 0
    first = pass_of(size, request.steps or 1, request.strength if request.image and measured else None)
    if request.hires_scale <= 1 or not twice:
        return (first,)
    small = init_image.smaller(size, request.hires_scale, multiple)
    second = pass_of(size, request.steps or 1, 0.5 if request.hires_strength is None else request.hires_strength)
    return Pass(small, first.steps, first.strength), replace(second, second=True)


def pass_of(size: tuple[int, int], steps: int, strength: float | None) -> Pass:
    """With as many steps as make at least one: pipelines take `strength` times the steps, rounded down."""
    if strength is None:
        return Pass(size, steps)
    if strength < 0.001:  # a single step of it would take more than a thousand to be asked for
        return Pass(size, 0, strength)
    steps = max(steps, math.ceil(1 / strength))
    # 1 / strength may be a little too small in floating point, and the product then just below one
    return Pass(size, steps if int(steps * strength) else steps + 1, strength)


def tiled(card: Card, request: ImageRequest) -> bool:
    """Whether a picture is decoded in tiles: where it is asked for, and where it is large.

    Never where its edges have to fit: each tile's edges would, and not the picture's.
    """
    pixels = (request.width or 0) * (request.height or 0)
    return not request.seamless and (request.tiling or pixels > card.options.get("tile_above", _TILE_ABOVE))


def work(card: Card, request: Request) -> int:
    """Bytes that a picture takes while it is painted: about 3 kB a pixel that is decoded at once in float32.

    In tiles that is one tile at most; then painting itself takes more, about 1 kB a pixel. Pictures to be edited are
    there while it is painted.
    """
    if not isinstance(request, ImageRequest):
        return _START
    pixels = (request.width or 0) * (request.height or 0)
    whole = pixels * _DECODED
    most = min(whole, max(_TILE * _DECODED, pixels * _PAINTED)) if tiled(card, request) else whole
    if count := len(request.pictures):  # read one after another, painted with all, and then decoded
        most = max(most, editing.READING_BYTES, pixels * _PAINTED + count * editing.PICTURE_BYTES)
    return _START + most


class Progress:
    """Steps over all pictures and their passes. A pass may take another number than expected: then the rest follows."""

    def __init__(self, context: Context, count: int, passes: tuple[Pass, ...]) -> None:
        self._context, self._count = context, count
        self._steps = [one.expected for one in passes]

    def step(self, picture: int, part: int, done: int, steps: int) -> None:
        """`done` of `steps` steps of this pass of this picture; all count from 0, `done` from 1."""
        # what the scheduler really takes, for the pictures that follow as well; details come when they are found
        self._steps[part : part + 1] = [steps]
        each = sum(self._steps)
        self._context.step(picture * each + sum(self._steps[:part]) + done, self._count * each)
