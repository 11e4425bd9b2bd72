"""Context of a page, shared by its tabs: who is asking, which job is theirs, and how a job drives a tab."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from studio.catalog import variants
from studio.errors import StudioError
from studio.i18n import text
from studio.jobs import turns
from studio.jobs.asked import LATER
from studio.jobs.job import Job
from studio.library.chats import Chats
from studio.paths import disk_error
from studio.requests import Request, Task
from studio.results import Artifact, Update
from studio.service import Studio
from studio.tasks.caption.runs import Desk, forget
from tabs.shared import identity, job_progress
from tabs.shared.events import crossing, pumping, quick
from tabs.shared.failing import explained
from tabs.shared.i18n import cookies, language
from tabs.shared.presses import Bench, Presses, Shares
from tabs.shared.taking import Taker
from tabs.shared.thumbnails import Thumbnails

Show = Callable[[Update, str], dict[Any, Any]]
"""What a tab changes for an update, in a language: component -> value."""
TAB_OF = {"upscale": "image"}
"""Tasks that have no tab of their own, and the one in which they run."""
_MOST_STANDING = 100
"""Outputs that a tab shows again at most."""
_STRANGERS_KEEP = 3600.0
"""Seconds that a public studio keeps what somebody sent to be captioned, after it was last worked on."""


def chats_of(studio: Studio, who: str) -> Chats:
    """The conversations of a visitor to a public studio. Whoever asks for them is there: they are kept for longer."""
    folder = studio.instance.sessions / identity.folder(who)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(folder)
    return Chats(folder)


@dataclass(slots=True)
class Page:
    """What the tabs of one page share while it is built, and how they look things up while it runs."""

    studio: Studio
    blocks: gr.Blocks
    tabs: gr.Tabs | None = None
    prompts: dict[Task, gr.Textbox] = field(default_factory=dict)
    pictures: dict[Task, gr.Image] = field(default_factory=dict)
    many: tuple[Any, Any] | None = None  # where the caption tab takes many pictures, and what says that it does
    restart: Callable[[], None] | None = None  # starts the whole studio again, where that can be done
    presses: Presses = field(default_factory=Presses)
    bench: Bench = field(default_factory=Bench)  # where what was sent is decoded, before a job is accepted
    on_ready: list[Callable[[], object]] = field(default_factory=list)  # wiring that needs every tab to exist
    takers: list[Taker] = field(default_factory=list)  # what the tabs take up of the library
    recalled: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # what follows it, by tab
    thumbnails: Thumbnails = field(init=False)
    shares: Shares = field(init=False)  # of all jobs, for one address of the open internet

    def __post_init__(self) -> None:
        settings = self.studio.settings
        self.thumbnails = Thumbnails(self.offer)
        self.shares = Shares(settings.max_queue, settings.max_jobs_per_session)

    def after_recall(self, task: Task, **event: Any) -> None:
        """Have something done once a tab's fields are as the person left them (tabs.shell.remember)."""
        self.recalled.setdefault(task, []).append(event)

    def who(self, request: gr.Request) -> str:
        """Who asks: the browser, the page where cookies are blocked, or a program by its session (`identity`)."""
        return self._named(request) or f"session {request.session_hash}"

    def title(self, model: str, language: str) -> str:
        """What people call a model or a variant of one."""
        card = self.studio.catalog.find(model)
        return variants.title(card, language) if card else model

    def chats(self, request: gr.Request) -> Chats:
        """The conversations that this person may see: all on one's own machine, their own on a public studio."""
        return chats_of(self.studio, self.who(request)) if self.studio.settings.public else self.studio.chats

    def captions(self, request: gr.Request) -> Desk:
        """The runs over many pictures that this person may see, as with `chats`."""
        if not self.studio.settings.public:
            return self.studio.captions
        sessions, settings = self.studio.instance.sessions, self.studio.settings
        forget(sessions.glob("*/captions/*"), _STRANGERS_KEEP)
        folder = sessions / identity.folder(self.who(request)) / "captions"
        return Desk(folder, public=True, keep_free=int(settings.keep_free_gb * 1e9))

    def running(self, request: gr.Request, task: Task) -> Job | None:
        """The newest job of this browser for a tab, where it is not over yet."""
        jobs = self.jobs(request, task)
        return jobs[-1] if jobs and not jobs[-1].done else None

    def jobs(self, request: gr.Request, task: Task) -> list[Job]:
        """This browser's jobs in a tab, oldest first, without what was put into the queue beside them."""
        return _shown(self.studio.jobs(self.who(request)), task)

    def newest(self, job: Job) -> bool:
        """Whether the same browser has started nothing newer in the same tab."""
        jobs = _shown(self.studio.jobs(job.session), _tab(job))
        return not jobs or jobs[-1] is job

    def stop(self, task: Task) -> Callable[[gr.Request], None]:
        """The handler of a tab's Stop button."""

        def stop(request: gr.Request) -> None:
            if (job := self.running(request, task)) is not None:
                job.cancel()

        return stop

    def ids(self, artifact: Artifact) -> list[str]:
        """What the files of an artifact are called in the library; none where strangers' are not kept."""
        if self.studio.settings.public:
            return []
        return [self.studio.library.id(file) for file in artifact.files]

    def require_room(self) -> None:
        """Raises StudioError strangers_full where what strangers have sent takes all that there is for it."""
        self.studio.strangers.require()

    def publish(self, file: Path) -> str:
        """A copy of an output under a name nobody can guess: every file in Gradio's cache can be read by its path."""
        target = self.spot(file.name)
        shutil.copyfile(file, target)
        return str(target)

    def offer(self, data: bytes, name: str) -> str:
        """As `publish`, for what is in no file yet."""
        file = self.spot(name)
        try:
            file.write_bytes(data)
        except OSError as error:
            shutil.rmtree(file.parent, ignore_errors=True)
            raise disk_error(error, file) from error
        return str(file)

    def spot(self, name: str) -> Path:
        """As `publish`, for a file that is about to be written."""
        folder = self.studio.instance.shown / secrets.token_hex(16)
        folder.mkdir(parents=True)
        return folder / name

    def run(
        self, task: Task, ask: Callable[[], Request], show: Show, progress: gr.HTML, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        """Submit what `ask` puts together and drive the tab to the end. A second press while one runs does nothing."""
        yield from self.drive(task, lambda who: self.studio.submit(ask(), who), show, progress, request)

    def drive(
        self, task: Task, start: Callable[[str], Job], show: Show, progress: gr.HTML, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        """As `run`, where `start` submits for who asks."""
        try:
            with self.press(request, task) as free:
                if not free:
                    return
                job = self.begin(request, start)
        except StudioError as error:
            yield {progress: job_progress.failure(error, language(request))}
            return
        yield from self.follow(job, show, progress, request)

    def queue_up(self, task: Task, start: Callable[[str], Job], request: gr.Request) -> str:
        """Put what `start` submits (tagged LATER) into the queue, while a job of the tab runs; what is said of it, as
        HTML."""
        spoken = language(request)
        try:
            with self.presses.of(self.who(request), f"{task}-later") as mine:
                if not mine:
                    return ""
                job = self.begin(request, start)
        except StudioError as error:
            return job_progress.failure(error, spoken)
        return job_progress.note(text("page.queued", spoken, title=job.title))

    @contextmanager
    def press(self, request: gr.Request, task: Task) -> Iterator[bool]:
        """Hold a tab's run button for a browser: whether it is free, with no press of it held and no job running."""
        with self.presses.of(self.who(request), task) as mine:
            yield mine and not self.busy(request, task)

    def begin(self, request: gr.Request, start: Callable[[str], Job]) -> Job:
        """The job that `start` submits for who asks. On a public studio an address has a share of all jobs.

        Raises:
            StudioError: too_many_jobs, or what `start` raises.
        """
        who = self.who(request)
        if not self.studio.settings.public:
            return start(who)
        where = identity.address(getattr(getattr(request, "request", None), "scope", {}), proxied=True)
        name = self._named(request)
        with self.shares.of(where, bool(name), self.studio.jobs()) as started, turns.asking(where, name):
            started.append(job := start(who))
        return job

    def _named(self, request: gr.Request) -> str:
        return identity.named(cookies(request), getattr(request, "headers", None) or {})

    def busy(self, request: gr.Request, task: Task) -> bool:
        """Whether a job of this browser runs in a tab and was not told to stop. `press` asks it too."""
        job = self.running(request, task)
        return job is not None and not job.cancelled

    def localised(
        self, handler: Callable[..., Any], inputs: Any, outputs: Any, *, on_opening: bool = True, idle: bool = False,
        **event: Any,
    ) -> None:  # fmt: skip
        """Have texts that the server writes written when the page is opened and when its language changes.

        Args:
            on_opening: False where something else already sees to the first time.
            idle: in another language only where no job runs in the tab: what follows that job goes on following it.
            event: settings of the event; by default those of `quick`.
        """
        again = gr.Button(visible="hidden", elem_classes=f"a-hidden a-localised{'-idle' if idle else ''}")
        for trigger in (again.click, self.blocks.load) if on_opening else (again.click,):
            trigger(handler, inputs, outputs, **(quick() | event))

    def attach(
        self, task: Task, show: Show, progress: gr.HTML, outputs: list[Any],
        put: Callable[[Artifact, str], dict[Any, Any]] | None = None,
    ) -> None:  # fmt: skip
        """Let a page opened again take up the job that runs, or show what was finished meanwhile.

        Where this studio knows of none, the results that stood there stand there again, and a job that ended with an
        earlier studio is named.

        Args:
            put: what shows an artifact of the library, in a language; None where results are not kept there.
        """

        def attach(left: str, request: gr.Request) -> Iterator[dict[Any, Any]]:
            yield from self.take_up(task, show, progress, request, left, put)

        self.on_opening(task, attach, outputs)

    def on_opening(self, task: Task, handler: Callable[..., Any], outputs: list[Any]) -> None:
        """Have `handler` told what stood in a tab when it was left, as the browser says it (`take_up`)."""
        left = gr.Textbox(visible="hidden", elem_classes="a-hidden")
        event = pumping(js=f"() => atelier.stood({task!r})")
        self.localised(handler, left, outputs, idle=True, **event)

    def take_up(
        self, task: Task, show: Show, progress: gr.HTML, request: gr.Request, left: str,
        put: Callable[[Artifact, str], dict[Any, Any]] | None = None,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        """What `attach` does."""
        if jobs := self.jobs(request, task):
            yield from self.follow(jobs[-1], show, progress, request)
            return
        spoken, (ids, job) = language(request), standing(left)
        found = self.studio.library.named(ids) if put is not None and not self.studio.settings.public else None
        changes: dict[Any, Any] = put(found, spoken) if put is not None and found is not None else {}
        ended = job in self.studio.instance.interrupted
        yield {**changes, progress: job_progress.interrupted(spoken) if ended else gr.skip()}

    def send_text(self, button: gr.Button, source: gr.Textbox, task: Task) -> None:
        """Let a button put a text into another tab's prompt and go there."""
        if self.tabs is not None and task in self.prompts:
            button.click(
                lambda words: (words, gr.Tabs(selected=task)), source, [self.prompts[task], self.tabs], **crossing(task)
            )

    def follow(self, job: Job, show: Show, progress: gr.HTML, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Drive a tab from a job until it ends. An update that cannot be shown, for want of disk space perhaps, does
        not take the later ones along: the last one shows the buttons again."""
        spoken = language(request)
        for update in job_progress.watch(job, lambda: not self.newest(job)):
            try:
                changes = show(update, spoken)
            except (StudioError, OSError) as error:
                if not update.final:
                    continue
                bare = replace(update, artifact=None, previews={})
                changes = show(bare, spoken) | {progress: job_progress.failure(explained(error), spoken)}
            yield changes


def standing(left: str) -> tuple[list[str], str]:
    """What a browser says that stood in a tab: ids of outputs, and of the job that ran last."""
    try:
        said = json.loads(left or "{}")
        ids = [str(id)[:1000] for id in said.get("made") or ()][:_MOST_STANDING]
        return ids, str(said.get("job") or "")
    except (ValueError, TypeError, AttributeError):
        return [], ""


def _shown(jobs: Iterable[Job], tab: str) -> list[Job]:
    """Those that a tab follows."""
    return [job for job in jobs if _tab(job) == tab and job.tag != LATER]


def _tab(job: Job) -> str:
    return TAB_OF.get(job.task, job.task)
