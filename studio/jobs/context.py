"""What an engine may tell about a run, and the questions it asks between steps (studio.engines.base.Context)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from studio.errors import Cancelled
from studio.jobs.job import Job

if TYPE_CHECKING:
    import numpy as np


class RunContext:
    """The context of one job.

    Attributes:
        adapters: the folder of LoRA files, if any. previews: False where nobody looks: engines make none then.
    """

    def __init__(self, job: Job, adapters: Path | None = None) -> None:
        self._job, self.adapters, self.previews = job, adapters, job.previews

    @property
    def cancelled(self) -> bool:
        return self._job.cancelled

    def alive(self) -> None:
        self._job.sign()

    def check(self) -> None:
        self.alive()
        if self.cancelled:
            raise Cancelled

    def skipped(self) -> bool:
        """True once for each press of Skip: the engine drops the picture in work and goes on."""
        return self._job.skipped()

    def step(self, done: int, total: int = 0) -> None:
        self.alive()
        self._job.progress_step(done, total)

    def text(self, delta: str) -> None:
        if delta:
            self._job.add_text(delta)

    def sound(self, samples: np.ndarray, rate: int) -> None:
        if self.previews:
            self._job.add_sound(samples, rate)

    def preview(self, picture: Image.Image) -> None:
        if self.previews:
            self._job.show(picture)
