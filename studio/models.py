"""The models of a studio: what there is, what is on disk and in memory, and what can be done about that.

The part of studio.service that is about models: `studio.models`.
"""

from __future__ import annotations

import time
import zlib

from studio.catalog import variants
from studio.catalog.card import VARIANT, Card
from studio.catalog.catalog import Catalog
from studio.errors import StudioError
from studio.jobs.job import Job
from studio.jobs.runner import Runner
from studio.manager import Fleet
from studio.manager.fleet import AWAY
from studio.requests import Task
from studio.settings import Settings
from studio.status import ModelInfo
from studio.store import Store, verify
from studio.store.last_used import Used
from studio.store.upcast_cache import Copies
from studio.store.verify import Difference

_LOOK_AGAIN = 1.0
"""Seconds for which what is on disk is taken to be as it was: many pages may ask."""


class Models:
    """What a studio can do with its models.

    Args:
        settings: whether the studio is public, where nobody may change what is everybody's.
        fleet: holds the models in memory.
        runner: jobs that fetch or load them run there, and it knows who else has some.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        store: Store,
        fleet: Fleet,
        runner: Runner,
        copies: Copies,
        used: Used,
    ) -> None:
        self._public, self._offline, self._placed = settings.public, settings.offline, settings.zero_models
        self._catalog, self._store, self._fleet, self._runner = catalog, store, fleet, runner
        self._copies, self._used, self._peers = copies, used, runner.peers
        self._looked = float("-inf"), ""

    @property
    def on_disk(self) -> str:
        """A short text that is another one once the files of a model came or went, whoever fetched or deleted them."""
        now = time.monotonic()
        if now - self._looked[0] >= _LOOK_AGAIN:
            cards, having = self._catalog.cards.values(), self._peers.having
            states = "\n".join(f"{card.id} {self._store.state(card)} {sorted(having(card))}" for card in cards)
            self._looked = now, f"{zlib.crc32(states.encode()):08x}"
        return self._looked[1]

    def list(self, task: Task | None = None) -> tuple[ModelInfo, ...]:
        """The catalogue as it stands here, for one task or all."""
        cards = self._catalog.for_task(task) if task else tuple(self._catalog.cards.values())
        statuses = {manager: manager.status() for manager in self._fleet if manager.device.kind != AWAY}

        def info(card: Card) -> ModelInfo:
            if card.host:
                return ModelInfo(card, "ready", False, True, 0, last_used=self._used.when(card.id))
            largest = max((statuses[manager] for manager in self._fleet.suited_to(card)), key=lambda one: one.budget)
            sisters = tuple(info(variants.derived(card, name)) for name in variants.on(card, largest.device))
            found = [(model, status) for status in statuses.values() for model in status.models if model.key == card.id]
            resident, where = max(found, key=lambda one: one[0].state == "ready", default=(None, None))
            cooling = next((one for status in statuses.values() for one in status.cooling if one.key == card.id), None)
            return ModelInfo(
                card, self._store.state(card), resident is not None and resident.state == "ready",
                card.needed <= largest.budget,
                self._store.bytes_on_disk(card) + (copy := self._copies.nbytes(card)),
                resident, str(where.device) if where else "", cooling, sisters, self._used.when(card.id), copy,
                self._store.elsewhere(card), self._store.came(card), self._peers.leaving(card),
            )  # fmt: skip

        return tuple(info(card) for card in cards)

    def here(self, task: Task, model: str) -> bool:
        """Whether a model, or a variant of one, can do a task at once."""
        found = (one for info in self.list(task) for one in (info, *info.variants))
        return any(one.card.id == model and one.usable for one in found)

    def download(self, model: str, session: str = "", origin: str = "", newest: bool = False) -> Job:
        """Fetch the files of a model, or of the model of a variant. The job ends when they are complete on disk.

        Args:
            origin: where from, now and from now on: "hub", "mirror", "modelscope" or an address; "" as before.
            newest: the newest version in place of the one that is meant. Neither is for the public.

        Raises:
            StudioError: unknown model, one without files, not offered to the public, bad_origin, busy_download, or
                too many jobs.
        """
        card = self._with_files(self._catalog.get(model).base)
        if self._public and (not card.starter or origin or newest):
            raise StudioError("not_for_public")
        if origin:
            self._store.choose_origin(origin)
        if newest:
            self._store.renew(card)
        return self._runner.download(Job("download", card.title, model=card.id, session=session), card)

    def delete(self, model: str) -> int:
        """Remove a model's files from disk; returns the bytes freed. Not for the public.

        Raises:
            StudioError: unknown model, or one without files.
        """
        if self._public:
            raise StudioError("not_for_public")
        card = self._with_files(self._catalog.get(model).base)
        for id in (card.id, *(f"{card.id}{VARIANT}{name}" for name in variants.of(card))):
            self.unload(id)
        return self._copies.delete(card) + self._store.delete(card)

    def verify(self, model: str) -> list[Difference]:
        """What the hub says otherwise than the catalogue about a model; empty too where nothing of it is of the hub.

        Raises:
            StudioError: unknown model; the hub does not answer.
        """
        if self._offline:
            raise StudioError("offline_setting", model=self._catalog.get(model).title)
        return verify.differences(self._catalog.get(model))

    def try_again(self, model: str) -> None:
        """Let a model that failed to load be loaded at once, without waiting."""
        card = self._catalog.get(model)
        for manager in self._fleet.suited_to(card):
            manager.forgive(card.id)

    def place(self) -> None:
        """Load the models of STUDIO_ZERO_MODELS on the card that is lent, where there is one. On the main thread,
        before the page opens; their files are fetched first.

        Raises:
            StudioError: unknown_model, as a download, or as Rented.place.
        """
        if (rented := self._fleet.rented) is not None:
            ids = filter(None, (id.strip() for id in self._placed.split(",")))
            cards = [self._catalog.get(id) for id in ids]
            fetch = self._store.fetch
            files = (fetch(card, lambda *_: None, lambda: False) for card in cards)
            rented.place(zip(cards, files, strict=True), self._runner.register.longest)

    def load(self, model: str, session: str = "") -> Job:
        """Bring a model into memory, after its download where that is needed. Not for the public.

        Raises:
            StudioError: unknown model, one without files, or too many jobs.
        """
        if self._public:
            raise StudioError("not_for_public")
        card = self._with_files(model)
        job = Job("load", card.title, model=card.id, session=session, on_cancel=self._runner.cancelled)
        self._runner.start(job, card)
        return job

    def pin(self, model: str, on: bool) -> None:
        """Keep a model in memory once it is there, or stop doing so. Not for the public.

        Raises:
            StudioError: unknown model, or one without files.
        """
        if self._public:
            raise StudioError("not_for_public")
        for manager in self._fleet.suited_to(self._with_files(model)):
            manager.pin(model, on)

    def unload(self, model: str | None = None) -> None:
        """Free one model's memory, or that of all idle ones. Not for the public: it is everybody's."""
        if self._public:
            raise StudioError("not_for_public")
        for manager in self._fleet:
            manager.evict(model)

    def _with_files(self, model: str) -> Card:
        """The model, where it has files that can be fetched, loaded or deleted."""
        card = self._catalog.get(model)
        if not card.has_files:
            raise StudioError("no_files", model=card.title)
        return card
