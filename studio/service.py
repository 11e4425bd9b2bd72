"""The studio: the only door for the page, the command line and the API.

It knows what exists (catalogue), what is here (store), what was made (library, chats) and what may be asked
(limits); studio.runner does the work. Knows nothing of widgets or of how any model works.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from studio import limits
from studio.cards import Card
from studio.catalog import Catalog
from studio.chats import Chat, Chats, Entry
from studio.errors import StudioError
from studio.jobs import Job
from studio.library import Library
from studio.manager import ManagerStatus
from studio.paths import Home, gigabytes
from studio.runner import Final, Runner
from studio.settings import Settings
from studio.sources import State, Store
from studio.types import Artifact, ChatRequest, Message, Request, Task

log = logging.getLogger("studio")

_THOUGHTS = re.compile(r"<think>.*?(</think>\s*|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model of the catalogue as it stands on this machine."""

    card: Card
    state: State
    loaded: bool
    fits: bool
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """What the whole studio does at this moment."""

    devices: tuple[ManagerStatus, ...]
    running: tuple[Job, ...]
    waiting: int


class Studio:
    """Everything behind one page.

    Args:
        settings: how it runs; `studio.settings.load()` reads them from the environment.

    Raises:
        StudioError: the home folder cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = Home.at(settings.home)
        self.catalog = Catalog.load(self.home, public=settings.public, demo=settings.demo)
        for problem in self.catalog.problems:
            log.warning("%s", problem)
        keep_free = int(settings.keep_free_gb * 1e9)
        self.store = Store(self.home, offline=settings.offline, keep_free=keep_free)
        self.library = Library(self.home, keep_free)
        self.chats = Chats(self.home.chats)
        self._runner = Runner(settings, self.store, self.library)
        self.device = self._runner.device

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, timeout: float = 5.0) -> None:
        """Stop what runs and free everything. The object is not used again."""
        self._runner.close(timeout)

    # ---- models

    def models(self, task: Task | None = None) -> tuple[ModelInfo, ...]:
        """The catalogue as it stands here, for one task or all."""
        cards = self.catalog.for_task(task) if task else tuple(self.catalog.cards.values())
        statuses = {manager.device: manager.status() for manager in self._runner.managers.values()}
        loaded = {model.key for status in statuses.values() for model in status.models if model.state == "ready"}

        def info(card: Card) -> ModelInfo:
            budget = statuses[self._runner.manager(card).device].budget
            fits = max(card.memory_bytes, card.least_memory) <= budget
            return ModelInfo(card, self.store.state(card), card.id in loaded, fits, self.store.bytes_on_disk(card))

        return tuple(info(card) for card in cards)

    def default_model(self, task: Task) -> Card:
        """What a request without a model gets: the first that is on disk, else the starter, else the first.

        Raises:
            StudioError: the catalogue has nothing for this task.
        """
        cards = self.catalog.for_task(task)
        if not cards:
            raise StudioError("no_model")
        ready = [card for card in cards if self.store.state(card) == "ready"]
        return (ready or [card for card in cards if card.starter] or list(cards))[0]

    def download(self, model: str, session: str = "") -> Job:
        """Fetch a model's files. The job ends when they are complete on disk.

        Raises:
            StudioError: unknown model, not offered to the public, or too many jobs.
        """
        card = self.catalog.get(model)
        if self.settings.public and not card.starter:
            raise StudioError("not_for_public")
        return self._runner.download(Job("download", card.title, model=card.id, session=session), card)

    def delete(self, model: str) -> int:
        """Remove a model's files from disk; returns the bytes freed. Not for the public."""
        if self.settings.public:
            raise StudioError("not_for_public")
        card = self.catalog.get(model)
        self._runner.manager(card).evict(card.id)
        return self.store.delete(card)

    def unload(self, model: str | None = None) -> None:
        """Free one model's memory, or that of all idle ones. Not for the public: it is everybody's."""
        if self.settings.public:
            raise StudioError("not_for_public")
        for manager in self._runner.managers.values():
            manager.evict(model)

    def status(self) -> Status:
        """Models, memory and jobs now."""
        jobs = [job for job in self._runner.jobs() if not job.done]
        running = tuple(job for job in jobs if job.snapshot().kind != "queued")
        devices = tuple(manager.status() for manager in self._runner.managers.values())
        return Status(devices, running, len(jobs) - len(running))

    # ---- jobs

    def submit(self, request: Request, session: str = "", tag: str = "") -> Job:
        """Start a request; it goes on whether or not anybody reads its events.

        Args:
            session: who asks. Used to find the jobs again and to share fairly.
            tag: kept with the job for the caller.

        Raises:
            StudioError: a bad value, an unknown or missing model, or too many jobs.
        """
        return self._start(request, session, tag)

    def say(self, chat: Chat, settings: ChatRequest, session: str = "", chats: Chats | None = None) -> Job:
        """Answer a conversation whose last message is the user's. Question and answer are on disk when the job ends.

        Args:
            chat: the conversation, with the new message; it is saved once the job is accepted.
            settings: model, sampling and system prompt; its messages are ignored.
            chats: where the conversation lives; by default the studio's own folder.

        Raises:
            StudioError: as `submit`. Nothing is saved then.
        """
        store = chats or self.chats
        request = replace(settings, messages=_without_thoughts(chat.as_messages()))

        def keep(job: Job, artifact: Artifact | None) -> None:
            answer = job.snapshot().text
            if not answer.strip():
                return
            try:
                saved = store.load(chat.id)
            except StudioError:  # the conversation was deleted meanwhile: so is its answer
                return
            entry = Entry("assistant", answer, recipe=artifact.recipe if artifact else None)
            store.save(replace(saved, messages=(*saved.messages, entry)))

        return self._start(request, session, chat.id, before=lambda: store.save(chat), final=keep)

    def job(self, id: str, session: str | None = None) -> Job:
        """A job by its id; with `session`, only one of that session. Raises StudioError where there is none."""
        job = self._runner.job(id)
        if session is not None and job.session != session:
            raise StudioError("unknown_job")
        return job

    def jobs(self, session: str | None = None) -> tuple[Job, ...]:
        """Known jobs, oldest first; finished ones are kept for a while."""
        return tuple(job for job in self._runner.jobs() if session is None or job.session == session)

    def _start(
        self,
        request: Request,
        session: str,
        tag: str,
        before: Callable[[], object] | None = None,
        final: Final | None = None,
    ) -> Job:
        card = self.catalog.get(request.model) if request.model else self.default_model(request.task)
        if request.task not in card.tasks:
            raise StudioError("wrong_task", model=card.title)
        public = self.settings.public
        limits.check(request, card, public=public)
        request = limits.resolve(request, card, lambda: secrets.randbelow(limits.MAX_SEED + 1), public=public)
        request = replace(request, model=card.id)
        if self.store.state(card) != "ready" and not card.starter:
            raise _missing(card)
        job = Job(
            request.task, _title(request), model=card.id, request=request, session=session, tag=tag,
            position=self._runner.position, on_cancel=self._runner.cancelled,
        )  # fmt: skip
        self._runner.start(job, card, before, final)
        return job


def _missing(card: Card) -> StudioError:
    if card.source.kind == "local":
        return StudioError("missing_files", model=card.title, file=card.source.path)
    return StudioError("not_on_disk", model=card.title, size=gigabytes(card.disk_bytes))


def _title(request: Request) -> str:
    if isinstance(request, ChatRequest):
        text = request.messages[-1].content
    else:
        text = getattr(request, "prompt", "") or getattr(request, "prefix", "")[-60:]
    return " ".join(text.split())[:80]


def _without_thoughts(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Earlier answers without what the model thought aloud: it is not meant to be read again."""
    return tuple(
        message if message.role == "user" else replace(message, content=_THOUGHTS.sub("", message.content))
        for message in messages
    )
