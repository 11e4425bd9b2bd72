"""Planner: from what is asked to what can run; which model, checked, every gap filled, one request or many.

Knows the catalogue and what is on disk; starts nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from studio.catalog.card import Card
from studio.catalog.catalog import Catalog
from studio.engines.base import (
    ChoosesSampler,
    HearsSound,
    PaintsRegions,
    ReadsPrompt,
    SeesPictures,
    TakesControls,
    TakesReferences,
    TakesRefiner,
    TakesVae,
    engine,
)
from studio.errors import StudioError
from studio.jobs.context import Plan
from studio.jobs.languages import chinese, reads_chinese
from studio.jobs.plans.caption_choices import CaptionChoices
from studio.jobs.plans.caption_folder import CaptionFolder
from studio.jobs.plans.chat_answer import ChatAnswer
from studio.jobs.plans.chat_turn import ChatTurn, without_thoughts
from studio.jobs.plans.code_choices import CodeChoices
from studio.jobs.plans.grid import Grid
from studio.jobs.plans.models_grid import by_models
from studio.jobs.plans.single import Single
from studio.library.chats import Chats
from studio.library.file_names import Keep
from studio.manager.backends.elsewhere import Elsewhere
from studio.media import masks
from studio.paths import gigabytes
from studio.policy import FREE, Policy
from studio.request_parts import Axis
from studio.requests import CaptionRequest, ChatRequest, ImageRequest, MusicRequest, Request, SoundUse, Task
from studio.results import Note
from studio.store import Store
from studio.tasks import limits
from studio.tasks.bounds import DRAWN_SEED
from studio.tasks.caption.plan import BLANK, as_request, as_settings
from studio.tasks.caption.run import Run
from studio.tasks.chat.attachments import SHOWN
from studio.tasks.chat.conversation import Chat
from studio.tasks.chat.conversation import Note as Remark
from studio.tasks.image import grid_axes
from studio.tasks.image.control_files import ControlNets
from studio.tasks.image.detector_files import Detectors
from studio.tasks.image.prepare import PromptFiller
from studio.tasks.image.reference_files import IPAdapters
from studio.tasks.image.refiner_files import Refiners
from studio.tasks.image.series import rows as rows_of_series
from studio.tasks.image.vae_files import Vaes
from studio.tasks.music.prompt_parser import Reading
from studio.tasks.table import rules

R = TypeVar("R", bound=Request)
_WHOLE_BARS = 1.25
_PLANS: Mapping[Task, type[Plan]] = {"caption": CaptionChoices, "chat": ChatAnswer, "code": CodeChoices}
"""How a request is carried out, where not simply asked for. Pictures may be many."""


@dataclass(frozen=True, slots=True)
class Order:
    """A request that can run: on which model, and what is done with it."""

    card: Card
    plan: Plan

    @property
    def title(self) -> str:
        """What people call it: the beginning of what they asked."""
        return " ".join(rules(self.plan.request).title(self.plan.request).split())[:80]


class Intake:
    """Takes requests in, for one profile."""

    def __init__(
        self, catalog: Catalog, store: Store, prompts: PromptFiller, controls: ControlNets | None = None,
        references: IPAdapters | None = None, vaes: Vaes | None = None, refiners: Refiners | None = None,
        detectors: Detectors | None = None, *, public: bool, policy: Policy = FREE, peers: Elsewhere | None = None,
    ) -> None:  # fmt: skip
        self._catalog, self._store, self._prompts, self._public = catalog, store, prompts, public
        self._policy, self._peers = policy, peers or Elsewhere()
        self._controls, self._references, self._vaes, self._refiners = controls, references, vaes, refiners
        self._detectors = detectors

    def default_model(self, task: Task, request: Request | None = None) -> Card:
        """What a request without a model gets: the first that is on disk, else the starter, else the first.

        Args:
            request: models that cannot do it at all are passed over, as long as one can.

        Raises:
            StudioError: the catalogue has nothing for this task.
        """
        cards = self._catalog.for_task(task)
        if not cards:
            raise StudioError("no_model")
        if request is not None:
            cards = tuple(card for card in cards if limits.admits(request, card) and _hearing(request, card)) or cards
        cards = tuple(card for card in cards if not card.host) or cards  # words leave where somebody says so
        ready = [card for card in cards if self.is_here(card)]
        return (ready or [card for card in cards if card.starter] or list(cards))[0]

    def is_here(self, card: Card) -> bool:
        """Whether nothing has to be fetched for a model."""
        return self._store.state(card) == "ready"

    def order(self, request: Request, keep: Keep | None = None) -> Order:
        """One request, or as many as its prompt means.

        What of the wish the model cannot do, and the plan does without, is in the plan's notes.

        Raises:
            StudioError: a bad value, a mask that marks nothing, or an unknown or missing model.
        """
        card = self._card(request)
        request = self._resolved(request, card)
        if SHOWN in rules(request).marks(request):
            self._shown(card, chinese(rules(request).language(request)))
        if not isinstance(request, ImageRequest):
            plan: Any = _PLANS.get(request.task, Single)
            return Order(card, plan(request, keep=keep))
        if request.mask:
            masks.read_mask(request.mask)  # refused before a model is loaded for it
        self._steered(request, card)
        self._referred(request, card)
        self._with_parts(request, card)
        self._parted(request, card)
        request, notes = self._sampled(request, card)
        filled = self._filled(request, card)
        if len(filled) == 1:
            return Order(card, Single(filled[0], keep=keep, notes=notes))
        return Order(card, Grid(request, filled, keep=keep, notes=notes))

    def turn(
        self, request: ChatRequest, store: Chats, chat: Chat, seen: str = "", remarks: tuple[Remark, ...] = ()
    ) -> tuple[Order, ChatTurn]:
        """The answer to a conversation (studio.jobs.plans.chat_turn). Raises StudioError as `order`."""
        kept = bool(self._card(request).options.get("keep_thinking"))
        messages = chat.as_messages(lambda one: store.attachment(chat.id, one))
        messages = messages if kept else without_thoughts(messages)
        asked = replace(request, messages=messages)
        order = self.order(asked)
        plan: Any = order.plan
        turn = ChatTurn(plan.request, store, chat, seen, remarks)
        return replace(order, plan=turn), turn

    def reading(self, request: MusicRequest) -> Reading | None:
        """How a model of music understands a request; None where it does not say. Raises StudioError: a bad value."""
        card = self._catalog.get(request.model) if request.model else self.default_model("music")
        limits.check(request, card, public=self._public)
        return _read(limits.resolve(request, card, lambda: 0, public=self._public), card)

    def hears(self, model: str) -> tuple[SoundUse, ...]:
        """What a model of music does with sound."""
        card = self._catalog.find(model)
        return _hears(card) if card is not None else ()

    def grid(
        self,
        base: ImageRequest,
        x: Axis | None,
        y: Axis | None,
        keep: Keep | None = None,
        z: Axis | None = None,
        series: str = "",
    ) -> Order:
        """One request a cell, all with the same seeds; with a series, a seed for each picture of `base` and each row.

        Raises StudioError as `order`, for any cell, axis or row.
        """
        cells, layout, whole, card = self.cells(base, x, y, z, series)
        self._steered(whole, card)
        self._referred(whole, card)
        self._parted(whole, card)
        owners = tuple(self._card(cell) for cell in cells)
        asked = [self._sampled(self._resolved(cell, own), own) for cell, own in zip(cells, owners, strict=True)]
        for (cell, _), own in zip(asked, owners, strict=True):
            self._with_parts(cell, own)
        filled = tuple(self._filled(cell, own)[0] for (cell, _), own in zip(asked, owners, strict=True))
        notes: list[Note] = []
        for _, told in asked:
            notes += [note for note in told if note not in notes]
        plan = by_models(
            owners, request=self._sampled(whole, card)[0], cells=filled, layout=layout, keep=keep, notes=tuple(notes)
        )
        return Order(owners[0], plan)

    def cells(
        self, base: ImageRequest, x: Axis | None, y: Axis | None, z: Axis | None, series: str = ""
    ) -> tuple[list[ImageRequest], grid_axes.Layout, ImageRequest, Card]:
        """The cells of a grid, neither checked nor resolved, how they lie, and what stands for all of them and its
        model. Raises StudioError as `grid`, but for what its cells are refused for."""
        rows = rows_of_series(base, series, public=self._public)
        axes = [self._by_id(axis) for axis in (x, y, z) if axis]
        base = replace(base, prompt=rows[0].prompt) if rows else base
        card = self._card(base)
        base, count = replace(base, prompts=()), base.count if rows and not axes else 1
        whole = replace(self._resolved(replace(base, count=count), card), count=1)
        base = replace(base, count=1)
        seeded = replace(base, seed=whole.seed, variation_seed=whole.variation_seed or draw_seed())
        if count > 1:
            axes.append(Axis("seed", tuple(str(int(whole.seed or 0) + number) for number in range(count))))
        x, y, z = [*(grid_axes.settled(axis, draw_seed) for axis in axes), None, None, None][:3]
        cells, layout = grid_axes.cells(seeded, x, y, z, rows=rows, public=self._public)
        return cells, layout, whole, card

    def _by_id(self, axis: Axis) -> Axis:
        """An axis of models with their ids, where people wrote what they are called. Raises StudioError as `order`."""
        if axis.field != "model":
            return axis
        titles = {card.title.casefold(): card.id for card in self._catalog.for_task("image")}
        named = (titles.get(value.casefold(), value) for value in grid_axes.values(axis))
        return replace(axis, values=tuple(self._catalog.get(value).id for value in named))

    def captions(self, run: Run, request: CaptionRequest) -> Order:
        """A run's request: as it was settled when the run began, else `request`, settled now.

        Where `request` names a model, the pictures that wait get their captions from that one.

        Raises:
            StudioError: as `order`.
        """
        if run.plan.settings:
            settled = as_request(run.plan.settings)
            request = replace(settled, model=request.model or settled.model)
        blank = replace(request, image=BLANK, count=1)
        card = self._card(blank)
        whole = replace(self._resolved(blank, card), image=b"")
        if (settings := as_settings(whole)) != run.plan.settings:
            run.settle(settings)
        return Order(card, CaptionFolder(whole, run, card, self._public))

    def _card(self, request: Request) -> Card:
        card = self._catalog.get(request.model) if request.model else self.default_model(request.task, request)
        if request.task not in card.tasks:
            raise StudioError("wrong_task", model=card.title)
        if card.refines:
            raise StudioError("only_refines", model=card.title)
        if not (self.is_here(card) or card.starter or self._peers.having(card, wait=True)):
            raise _missing(card)
        return card

    def _resolved(self, request: R, card: Card) -> R:
        limits.check(request, card, public=self._public)
        if not _hearing(request, card):
            raise StudioError("cannot_hear", model=card.title)
        full = replace(limits.resolve(request, card, draw_seed, public=self._public), model=card.id)
        self._policy.require_asked(full)
        if self._public and isinstance(full, MusicRequest):
            _check_length(full, card)
        return full

    def _sampled(self, request: ImageRequest, card: Card) -> tuple[ImageRequest, tuple[Note, ...]]:
        """With the model's own sampler, and a note, where it cannot be painted with by the one that was asked for.

        Settings come from pictures that other models made, and a recipe names what was really used.
        """
        kind = engine(card.engine)
        if not isinstance(kind, ChoosesSampler) or not request.scheduler or self._store.state(card) != "ready":
            return request, ()
        if kind.samples(card, self._store.path(card), request.scheduler):
            return request, ()
        return replace(request, scheduler=""), (("own_scheduler", {"name": request.scheduler}),)

    def _steered(self, request: ImageRequest, card: Card) -> None:
        """Refuse controls that are not here or do not fit the model, before anything is loaded for them."""
        if not request.controls or self._controls is None:
            return
        self._controls.require(request)
        kind = engine(card.engine)
        if not isinstance(kind, TakesControls):
            raise StudioError("control_not_taken", model=card.title)
        if self._store.state(card) == "ready":
            kind.check_controls(card, self._store.path(card), request, self._controls.folders())

    def _referred(self, request: ImageRequest, card: Card) -> None:
        """The same of reference pictures, with the masks of theirs that mark nothing."""
        if not request.references or self._references is None:
            return
        self._references.require(request)
        for one in request.references:
            if one.mask:
                masks.read_mask(one.mask)
        kind = engine(card.engine)
        if not isinstance(kind, TakesReferences):
            raise StudioError("reference_not_taken", model=card.title)
        if self._store.state(card) == "ready":
            kind.check_references(card, self._store.path(card), request, self._references.folders())

    def _with_parts(self, request: ImageRequest, card: Card) -> None:
        """Refuse a VAE and a refiner that are not here or do not fit, before anything is loaded for them."""
        kind, ready = engine(card.engine), self._store.state(card) == "ready"
        if request.vae and self._vaes is not None:
            self._vaes.require(request)
            if not isinstance(kind, TakesVae):
                raise StudioError("vae_not_taken", model=card.title)
            if ready:
                kind.check_vae(card, self._store.path(card), request, self._vaes.folders())
        if request.refiner and self._refiners is not None:
            self._refiners.require(request)
            if not isinstance(kind, TakesRefiner):
                raise StudioError("refiner_not_taken", model=card.title)
            if ready:
                kind.check_refiner(card, self._store.path(card), request, self._refiners.folders())

    def require_sight(self, model: str) -> None:
        """Raises StudioError: cannot_see, cannot_see_none where a chat model sees no pictures."""
        if (card := self._catalog.find(model)) is not None:
            self._shown(card)

    def _shown(self, card: Card, asked: bool = False) -> None:
        """Refuse pictures that the model cannot see, before it is loaded, and name one that can.

        What is on disk comes first, then what reads Chinese where it is `asked` in that, then the smallest.
        """
        if self._sees(card):
            return
        able = [other for other in self._catalog.for_task("chat") if self._sees(other)]
        able.sort(
            key=lambda other: (
                self._store.state(other) != "ready", asked and not reads_chinese(other), other.disk_bytes
            )
        )  # fmt: skip
        if self._public:
            able = [other for other in able if self._store.state(other) == "ready"]
        if not able:
            raise StudioError("cannot_see_none", model=card.title)
        raise StudioError("cannot_see", model=card.title, other=able[0].title, id=able[0].id)

    def _sees(self, card: Card) -> bool:
        kind, ready = engine(card.engine), self._store.state(card) == "ready"
        return isinstance(kind, SeesPictures) and kind.sees(card, self._store.path(card) if ready else None)

    def _parted(self, request: ImageRequest, card: Card) -> None:
        """Refuse regions that mark nothing or that the model cannot paint, and detectors that are not here."""
        for region in request.regions:
            masks.read_mask(region.mask)
        if self._detectors is not None:
            self._detectors.require(request)
        kind = engine(card.engine)
        if not (request.regions or request.details):
            return
        if not isinstance(kind, PaintsRegions):
            raise StudioError("no_regions", model=card.title)
        if request.regions and self._store.state(card) == "ready":
            kind.check_regions(card, self._store.path(card))

    def _filled(self, request: ImageRequest, card: Card) -> tuple[ImageRequest, ...]:
        filled = self._prompts.fill(request)
        for one in filled:
            if one is not request:
                limits.check(one, card, public=self._public)
                self._policy.require_asked(one)
        return filled


def _read(request: MusicRequest, card: Card) -> Reading | None:
    kind = engine(card.engine)
    return kind.reading(request, card) if isinstance(kind, ReadsPrompt) else None


def _hears(card: Card) -> tuple[SoundUse, ...]:
    kind = engine(card.engine)
    return kind.hears(card) if isinstance(kind, HearsSound) and "music" in card.tasks else ()


def _hearing(request: Request, card: Card) -> bool:
    """Whether the model can do with the request's sound what is asked for; also where there is none."""
    return not isinstance(request, MusicRequest) or not request.sound or request.sound_use in _hears(card)


def _check_length(request: MusicRequest, card: Card) -> None:
    """A prompt must not ask strangers' pieces to be longer than the fields may; whole bars may take a little more."""
    longest = limits.bound("music", "duration", card, public=True).high
    read = _read(request, card)
    if read is not None and read.brief.seconds > longest * _WHOLE_BARS:
        raise StudioError("too_many_bars", seconds=f"{read.brief.seconds:.0f}", limit=f"{longest:g}")


def draw_seed() -> int:
    return secrets.randbelow(DRAWN_SEED + 1)


def _missing(card: Card) -> StudioError:
    if card.source.kind == "local":
        return StudioError("missing_files", model=card.title, file=card.source.path)
    return StudioError("not_on_disk", model=card.title, id=card.base, size=gigabytes(card.disk_bytes))
