"""Suggestions where memory did not suffice: from what changes the result least to another model.

Each rung is an offer that somebody has to accept; nothing here is ever done by itself. A rung is offered where it
changes something and should fit by the same numbers that refused the request. An offer is a few fields of the request
with other values, and a text to look up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from studio.catalog import variants
from studio.catalog.card import Card
from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.errors import StudioError
from studio.jobs import languages, memory_need
from studio.jobs.job import Job
from studio.jobs.plans.caption_folder import CaptionFolder
from studio.requests import CaptionRequest, Request
from studio.results import AGAIN, Offer
from studio.store import Store
from studio.tasks import limits
from studio.tasks.caption.plan import BLANK
from studio.tasks.rules import Try
from studio.tasks.table import rules

log = logging.getLogger("studio")

_FULL = ("out_of_memory", "does_not_fit")
_HALF = 0.5
"""Share of the estimated work that a rung may want after memory ran out: the estimate was too low, nobody knows by
how much."""
_LIGHTER = 0.95
"""Share of the weights up to which a variant or another model counts as smaller."""

Need = Callable[[Card, Request], tuple[int, int]]
"""Bytes of the weights, and of the work of a request."""


class Ladder:
    """Finds the offers for a job that failed.

    Args:
        catalog: the models there are now.
        room: the device of a model, and how many bytes models may take there.
    """

    def __init__(
        self, catalog: Callable[[], Catalog], store: Store, room: Callable[[Card], tuple[Device, int]], public: bool
    ) -> None:
        self._catalog, self._store, self._room, self._public = catalog, store, room, public

    def after(self, job: Job, error: StudioError | None) -> tuple[StudioError | None, tuple[Offer, ...]]:
        """What to tell of a failure, and what to offer after it or after a success. Never fails."""
        if error is None:
            return None, self._understood(job)
        if error.code == "cooling_down":
            return error, (Offer(AGAIN),)
        requests = job.requests
        card = self._catalog().find(job.model)
        if error.code not in _FULL or not requests or card is None:
            return error, ()
        folder = isinstance(job.plan, CaptionFolder)
        if folder:  # its pictures are read one by one, and the engine wants the same for each
            requests = [replace(one, image=BLANK) for one in requests if isinstance(one, CaptionRequest)]
        try:
            error, offers = self._found(error, card, requests)
            return error, tuple(offer for offer in offers if not folder or set(offer.changes) == {"model"})
        except Exception:  # a help that fails must not hide the failure
            log.exception("nothing to offer for %s", card.id)
            return error, ()

    def _understood(self, job: Job) -> tuple[Offer, ...]:
        card = self._catalog().find(job.model)
        if card is None or languages.reads_chinese(card) or not job.requests:
            return ()
        try:
            fitting = [
                one for one in self._catalog().for_task(job.requests[0].task) if one.needed <= self._room(one)[1]
            ]
            here = {one.id for one in fitting if self._store.state(one) == "ready"}
            others = [one for one in fitting if one.id in here or not self._public]  # strangers fetch nothing
            return languages.reader(card, job.requests, others, lambda one: one.id in here)
        except Exception:
            log.exception("nobody found who reads what %s was asked", card.id)
            return ()

    def _found(
        self, error: StudioError, card: Card, requests: Sequence[Request]
    ) -> tuple[StudioError, tuple[Offer, ...]]:
        device, room = self._room(card)
        request = max(requests, key=lambda one: self._need(card, one)[1])
        base = self._catalog().get(card.base)
        sisters = [variants.derived(base, name) for name in variants.on(base, device)]
        others = [
            other
            for other in self._catalog().for_task(request.task)
            if other.id != base.id and self._store.state(other) == "ready" and self._room(other)[1] >= room
        ]
        spent = error.code == "out_of_memory"
        offers = rungs(
            request, card, sisters, others, room=room, spent=spent, need=self._need, public=self._public,
        )  # fmt: skip
        smaller = next((offer.params["size"] for offer in offers if "size" in offer.params), None)
        if smaller and not spent:
            error = StudioError("does_not_fit_yet", **{**error.params, "smaller": smaller})
        return error, offers

    def _need(self, card: Card, request: Request) -> tuple[int, int]:
        need = memory_need.of(card, self._store.path(card), (request,))
        return need.weights, need.work


def rungs(
    request: Request,
    card: Card,
    sisters: Sequence[Card],
    others: Sequence[Card],
    *,
    room: int,
    spent: bool,
    need: Need,
    public: bool = False,
) -> tuple[Offer, ...]:
    """The offers for a request that found no memory, in order.

    Args:
        request: resolved: no field is None.
        sisters: the variants of the model that work here, the model's own perhaps among them.
        others: other models that are on disk.
        room: bytes that weights and work may take together.
        spent: memory ran out although the estimate fitted.
    """
    weights, work = need(card, request)

    def helps(target: Card, changes: Mapping[str, Any]) -> bool:
        asked = replace(request, **{**changes, "model": target.id})
        try:
            limits.check(asked, target, public=public)
            asked = limits.resolve(asked, target, lambda: 0, public=public)
            there, then = need(target, asked)
        except StudioError:
            return False
        lighter = there < weights * _LIGHTER
        enough = lighter or then <= work * _HALF if spent else True
        return there + then <= room and there + then < weights + work and enough

    offers = [
        Offer(kind, changes, params)
        for kind, tries in rules(request).lighter(request, card, public)
        for changes, params in _first(tries, lambda found: helps(card, found[0]))
    ]
    if card.variant:  # the model itself is no smaller
        sisters = [sister for sister in sisters if sister.id != card.id]
    found = [sister for sister in sisters if helps(sister, {})]
    if len(found) > 1:  # both at once only where one does not suffice
        found = [sister for sister in found if sister.variant != variants.OFFLOAD_INT8] or found
    offers += [Offer(sister.variant, {"model": sister.id}) for sister in found]
    fitting = [other for other in others if helps(other, _unfit(request, other, public))]
    largest = max(fitting, key=lambda other: sum(need(other, request)), default=None)
    if largest is not None:
        changes = {"model": largest.id, **_unfit(request, largest, public)}
        offers.append(Offer("other", changes, {"model": largest.title}))
    return tuple(offers)


def _first(tries: Iterator[Try], good: Callable[[Try], bool]) -> list[Try]:
    return next(([one] for one in tries if good(one)), [])


def _unfit(request: Request, other: Card, public: bool) -> dict[str, Any]:
    """The fields that another model does not take as they are, left to its own defaults."""
    empty: dict[str, Any] = {}
    for name in limits.NUMBERS[request.task]:
        row, value = limits.bound(request.task, name, other, public=public), getattr(request, name)
        if value is None or name in ("seed", "count", "variation_seed"):
            continue
        if not row.low <= value <= row.high or (row.multiple > 1 and value % row.multiple):
            empty[name] = None
    if "width" in empty or "height" in empty:
        empty |= {"width": None, "height": None}
    return empty
