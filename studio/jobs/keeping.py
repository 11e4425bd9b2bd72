"""Keeping: what a job made is looked at, written with how it was made, and told; of a group each picture at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.jobs import provenance
from studio.jobs.context import Plan, RunContext
from studio.jobs.job import Job
from studio.library.outputs import Library
from studio.library.salvage import Salvage
from studio.policy import Policy
from studio.recipes.explicit_label import Marking
from studio.results import Artifact, Output
from studio.store import Store

log = logging.getLogger("studio")


class Keeper:
    """Writes the outputs of jobs into the library.

    Args:
        adapters: folders of LoRA files, IP-Adapters and ControlNets.
        policy: what may be kept.
        marking: how what is made is marked.
        salvage: where pictures of a group wait for the others; None where a crash may cost them.
    """

    def __init__(
        self, store: Store, library: Library, adapters: Callable[[], tuple[Path, ...]], policy: Policy,
        marking: Marking, salvage: Salvage | None,
    ) -> None:  # fmt: skip
        self._store, self._library, self._adapters, self._policy = store, library, adapters, policy
        self._marking, self._salvage = marking, salvage

    def keep(self, job: Job, plan: Plan, card: Card, device: Device, output: Output, seconds: float) -> Artifact:
        """Write an output.

        Args:
            card: the model, where the plan does not name several.

        Raises:
            StudioError: it may not be shown; a file that had a part in it cannot be read; of the disk.
        """
        self._policy.screen(job.task).output(output)
        return self._write(self._library, plan, card, device, output, seconds, sheet=True)

    def context(
        self, job: Job, plan: Plan, card: Card, device: Device, beat: Callable[[], None], crowded: Callable[[], bool]
    ) -> RunContext:
        """The context of a run, which writes each finished picture of a group to where it waits for the others."""
        screen = self._policy.screen(job.task)
        salvage = None if plan.keep is not None and plan.keep.fleeting else self._salvage
        if salvage is not None and job.retried and not plan.cards:
            salvage.over(job.id, failed=False)  # all of it is painted once more

        def finished(output: Output) -> None:
            if salvage is None:
                return
            try:
                screen.output(output)
                self._write(salvage.shelf(job.id), plan, card, device, output, 0.0, sheet=False)
            except Exception as error:  # it is in memory as well
                log.warning("a picture of a group is not on disk before the others: %s", type(error).__name__)

        return RunContext(job, self._adapters(), beat=beat, crowded=crowded, screen=screen, finished=finished)

    def _write(
        self, library: Library, plan: Plan, card: Card, device: Device, output: Output, seconds: float, *, sheet: bool
    ) -> Artifact:
        made_with = provenance.recipes(self._store, plan, output, self._adapters(), device, seconds, self._marking)
        each = {one.id: made_with(one) for one in plan.cards}
        made = each[plan.cards[0].id] if each else made_with(card)
        own = None if plan.keep and plan.keep.origin else provenance.origin
        whole = plan.sheet(output) if sheet else None
        return library.save(plan.request.task, output, made, plan.keep, whole, each, own)
