"""A model as its manager wants to hear of it: its size, how it is loaded, how long it stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.catalog.card import Card
from studio.catalog.engines import ENGINES
from studio.engines.base import AnswersSeveral, Hastens, Loaded, engine
from studio.engines.text import watermark
from studio.manager import ModelManager, Spec
from studio.manager.backends.process import proxy
from studio.manager.backends.zero.rented import PLACES, Clock, Remote, Rented
from studio.manager.faster import Judge
from studio.paths import Home
from studio.requests import Request
from studio.settings import Settings
from studio.store import Store
from studio.store.upcast_cache import Copies

LOAD = "load"
"""The shape of a load, which can go straight to the device."""
AT_HOME = 2
"""Places on one's own machine where a card names no number: each makes the load longer and takes a context's memory."""


@dataclass(frozen=True, slots=True)
class Specs:
    """Those of one studio.

    Attributes:
        copies: of models that this machine computes with in another type than they are stored in.
        rented: a card that is lent call by call; None where there is none. clock: how long runs take there.
        judge: which models are computed in their faster way, once they are pinned.
    """

    settings: Settings
    store: Store
    copies: Copies
    rented: Rented | None
    clock: Clock
    judge: Judge = field(default_factory=Judge)

    def places(self, card: Card) -> int:
        """How many jobs a model may answer at once. One in a process of its own answers one after another."""
        kind = engine(card.engine)
        if self.rented is not None and self.rented.has(card.id):
            return PLACES
        if card.host and isinstance(kind, AnswersSeveral):
            return kind.places(card)
        if not isinstance(kind, AnswersSeveral) or proxy.wanted(card, self.settings.isolate):
            return 1
        most = kind.places(card)
        return min(most, AT_HOME) if self.settings.profile == "local" and "places" not in card.options else most

    def asked(self, card: Card, requests: Sequence[Request]) -> int:
        """Seconds that are asked for where the card for it is lent; 0 where none is."""
        if self.rented is None or not self.rented.has(card.id):
            return 0
        return self.rented.seconds(card, requests, self.clock)

    def of(self, card: Card, weights: int, manager: ModelManager) -> Spec:
        """A model for one device. `weights` are the bytes to expect."""
        if self.settings.watermark and card.engine == watermark.ENGINE:
            known = list(watermark.keys(Home.at(self.settings.home).root))
            card = replace(card, options={**card.options, watermark.OPTION: known})
        files, apart = self.store.path(card), proxy.wanted(card, self.settings.isolate)
        if (rented := self.rented) is not None and rented.has(card.id):
            return Spec(
                card.id,
                weights,
                lambda _: Remote(card, rented, self.clock),
                keep_alive=-1.0,
                places=PLACES,
                builds=False,
            )
        many, each = self.places(card), 0
        several = engine(card.engine) if many > 1 else None
        if isinstance(several, AnswersSeveral):
            each = several.place_nbytes(card, files)
        # of one that is elsewhere all that is kept is how it is asked
        key = f"{card.id} {card.source.address} {sorted(card.options.items())}" if card.host else card.id
        keep, park, kind = self.settings.keep_alive, self.settings.park_alive, manager.device.kind

        def load(report: Callable[[float], None]) -> Loaded:
            stored = self.copies.folder(
                engine(card.engine), card, files, kind, report, wanted=lambda: manager.awaited(key)
            )
            if apart:
                return proxy.load(
                    card, stored, manager.device, report, begun=manager.begun, ended=lambda: manager.evict(key)
                )
            if isinstance(several, AnswersSeveral):
                return several.load(card, stored, manager.device, report, manager.places(key))
            return self._loaded(card, stored, manager, report)

        return Spec(
            key, weights, load, keep_alive=keep, park_alive=park if keep else 0.0,
            places=many, each=each, builds=ENGINES[card.engine].torch and not apart, apart=apart,
        )  # fmt: skip

    def _loaded(self, card: Card, stored: Path, manager: ModelManager, report: Callable[[float], None]) -> Loaded:
        """A model in this process: straight to its device and in its faster way, where either pays."""
        worth = self.judge.of(card.id, manager.device, lambda: manager.pinned(card.id))
        began, straight = time.perf_counter(), False
        if "straight" in ENGINES[card.engine].options and "straight" not in card.options:
            straight = worth.pays(LOAD)
            card = replace(card, options={**card.options, "straight": straight})
        model = engine(card.engine).load(card, stored, manager.device, report)
        worth.took(LOAD, straight, time.perf_counter() - began)
        if isinstance(model, Hastens):
            model.hasten(worth)
        return model
