"""Groups of pictures: what a series will cost before it is run, what a stopped one lacks, several made in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from studio.errors import StudioError
from studio.jobs.asked import Asked
from studio.jobs.job import Job
from studio.jobs.pace import Pace, units
from studio.jobs.planner import Intake, Order
from studio.jobs.plans.models_grid import by_models
from studio.jobs.plans.unfinished import missing
from studio.library.file_names import Keep
from studio.library.outputs import Library
from studio.request_parts import Axis
from studio.requests import ImageRequest, UpscaleRequest
from studio.results import Artifact, Note
from studio.tasks.bounds import check_many, label
from studio.tasks.image.limits import CELLS


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a group will be.

    Attributes:
        seconds: how long it will take, without waiting and loading; None where nobody knows.
        first: the prompt of its first picture.
    """

    count: int
    seconds: float | None
    first: str


class Groups:
    """Groups of one studio.

    Args:
        start: takes an order, what was asked and who asks, and returns the job.
    """

    def __init__(
        self, intake: Intake, start: Callable[..., Job], pace: Pace, library: Library, *, public: bool = False
    ) -> None:
        self._intake, self._start, self._pace, self._public = intake, start, pace, public
        self._library = library

    def rest(
        self, base: ImageRequest, axes: tuple[Axis | None, Axis | None, Axis | None], series: str, keep: Keep | None,
        painted: Sequence[str] = (),
    ) -> Order:  # fmt: skip
        """A grid or a series, without those of its pictures that a studio painted before it was killed.

        A seed that was left open is the one that these were painted with; those that are of another group by now,
        since a style or a list of words is another one, are painted once more with all others.

        Args:
            painted: ids of outputs.

        Raises:
            StudioError: as `submit_grid`.
        """
        x, y, z = axes
        done = self._library.named(painted) if painted else None
        if done is None:
            return self._intake.grid(base, x, y, keep, z, series)
        order = self._intake.grid(_as_begun(base, done), x, y, keep, z, series)
        but_one = replace(done, files=done.files[:-1], recipes=done.recipes[:-1])
        # where nothing is missing the last one is painted once more, and with it the sheet
        plan = missing(order.plan, done) or missing(order.plan, but_one)
        if plan is None:
            return order
        return Order(plan.cards[0] if plan.cards else order.card, plan)

    def outlook(
        self, base: ImageRequest, x: Axis | None = None, y: Axis | None = None, z: Axis | None = None, series: str = ""
    ) -> Outlook:
        """What a grid or a series would be, before it is started. Costs milliseconds.

        Raises:
            StudioError: as `submit_grid`, but for what only a single picture of it is refused for.
        """
        cells, _, whole, _ = self._intake.cells(base, x, y, z, series)
        sized = [self._sized(cell, whole) for cell in cells]
        each = [self._pace.run(cell.model, cell.task, units(cell)) for cell in sized]
        known = [seconds for seconds in each if seconds is not None]
        return Outlook(len(cells), sum(known) if len(known) == len(each) else None, cells[0].prompt)

    def left(self, job: Job) -> int:
        """How many pictures a group that was stopped lacks; 0 where it cannot be gone on with."""
        plan = missing(job.plan, job.snapshot().artifact) if job.done else None
        return len(plan.requests) if plan is not None else 0

    def go_on(self, job: Job, session: str = "", *, previews: bool = False) -> Job:
        """Paint what a group that was stopped lacks; its sheet shows all of it.

        Raises:
            StudioError: nothing_left; as `submit_grid`.
        """
        plan = missing(job.plan, job.snapshot().artifact) if job.done else None
        if plan is None:
            raise StudioError("nothing_left")
        first = plan.requests[0]
        card = plan.cards[0] if plan.cards else self._intake.order(first).card
        return self._start(Order(card, plan), Asked(first, "several", previews=previews), session)

    def several(
        self, requests: Sequence[ImageRequest] | Sequence[UpscaleRequest], session: str = "", *,
        keep: Keep | None = None, previews: bool = False,
    ) -> Job:  # fmt: skip
        """Start pictures that need have nothing in common, one after another, each model loaded once.

        Raises:
            StudioError: as `submit`, for any of them; empty, too_many.
        """
        orders = [self._intake.order(request) for request in requests]
        cells = tuple(one for order in orders for one in order.plan.requests)
        if not cells:
            raise StudioError("empty", field=label("cells"))
        check_many("cells", len(cells), CELLS, self._public)
        owners = tuple(order.card for order in orders for _ in order.plan.requests)
        notes: list[Note] = []
        for order in orders:
            notes += [note for note in order.plan.notes if note not in notes]
        plan = by_models(owners, request=cells[0], cells=cells, layout=None, keep=keep, notes=tuple(notes))
        return self._start(Order(owners[0], plan), Asked(cells[0], "several", previews=previews), session)

    @staticmethod
    def _sized(cell: ImageRequest, whole: ImageRequest) -> ImageRequest:
        """The cell with the size, the steps and the model that it will be painted with."""
        return replace(
            cell, model=cell.model or whole.model, steps=cell.steps or whole.steps, width=cell.width or whole.width,
            height=cell.height or whole.height,
        )  # fmt: skip


def _as_begun(base: ImageRequest, done: Artifact) -> ImageRequest:
    """The base with the seeds that the pictures that are there were painted with, where it leaves them open."""
    seeds = [seed for made in done.recipes if isinstance(seed := made["seed"], int)]
    other = done.recipes[0]["parameters"].get("variation_seed")
    return replace(
        base, seed=base.seed if base.seed is not None or not seeds else min(seeds),
        variation_seed=base.variation_seed or (other if isinstance(other, int) else None),
    )  # fmt: skip
