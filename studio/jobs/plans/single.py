"""One request, as it is."""

from __future__ import annotations

from dataclasses import dataclass

from studio.engines.base import Loaded
from studio.errors import Cancelled
from studio.jobs.context import Plan, RunContext
from studio.requests import ImageRequest
from studio.results import Output


@dataclass(frozen=True)
class Single(Plan):
    """What most jobs do: ask the model once."""

    def run(self, model: Loaded, context: RunContext) -> Output:
        output = model.run(self.request, context)
        if isinstance(self.request, ImageRequest) and not output.images:
            raise Cancelled  # every picture was skipped
        return self.noted(output)
