"""Pieces that several tabs share: the model picker, the run/stop pair, the seed row, who is asking."""

from __future__ import annotations

import html
import math
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from studio.chats import Chats
from studio.errors import StudioError
from studio.i18n import text
from studio.jobs import Job
from studio.paths import gigabytes
from studio.service import ModelInfo, Studio
from studio.types import Artifact, Request, Task, Update
from tabs import pump
from tabs.guard import SESSION
from tabs.i18n import cookies, language, t

Show = Callable[[Update, str], dict[Any, Any]]
"""What a tab changes for an update, in a language: component -> value."""


@dataclass(slots=True)
class Page:
    """What the tabs of one page share while it is built, and how they look things up while it runs."""

    studio: Studio
    blocks: gr.Blocks
    cache: Path
    tabs: gr.Tabs | None = None
    pickers: list[ModelPicker] = field(default_factory=list)
    prompts: dict[Task, gr.Textbox] = field(default_factory=dict)
    pictures: dict[Task, gr.Image] = field(default_factory=dict)
    on_ready: list[Callable[[], object]] = field(default_factory=list)  # wiring that needs every tab to exist

    def who(self, request: gr.Request) -> str:
        """The browser that asks: its cookie, or the page's own id where cookies are blocked (a Space in a frame)."""
        return cookies(request).get(SESSION) or str(request.session_hash)

    def chats(self, request: gr.Request) -> Chats:
        """The conversations that this person may see: all on one's own machine, their own on a public studio."""
        if not self.studio.settings.public:
            return self.studio.chats
        folder = self.cache / "sessions" / _plain(self.who(request))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Chats(folder)

    def running(self, request: gr.Request, task: Task) -> Job | None:
        """The newest job of this browser for a tab, where it is not over yet."""
        jobs = [job for job in self.studio.jobs(self.who(request)) if job.task == task]
        return jobs[-1] if jobs and not jobs[-1].done else None

    def newest(self, job: Job) -> bool:
        """Whether the same browser has started nothing newer in the same tab."""
        jobs = [other for other in self.studio.jobs(job.session) if other.task == job.task]
        return not jobs or jobs[-1] is job

    def stop(self, task: Task) -> Callable[[gr.Request], None]:
        """The handler of a tab's Stop button."""

        def stop(request: gr.Request) -> None:
            if (job := self.running(request, task)) is not None:
                job.cancel()

        return stop

    def publish(self, file: Path) -> str:
        """A copy of an output under a name nobody can guess: every file in Gradio's cache can be read by its path."""
        folder = self.cache / "gradio" / secrets.token_hex(16)
        folder.mkdir(parents=True)
        return str(shutil.copy2(file, folder / file.name))

    def run(self, asked: Request, show: Show, progress: gr.HTML, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Submit a request and drive its tab until the end. A second press while one runs does nothing."""
        busy = self.running(request, asked.task)
        if busy is not None and not busy.cancelled:
            return
        try:
            job = self.studio.submit(asked, self.who(request))
        except StudioError as error:
            yield {progress: pump.failure(error, language(request))}
            return
        yield from self.follow(job, show, request)

    def attach(self, task: Task, show: Show, progress: gr.HTML) -> Callable[[gr.Request], Iterator[dict[Any, Any]]]:
        """The handler that lets a page opened again take up the job that runs, or show what was finished meanwhile."""

        def attach(request: gr.Request) -> Iterator[dict[Any, Any]]:
            jobs = [job for job in self.studio.jobs(self.who(request)) if job.task == task]
            if jobs:
                yield from self.follow(jobs[-1], show, request)
            else:
                yield {progress: gr.skip()}

        return attach

    def send_text(self, button: gr.Button, source: gr.Textbox, task: Task) -> None:
        """Let a button put a text into another tab's prompt and go there."""
        if self.tabs is not None and task in self.prompts:
            button.click(
                lambda words: (words, gr.Tabs(selected=task)), source, [self.prompts[task], self.tabs], **quick()
            )

    def follow(self, job: Job, show: Show, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Drive a tab from a job until it ends."""
        spoken = language(request)
        for update in pump.watch(job, lambda: not self.newest(job)):
            yield show(update, spoken)


class ModelPicker:
    """The list of a task's models, a line about the chosen one, and its download where it is not here yet."""

    def __init__(self, page: Page, task: Task) -> None:
        self._page, self.task = page, task
        page.pickers.append(self)
        choices, value = self.choices("en")
        with gr.Column(elem_classes="a-picker", min_width=0):
            self.list = gr.Dropdown(
                choices, value=value, label=t("page.model"), elem_id=f"{task}-model", filterable=False
            )
            self.about = gr.HTML(self.describe(value, "en"), elem_classes="a-about")
            with gr.Row(elem_classes="a-download", visible=False) as self.row:
                self.get = gr.Button(t("page.download"), size="sm", elem_id=f"{task}-download")
                self.cancel = gr.Button(t("page.cancel"), size="sm", visible=False)
            self.progress = gr.HTML(elem_classes="a-live")
        self.list.change(self._changed, self.list, [self.about, self.row], **quick())
        self.get.click(
            self._download, self.list, [self.progress, self.get, self.cancel, self.list, self.about, self.row],
            **pumping(),
        )  # fmt: skip
        self.cancel.click(self._stop, self.list, None, **quick())

    def choices(self, language: str) -> tuple[list[tuple[str, str]], str | None]:
        """(label, id) of every model, and the one to begin with."""
        models = self._page.studio.models(self.task)
        if not models:
            return [], None
        return [(_label(m, language), m.card.id) for m in models], self._page.studio.default_model(self.task).id

    def describe(self, model: str | None, language: str) -> str:
        """What the model is good for, its licence and whether it fits, as HTML."""
        if not model:
            return pump.note(text("error.no_model.what", language))
        card = (info := self._info(model)).card
        parts = [html.escape(card.summary.get(language) or card.summary.get("en", ""))]
        licence = html.escape(card.licence)
        if card.licence_url:
            url = html.escape(card.licence_url, quote=True)
            licence = f'<a href="{url}" target="_blank" rel="noopener noreferrer">{licence}</a>'
        use = "" if card.commercial else f" · {text('page.non_commercial', language)}"
        size = info.disk_bytes or card.disk_bytes
        facts = [f"{licence}{use}", gigabytes(size) if size > 1 else ""]
        if not info.fits:
            needed = gigabytes(max(card.memory_bytes, card.least_memory))
            facts.append(f'<b class="a-warn">{text("page.does_not_fit", language, needed=needed)}</b>')
        parts.append(" · ".join(filter(None, facts)))
        return "".join(f"<p>{part}</p>" for part in parts if part)

    def refresh(self, language: str, value: str | None = None) -> tuple[Any, Any, Any]:
        """Updates of list, line and download row, in a language, for what is on disk now."""
        choices, first = self.choices(language)
        value = value if any(id == value for _, id in choices) else first
        return gr.update(choices=choices, value=value), self.describe(value, language), self._row(value)

    def _info(self, model: str) -> ModelInfo:
        return next(info for info in self._page.studio.models(self.task) if info.card.id == model)

    def _row(self, model: str | None) -> Any:
        here = model is None or self._info(model).state == "ready"
        local = model is not None and self._info(model).card.source.kind in ("local", "bundled")
        return gr.update(visible=not here and not local)

    def _changed(self, model: str | None, request: gr.Request) -> tuple[str, Any]:
        return self.describe(model, language(request)), self._row(model)

    def _download(self, model: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        spoken = language(request)
        same = gr.skip()
        try:
            job = self._page.studio.download(model, self._page.who(request))
        except StudioError as error:
            yield pump.failure(error, spoken), same, same, same, same, same
            return
        for update in pump.watch(job):
            if update.final:
                break
            yield pump.progress(update, spoken), gr.update(visible=False), gr.update(visible=True), same, same, same
        last = job.snapshot()
        shown = pump.progress(last, spoken)
        yield shown, gr.update(visible=True), gr.update(visible=False), *self.refresh(spoken, model)

    def _stop(self, model: str) -> None:
        for job in self._page.studio.jobs():
            if job.task == "download" and job.model == model:
                job.cancel()


def run_row(task: Task, label: str, stop: Callable[[gr.Request], None]) -> tuple[gr.Button, gr.Button]:
    """The run and the stop button in one place; Ctrl/Cmd+Enter and Esc press them (assets/page/page.js)."""
    with gr.Row(elem_classes="a-run"):
        run = gr.Button(t(label), variant="primary", elem_id=f"{task}-run", elem_classes="a-run-button")
        halt = gr.Button(
            t("page.stop"), variant="stop", visible=False, elem_id=f"{task}-stop", elem_classes="a-stop-button"
        )
    halt.click(stop, None, None, **quick())
    return run, halt


def seed_row(task: Task) -> gr.Number:
    """The seed: empty means a new one each time; dice empties it."""
    with gr.Row(elem_classes="a-seed"):
        return gr.Number(
            None, label=t("label.seed"), info=t("help.seed"), precision=0, minimum=0, maximum=2**32 - 1,
            elem_id=f"{task}-seed", placeholder=t("page.random"),
        )  # fmt: skip


def examples(task: Task, target: gr.Textbox, keys: tuple[str, ...]) -> gr.Row:
    """Things to try that work on this machine now; a click fills the prompt."""
    with gr.Row(elem_classes="a-examples", elem_id=f"{task}-examples") as row:
        for key in keys:
            button = gr.Button(t(key), size="sm", elem_classes="a-example")
            button.click(_example(key), None, target, **quick())
    return row


def _example(key: str) -> Callable[[gr.Request], str]:
    def fill(request: gr.Request) -> str:
        return text(key, language(request))

    return fill


def made(artifact: Artifact, language: str) -> str:
    """The line under a result: its seeds, the model, the time it took and the licence."""
    recipe, model = artifact.recipe, artifact.recipe["model"]
    seeds = ", ".join(str(each["seed"]) for each in artifact.recipes)
    seconds = f"{recipe['seconds']:.1f}"
    line = text("page.made_with", language, model=model["title"], seconds=seconds, licence=model["licence"])
    return pump.note(f"{text('label.seed', language)} {seeds} · {line}")


def whole(value: float | None) -> int | None:
    """A number field's value as an integer; Gradio hands over floats."""
    return None if value is None or math.isnan(value) else int(value)


def quick() -> dict[str, Any]:
    """Event settings for what must never wait behind anything: Stop, lists, switches."""
    return {"queue": False, "show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}


def pumping(js: str | None = None) -> dict[str, Any]:
    """Event settings for handlers that follow a job. The studio orders jobs itself, so Gradio does not limit them."""
    return {
        "show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple",
        "concurrency_limit": None, "js": js,
    }  # fmt: skip


def _label(info: ModelInfo, language: str) -> str:
    size = info.disk_bytes or info.card.disk_bytes
    state = text(f"page.state_{info.state}", language)
    return " · ".join(filter(None, (info.card.title, gigabytes(size) if size > 1 else "", info.card.licence, state)))


def _plain(name: str) -> str:
    return "".join(c for c in name if c.isalnum())[:64] or "nobody"
