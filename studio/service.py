"""The studio: the only door for the page, the command line and the API.

It knows what exists (catalogue), what is here (store), what was made (library, chats) and what may be asked (limits);
studio.jobs.runner does the work.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Self

from PIL import Image

from studio.beside import Beside
from studio.catalog import variants
from studio.catalog.card import Card
from studio.catalog.catalog import Catalog
from studio.chains import shelf
from studio.engines.shared import depth
from studio.errors import StudioError
from studio.groups import Groups
from studio.instance import Instance
from studio.jobs.as_typed import Scribe
from studio.jobs.asked import Asked
from studio.jobs.board import Board
from studio.jobs.durable import Durable
from studio.jobs.job import Job
from studio.jobs.pace import Pace
from studio.jobs.planner import Intake, Order
from studio.jobs.runner import Runner
from studio.jobs.screening import policy_of
from studio.jobs.sketches import Easel
from studio.jobs.suggestions import Ladder
from studio.jobs.token_count import TokenCounter
from studio.jobs.told import Final
from studio.lab.looking import Lab
from studio.lab.matches import Album
from studio.library.chats import TRASH_DAYS, Chats
from studio.library.disk_use import DiskUse
from studio.library.file_names import Keep
from studio.library.inputs import Sources
from studio.library.of_studio import of_studio
from studio.library.presets import of_tasks
from studio.library.visitors import Room
from studio.manager import Fleet, Rented
from studio.manager.backends.elsewhere import Elsewhere
from studio.models import Models
from studio.own import Own
from studio.parts import Parts
from studio.paths import Home
from studio.request_parts import Axis, SoundUse
from studio.requests import CaptionRequest, ChatRequest, CodeRequest, ImageRequest, MusicRequest, Request, Task
from studio.results import Artifact, Tokens, Usage
from studio.settings import Settings
from studio.standing import Standing
from studio.status import Status, status_now
from studio.store import Store
from studio.store.disk.adaptations import Shelf
from studio.store.last_used import Used
from studio.store.upcast_cache import Copies
from studio.tasks import limits
from studio.tasks.caption.run import Run
from studio.tasks.caption.runs import Desk
from studio.tasks.chat.conversation import Chat, Note
from studio.tasks.music.prompt_parser import Reading
from studio.tasks.table import rules

log = logging.getLogger("studio")


class Studio:
    """Everything behind one page.

    Args:
        settings: how it runs; `studio.settings.load()` reads them from the environment.
        rented: a card that is lent call by call, where there is one.

    Attributes:
        models: what there is, what is on disk and in memory, and what can be done about that.
        own: the person's own models: in their folders, and those that they name.
        adaptations: what is known of their adaptations.
        easel: pictures that are painted while their words are typed.
        scribe: completions that are written while code is typed.
        lab: what models are like inside, for those who look.
        album: pictures of the library as the lab's matcher sees them.
        archive: everything that was made, found again; None on a public studio, where nobody sees another's.
        queue: the jobs that wait, run and are over, as people see and steer them.
        presets: how something is made, by the names that a person gave, by task; none on a public studio.
        disk: what takes how much, and making room.
        strangers: what strangers may take of the disk, all together.
        peers: other computers that may compute for this one. parts: what is computed for them.
        standing: what they are told of this one.
        groups: pictures that are painted together, told of before and gone on with after.
        chains: steps that follow each other, kept as files.

    Raises:
        StudioError: the home folder cannot be used.
    """

    def __init__(self, settings: Settings, rented: Rented | None = None) -> None:
        self.settings, self.home = settings, Home.at(settings.home, settings.models)
        self.instance = Instance(self.home)
        self.catalog = Catalog.load(self.home, public=settings.public, demo=settings.demo)
        for problem in self.catalog.problems:
            log.warning("%s", problem)
        keep_free = int(settings.keep_free_gb * 1e9)
        self.store = Store(self.home, offline=settings.offline, keep_free=keep_free)
        self.strangers = Room(self.home.cache / "sessions")
        self.chats, self.presets = Chats(self.home.chats), of_tasks(self.home.presets, public=settings.public)
        self.library, self.archive = of_studio(settings, self.home, self.chats)
        self.captions = Desk(self.home.captions, public=settings.public, keep_free=keep_free)
        self._sources = Sources(self.home, public=settings.public, keep_free=keep_free)
        beside = self._beside = Beside(self.home, self.catalog, self.store, lambda: self.own, public=settings.public)
        self._token_counter = TokenCounter(self.store, beside.folders)
        self.adaptations = Shelf(beside.prompts.adaptations, self.home.cache / "adaptations.json")
        policy, self.peers = policy_of(settings), Elsewhere.of_settings(settings)
        self._intake = Intake(
            self.catalog, self.store, beside.prompts, beside.controls, beside.references, beside.vaes, beside.refiners,
            beside.detectors, public=settings.public, policy=policy, peers=self.peers,
        )  # fmt: skip
        self._fleet = fleet = Fleet.of_this_machine(settings, rented)
        self.device = fleet.devices[0].device
        self._copies = Copies(
            self.home.cache / "widened", keep_free=keep_free, most=int(settings.max_copy_gb * 1e9),
            total=int(settings.copies_gb * 1e9), in_use=lambda: fleet.keys,
        )  # fmt: skip
        ladder = Ladder(lambda: self.catalog, self.store, fleet.room, settings.public)
        self._runner = Runner(
            settings, self.store, self.library, fleet, self._copies, ladder.after,
            adapters=beside.folders, learned=self.home.cache / "memory.json", journal=self.instance,
            durable=Durable(self.home.queue, self.instance.id, self.library, keep_free)
            if settings.profile == "local" else None,
            pace=Pace(self.home.cache / "pace.json"), policy=policy, peers=self.peers,
        )  # fmt: skip
        self.queue, live = Board(self._runner, self), self._runner.live()
        self.easel, self.scribe = Easel(self._intake, live), Scribe(self._intake, live)
        self.parts = Parts(self._intake, self._start)
        self.lab, self.album = Lab(self.catalog, self._intake, live), Album()
        self.groups = Groups(self._intake, self._start, self._runner.pace, self.library, public=settings.public)
        self._saying, self._used = threading.Lock(), Used(self.home.cache / "used.json")
        self.models = Models(settings, self.catalog, self.store, fleet, self._runner, self._copies, self._used)
        self.standing = Standing(self.models, self.catalog, self._runner, offline=settings.offline)
        self.own = Own(settings, self.home, self.catalog, self.store, fleet)
        self.disk = DiskUse(self.home, self.archive, self.home.cache / "widened", self._copies.clear)
        self.chains = shelf.Shelf(self.home.chains, self.library, self.submit, self.archive)
        self._copies.trim()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def clear(self) -> None:
        """Take away what earlier runs left and nobody can want any more. For a start, before anything is asked for."""
        self.instance.clear()
        self.queue.recover(self.instance.others())
        self._sources.clear()
        self.own.refresh()
        if self.archive is not None:
            self.archive.trash.empty(TRASH_DAYS)

    def close(self, timeout: float = 5.0) -> None:
        """Stop what runs and free everything. The object is not used again."""
        self.chains.close(timeout)
        self.peers.close()
        self._token_counter.close()
        self.store.close()
        self._runner.close(timeout)
        self.peers.end()
        self.instance.close()
        if self.archive is not None:
            self.archive.close()

    def default_model(self, task: Task, request: Request | None = None) -> Card:
        """What a request without a model gets: the first that is on disk, else the starter, else the first.

        Args:
            request: models that cannot do it at all are passed over, as long as one can.

        Raises:
            StudioError: the catalogue has nothing for this task.
        """
        return self._intake.default_model(task, request)

    def status(self) -> Status:
        """Models, memory and jobs now."""
        return status_now(self.jobs(), self._fleet, self.peers.workers)

    # ---- jobs

    def submit(
        self, request: Request, session: str = "", tag: str = "", *, keep: Keep | None = None, previews: bool = False
    ) -> Job:
        """Start a request; it goes on whether or not anybody reads its events.

        Args:
            session: who asks. Used to find the jobs again and to share fairly.
            tag: kept with the job for the caller.
            keep: how pictures are named and written.
            previews: show the work in progress; the result is the same without.

        Raises:
            StudioError: a bad value, an unknown or missing model, or too many jobs.
        """
        asked = Asked(request, keep=keep, tag=tag, previews=previews)
        return self._start(self._intake.order(request, keep), asked, session)

    def exact_prompt(self, request: ChatRequest | CodeRequest, session: str = "", tag: str = "") -> Job:
        """Have a model say what it would be given to read, and write nothing.

        The artifact of the job has the prompt, its tokens among the figures (`prompt_tokens`), and what was cut among
        the notes; no file is kept.

        Raises:
            StudioError: as `submit`.
        """
        return self.submit(replace(request, only_prompt=True), session, tag)

    def submit_grid(
        self, base: ImageRequest, x: Axis | None, y: Axis | None, session: str = "", tag: str = "", *,
        z: Axis | None = None, series: str = "", keep: Keep | None = None, previews: bool = False,
        painted: tuple[str, ...] = (),
    ) -> Job:  # fmt: skip
        """Start one picture for each value of one axis, or each that two or three meet in, all from the same seed.

        Each is an ordinary picture with its own recipe; a sheet shows them together. See studio.tasks.image.grid_axes
        for the values, and studio.tasks.image.series for rows of prompts, which need no axis.

        Args:
            painted: ids of the outputs that are there of it already (studio.groups).

        Raises:
            StudioError: as `submit`, for any of the pictures; too many of them, or an axis that nobody understands.
        """
        asked = Asked(base, "grid", (x, y, z), keep, tag, previews, series=series, painted=painted)
        return self._start(self.groups.rest(base, (x, y, z), series, keep, painted), asked, session)

    def caption_all(self, run: Run, request: CaptionRequest, session: str = "") -> Job:
        """Caption the pictures of a run that wait; one that was begun already goes on as it began.

        Args:
            request: how, where that is not settled yet; a model that it names makes the captions from now on.

        Raises:
            StudioError: as `submit`.
        """
        return self._start(self._intake.captions(run, request), Asked(request, "captions", tag=run.id), session)

    def say(
        self, chat: Chat, settings: ChatRequest, session: str = "", chats: Chats | None = None, *, seen: str = "",
        notes: tuple[Note, ...] = (),
    ) -> Job:  # fmt: skip
        """Answer a conversation whose last message is the user's. Question and answer are on disk when the job ends.

        Args:
            chat: the conversation, with the new message; it is saved once the job is accepted.
            settings: model, sampling and system prompt; its messages are ignored.
            chats: where the conversation lives; by default the studio's own folder.
            seen: the mark of the conversation that `chat` was made from; empty for a new one.
            notes: what is to be known about the answer besides what its model says.

        Raises:
            StudioError: as `submit`; chat_busy where another answer is being written in it, chat_changed where it is
                no longer what was seen. Nothing is saved then.
        """
        with self._saying:  # of two at the same moment one is told that the other was first
            if self.answering(chat.id) is not None:
                raise StudioError("chat_busy")
            order, turn = self._intake.turn(settings, chats or self.chats, chat, seen, notes)
            asked = Asked(replace(settings, messages=()), "chat", tag=chat.id)
            return self._start(order, asked, session, before=turn.save, final=turn.ended)

    def answering(self, chat: str) -> Job | None:
        """The job that answers a conversation now, whoever asked; also one that was told to stop and is not over."""
        jobs = (job for job in reversed(self.jobs()) if job.tag == chat and job.task == "chat" and not job.done)
        return next(jobs, None) if chat else None

    def job(self, id: str, session: str | None = None) -> Job:
        """A job by its id; with `session`, only one of that session. Raises StudioError where there is none."""
        job = self._runner.register.job(id)
        if session is not None and job.session != session:
            raise StudioError("unknown_job")
        return job

    def jobs(self, session: str | None = None) -> tuple[Job, ...]:
        """Known jobs, oldest first; finished ones are kept for a while."""
        return tuple(job for job in self._runner.register.jobs() if session is None or job.session == session)

    # ---- what lies ready for pictures

    def tokens(self, model: str, prompt: str) -> Tokens:
        """How much of a prompt a model reads, from its tokenizer alone; zeros where that is unknown."""
        return self._token_counter.count(self.catalog.find(model), prompt)

    def usage(self, request: ChatRequest) -> Usage:
        """How much of its model's context a conversation takes, before it is sent; nothing is loaded for that.

        Exact where the model is in memory, and if it is in a process of its own, has nothing else to do there.

        Raises:
            StudioError: no_model, or an unknown one.
        """
        card = self.catalog.get(request.model) if request.model else self.default_model("chat")
        asked = limits.resolve(request, card, lambda: 0, public=self.settings.public)
        return self._token_counter.conversation(card, asked, self._fleet.model(card.id))

    def reading(self, request: MusicRequest) -> Reading | None:
        """How a model of music understands a request, before it plays; None where it does not say.

        Raises:
            StudioError: a bad value, or an unknown model.
        """
        return self._intake.reading(request)

    def hears(self, model: str) -> tuple[SoundUse, ...]:
        """What a model of music does with a sound that it is given; nothing where it takes none."""
        return self._intake.hears(model)

    def require_sight(self, model: str) -> None:
        """Raises StudioError: cannot_see (names a model that does), cannot_see_none; nothing where this one sees."""
        self._intake.require_sight(model)

    def styles(self) -> tuple[str, ...]:
        """Names of styles: the user's own and ours."""
        return self._beside.prompts.styles()

    def wildcards(self) -> tuple[str, ...]:
        """Names that `__name__` in a prompt may have."""
        return self._beside.prompts.wildcards()

    def loras(self) -> tuple[str, ...]:
        """Names of the adaptations in home/loras and in the person's folders; none on a public studio."""
        return self._beside.prompts.loras()

    def depth_map(self, picture: Image.Image) -> Image.Image:
        """How deep a picture is, light where near, by the network in home/preprocessors or of another program.

        Raises:
            StudioError: not_for_public, no_depth, bad_file.
        """
        return depth.depth(self._beside.controls.depth(), picture)

    def controlnets(self) -> tuple[str, ...]:
        """Names of the ControlNets in home/controlnets and of those of other programs; none on a public studio."""
        return self._beside.controls.names()

    def ipadapters(self) -> tuple[str, ...]:
        """Names of the IP-Adapters in home/ipadapters and of those of other programs; none on a public studio."""
        return self._beside.references.names()

    def vaes(self) -> tuple[str, ...]:
        """Names of the VAEs in home/vaes and in the person's folders; none on a public studio."""
        return self._beside.vaes.names()

    def refiners(self) -> tuple[str, ...]:
        """Names of the refiners in home/refiners, of the catalogue, and in the person's folders; none on a public
        studio."""
        return self._beside.refiners.names()

    def detectors(self) -> tuple[str, ...]:
        """Names of what finds faces and hands, in home/detectors; none on a public studio."""
        return self._beside.detectors.names()

    def prompts(self, limit: int = 50, task: Task = "image", field: str = "prompt") -> tuple[str, ...]:
        """A field's words for earlier pictures or pieces, newest first, each once; none on a public studio."""
        return () if self.settings.public else self.library.prompts(limit, task, field)

    def source(self, sha256: str) -> bytes | None:
        """What others were made from, by its hash; None where it is not here. Not on a public studio."""
        return self._sources.find(sha256)

    def _note_sources(self, request: Request, _: Job, artifact: Artifact | None, __: object) -> None:
        files = artifact.files if artifact is not None else ()
        self._sources.note(request, [self.library.id(file) for file in files])

    def _start(
        self, order: Order, asked: Asked, session: str, *, before: Callable[[], object] | None = None,
        final: Final | None = None,
    ) -> Job:  # fmt: skip
        request = order.plan.request
        for card in (order.card, *order.plan.cards):
            variants.require(card, self.catalog.get(card.base), self._fleet.room(card)[0])
        job = Job(
            request.task, order.title, model=order.card.id, plan=order.plan, session=session, tag=asked.tag,
            position=self.queue.position, on_cancel=self._runner.cancelled, previews=asked.previews, asked=asked,
        )  # fmt: skip
        if rules(request).sources(request):
            before, final = partial(self._sources.keep, request), partial(self._note_sources, request)
        self._runner.start(job, order.card, before, final)
        self._used.note(order.card.id)
        return job
