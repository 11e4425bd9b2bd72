"""The seam between a job and what it does: a plan, what a run of it may tell, and the questions that it asks.

Neither plans nor jobs are known here, so that each can be made without the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from studio.errors import Cancelled, StudioError
from studio.jobs.pace import units
from studio.policy import Screen
from studio.requests import Request, light
from studio.results import Kind, Note, Output

if TYPE_CHECKING:
    import numpy as np

    from studio.catalog.card import Card
    from studio.engines.base import Loaded
    from studio.library.file_names import Keep


OPEN = Screen()


class Yielded(Exception):
    """Raised by a plan that has worked for long while others wait: it goes on behind them. Never shown.

    Args:
        card: the model that it goes on with, where that is another one.
    """

    def __init__(self, card: Card | None = None) -> None:
        super().__init__()
        self.card = card


@dataclass(frozen=True)
class Plan(ABC):
    """What a job does with a loaded model, and how its output is kept.

    Attributes:
        request: stands for the whole: its task, and what the recipe says of it.
        keep: how the files are named and written; None for the usual way.
        notes: what is to be known of the result besides what the model says.
    """

    request: Request
    keep: Keep | None = field(default=None, kw_only=True)
    notes: tuple[Note, ...] = field(default=(), kw_only=True)

    @property
    def requests(self) -> tuple[Request, ...]:
        """What the model is asked, one after another; memory has to suffice for each."""
        return (self.request,)

    @property
    def cards(self) -> tuple[Card, ...]:
        """The models that it needs one after another, where there are several."""
        return ()

    @property
    def units(self) -> float:
        """How much work it is (studio.jobs.pace); 0 where nobody can tell."""
        return sum(units(request) for request in self.requests)

    @property
    def travels(self) -> bool:
        """Whether another studio may compute it."""
        return True

    def wanted(self, card: Card) -> tuple[Request, ...]:
        """Those of `requests` that one model is asked."""
        del card
        return self.requests

    def missed(self, card: Card, error: StudioError) -> Card | Output | None:
        """What becomes of a plan whose model cannot be had or fails: the model that it goes on with, what there is
        already, or nothing, which ends the job."""
        del card, error
        return None

    def so_far(self) -> Output | None:
        """What earlier runs have made, which is kept when it is stopped while it waits; None for most."""
        return None

    @abstractmethod
    def run(self, model: Loaded, context: RunContext) -> Output:
        """Compute, on the thread of the model's device. What was done before a `Yielded` is not done again.

        Raises:
            Cancelled: there is nothing to keep.
            Yielded: others wait; run it again later.
            StudioError: the request cannot be answered.
        """

    def sheet(self, output: Output) -> Image.Image | None:
        """One picture that shows all of an output, to be kept beside it; None for most."""
        del output
        return None

    def light(self) -> Plan:
        """The plan once it is carried out: without the pictures and sounds it came with."""
        return replace(self, request=light(self.request))

    def noted(self, output: Output) -> Output:
        """The output with the notes of the plan before those of the model."""
        return replace(output, notes=(*self.notes, *output.notes)) if self.notes else output


class Watched(Protocol):
    """What of a job its run sees (studio.jobs.job.Job)."""

    @property
    def previews(self) -> bool: ...

    @property
    def cancelled(self) -> bool: ...

    def skipped(self) -> bool: ...

    def move(self, kind: Kind, **fields: Any) -> None: ...

    def progress_step(self, done: int, total: int) -> None: ...

    def add_text(self, delta: str) -> None: ...

    def add_sound(self, samples: np.ndarray, rate: int) -> None: ...

    def show(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None: ...


class RunContext:
    """The context of one run of a job (studio.engines.base.Context), and what only a plan asks.

    Args:
        beat: tells the device's watchdog that the run is alive.
        screen: looks at what is told before anybody else does.
        finished: takes each picture of a group once it is done.

    Attributes:
        adapters: folders of LoRA files, IP-Adapters and ControlNets.
        previews: False where nobody looks: engines make none then.
        crowded: whether others wait while it runs.
    """

    def __init__(
        self,
        job: Watched,
        adapters: tuple[Path, ...] = (),
        *,
        beat: Callable[[], None] = lambda: None,
        crowded: Callable[[], bool] = lambda: False,
        screen: Screen = OPEN,
        finished: Callable[[Output], None] = lambda _: None,
    ) -> None:
        self.job, self.adapters, self.screen, self.finished = job, adapters, screen, finished
        self.previews = job.previews and not screen.pictures
        self.beat, self.crowded = beat, crowded

    @property
    def cancelled(self) -> bool:
        return self.job.cancelled

    def alive(self) -> None:
        self.beat()

    def check(self) -> None:
        self.alive()
        if self.cancelled:
            raise Cancelled

    def skipped(self) -> bool:
        """True once for each press of Skip: the engine drops the picture in work and goes on."""
        return self.job.skipped()

    def resume(self, done: int, total: int) -> None:
        """The run begins where an earlier one stopped: `done` steps are behind it, and say nothing of its pace."""
        self.job.move("running", step=done, steps=total)

    def stage(self, loading: bool, fraction: float | None = None) -> None:
        """The run itself waits for a model, on another computer, or goes on."""
        self.job.move("loading" if loading else "running", fraction=fraction)

    def step(self, done: int, total: int = 0) -> None:
        self.alive()
        self.job.progress_step(done, total)

    def text(self, delta: str) -> None:
        if delta:
            self.screen.text(delta)
            self.job.add_text(delta)

    def sound(self, samples: np.ndarray, rate: int) -> None:
        if self.previews:
            self.job.add_sound(samples, rate)

    def preview(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None:
        if self.previews:
            self.job.show(picture, number, whole)


class PartContext(RunContext):
    """The context of one part of a run: what is told of it is told differently than of the whole."""

    def __init__(self, whole: RunContext) -> None:
        super().__init__(
            whole.job,
            whole.adapters,
            beat=whole.beat,
            crowded=whole.crowded,
            screen=whole.screen,
            finished=whole.finished,
        )
        self._whole = whole  # which may be a part itself

    def step(self, done: int, total: int = 0) -> None:
        self._whole.step(done, total)

    def preview(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None:
        self._whole.preview(picture, number, whole)
