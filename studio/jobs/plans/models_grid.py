"""A grid whose cells are painted by several models: each is loaded once, paints all of its cells, and hands on.

Between two models the job waits behind those that waited for it, and the manager decides what stays in memory, as
between any two jobs. What one model painted is kept when another cannot be had.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from PIL import Image

from studio.catalog.card import Card
from studio.engines.base import Loaded
from studio.errors import Cancelled, StudioError
from studio.jobs.context import PartContext, Plan, RunContext, Yielded
from studio.jobs.plans.grid import Before, Cell, Grid
from studio.requests import Request, light
from studio.results import Note, Output
from studio.tasks.image.grid_axes import Layout


@dataclass(slots=True)
class Board:
    """What was painted so far: the models that are done, and of each what came out or why nothing did."""

    passed: list[str] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    failures: list[tuple[StudioError, int]] = field(default_factory=list)


@dataclass(frozen=True)
class ModelsGrid(Plan):
    """Cells of several models.

    Attributes:
        cells, layout, whole, before: as those of a `Grid`.
        owners: the model of each cell.
    """

    cells: tuple[Cell, ...]
    layout: Layout | None
    owners: tuple[Card, ...]
    whole: tuple[Cell, ...] = field(default=(), kw_only=True)
    before: tuple[Before, ...] = field(default=(), kw_only=True)
    board: Board = field(default_factory=Board, compare=False, repr=False)

    @property
    def requests(self) -> tuple[Cell, ...]:
        return self.cells

    @property
    def cards(self) -> tuple[Card, ...]:
        """The models, in the order in which they are needed first: so each is loaded once."""
        return tuple({card.id: card for card in self.owners}.values())

    def wanted(self, card: Card) -> tuple[Request, ...]:
        return self._of(card)

    def run(self, model: Loaded, context: RunContext) -> Output:
        """The cells of one model; the output of all comes with the last.

        Raises:
            Cancelled: stopped before one was done.
            Yielded: with the model that is to paint next.
            StudioError: no cell of any model can be painted; says why the first could not.
        """
        card, board = self._next(), self.board
        assert card is not None
        mine, part = self._of(card), _Part(context, self, card)
        if board.passed:
            part.go_on()
        try:
            board.outputs.append(Grid(self.request, mine).run(model, part))
        except Cancelled:  # or all of its cells were skipped
            if context.cancelled:
                return self._merged("cancelled")
        except StudioError as error:
            if error.code == "out_of_memory":  # it is tried once more, alone
                raise
            board.failures.append((error, len(mine)))
        board.passed.append(card.id)
        if board.outputs and board.outputs[-1].finish == "cancelled":
            return self._merged("cancelled")
        if (following := self._next()) is not None:
            raise Yielded(following)
        return self._merged("stop")

    def missed(self, card: Card, error: StudioError) -> Card | Output | None:
        self.board.failures.append((error, len(self._of(card))))
        self.board.passed.append(card.id)
        if (following := self._next()) is not None:
            return following
        return self._merged("stop") if self.board.outputs else None

    def sheet(self, output: Output) -> Image.Image | None:
        return Grid(self.request, self.cells, self.layout, whole=self.whole, before=self.before).sheet(output)

    def light(self) -> Plan:
        cells, whole = (tuple(light(cell) for cell in many) for many in (self.cells, self.whole))
        return replace(self, request=light(self.request), cells=cells, whole=whole)

    def so_far(self) -> Output | None:
        return self._merged("cancelled") if self.board.outputs else None

    def steps_of(self, cards: tuple[Card, ...]) -> int:
        """The steps of all cells of these models, as far as their requests say."""
        return sum(int(getattr(cell, "steps", None) or 1) for card in cards for cell in self._of(card))

    def _of(self, card: Card) -> tuple[Cell, ...]:
        return tuple(cell for cell, owner in zip(self.cells, self.owners, strict=True) if owner.id == card.id)

    def _next(self) -> Card | None:
        return next((card for card in self.cards if card.id not in self.board.passed), None)

    def _merged(self, finish: Literal["stop", "cancelled"]) -> Output:
        """What was painted, in the order of the cells."""
        board = self.board
        left = [(request, one, number) for one in board.outputs for number, request in enumerate(one.requests)]
        placed: list[tuple[Cell, Output, int]] = []
        for cell in self.cells:
            found = next((at for at, (request, _, _) in enumerate(left) if request == cell), None)
            if found is not None:
                placed.append(left.pop(found))
        if not placed:
            raise board.failures[0][0] if board.failures and finish != "cancelled" else Cancelled
        notes: list[Note] = []
        stats: dict[str, float] = {}
        failed = sum(count for _, count in board.failures)
        for one in board.outputs:
            failed += sum(int(params["count"]) for key, params in one.notes if key == "cells_failed")
            notes += [note for note in one.notes if note not in notes and note[0] != "cells_failed"]
            for name, value in one.stats.items():
                stats[name] = stats.get(name, 0.0) + value
        if failed:
            notes.append(("cells_failed", {"count": failed}))
        images: list[Image.Image] = [one.images[number] for _, one, number in placed]
        output = Output(
            images=tuple(images), seeds=tuple(one.seeds[number] for _, one, number in placed), finish=finish,
            stats=stats, notes=tuple(notes), requests=tuple(request for request, _, _ in placed),
        )  # fmt: skip
        return self.noted(output)


class _Part(PartContext):
    """Tells of one model's cells as a part of all: how many steps and pictures are behind, and how many ahead."""

    def __init__(self, whole: RunContext, plan: ModelsGrid, card: Card) -> None:
        super().__init__(whole)
        cards, board = plan.cards, plan.board
        self._behind = plan.steps_of(tuple(one for one in cards if one.id in board.passed))
        self._ahead = plan.steps_of(tuple(one for one in cards if one.id != card.id and one.id not in board.passed))
        self._all = plan.steps_of(cards)
        self._pictures = sum(len(one.images) for one in board.outputs)

    def go_on(self) -> None:
        """The bar stands where the model before left it."""
        self.resume(self._behind, self._all)

    def step(self, done: int, total: int = 0) -> None:
        super().step(self._behind + done, self._behind + total + self._ahead)

    def preview(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None:
        super().preview(picture, self._pictures + number, whole)


def by_models(owners: tuple[Card, ...], **plan: Any) -> Plan:
    """A plan for cells of these models: of one alone an ordinary grid."""
    if len({card.id for card in owners}) > 1:
        return ModelsGrid(owners=owners, **plan)
    return Grid(**plan)
