"""A part of a job of another studio: the model is asked once, and what it made is handed over as it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.engines.base import Loaded
from studio.jobs.context import Plan, RunContext
from studio.jobs.plans.single import Single
from studio.requests import light
from studio.results import Output


@dataclass(frozen=True)
class Part(Plan):
    """What the other studio's plan makes of an output is made there.

    Attributes:
        inner: how the model is asked.
        made: the output, once it is there.
    """

    inner: Plan
    made: list[Output] = field(default_factory=list, compare=False, repr=False)

    @property
    def travels(self) -> bool:
        return False

    def run(self, model: Loaded, context: RunContext) -> Output:
        output = self.inner.run(model, context)
        self.made.append(output)
        return output

    def light(self) -> Plan:
        return Single(light(self.request), keep=self.keep)
