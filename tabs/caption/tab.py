"""The caption tab: a picture in, words out; or a folder, a zip or many pictures. Its parts stand beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.jobs.plans.caption_folder import CaptionFolder
from studio.recipes.embed_image import as_shown
from studio.requests import CaptionRequest
from studio.results import Update
from studio.tasks.caption.run import Run
from tabs.caption import presets, taking_up
from tabs.caption.fields import TASK, Fields, manner, wanted_request
from tabs.caption.folder import Many
from tabs.caption.result import Result
from tabs.shared import job_progress, uploaded
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language
from tabs.shared.lately import Lately
from tabs.shared.suggestions import Offers
from tabs.shared.widgets import heading, run_row


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    with gr.Row(elem_classes="a-frame"):
        with gr.Column(elem_classes="a-input", scale=38, elem_id="caption-input"):
            fields = Fields(page)
            run, stop = run_row(TASK, "caption.run", page.stop(TASK))
            fields.settings()
        with gr.Column(elem_classes="a-result", scale=62):
            heading(TASK)
            progress = gr.HTML(elem_id="caption-progress", elem_classes="a-live")
            result = Result(page)
            many = Many(page)
            Lately(page, TASK)
    page.pictures[TASK], page.many = fields.of["picture"], (fields.of["files"], fields.of["what"])
    due = gr.State(None)  # what the fields held for the first caption, where a second model is to make another
    outputs = [run, stop, progress, *result.outputs, *many.outputs]
    columns = [result.column, many.column]

    def show(update: Update, spoken: str, second: bool = False) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), job_progress.running(on), strict=True))
        plan = page.studio.job(update.job).plan
        if isinstance(plan, CaptionFolder):
            changes[progress] = job_progress.progress(update, spoken, "picture")
            return changes | many.show(update, plan.pictures, spoken)
        changes[progress] = job_progress.progress(update, spoken)
        return changes | result.show(update, spoken, second)

    def begin(values: dict[Any, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
        given = fields.named(values)
        yield {due: None}
        yield from (caption_all if given["what"] == "many" else caption)(given, request)

    def caption(given: dict[str, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
        another = given["other"] not in ("", None, given["model"])

        def wanted(picture: bytes) -> CaptionRequest:
            return wanted_request(given, picture, language=fields.language(given, request))

        def show_first(update: Update, spoken: str) -> dict[Any, Any]:
            return show(update, spoken) | {due: given if another and update.kind == "done" else None}

        yield from page.run(TASK, lambda: wanted(uploaded.read_upload(given["picture"])), show_first, progress, request)

    def beside(given: dict[str, Any] | None, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """The second model's caption, as an event of its own: of what one event says quickly one after another, the
        browser draws the last alone, and the first caption would be lost."""
        yield {due: None}  # before anything else: an event that says nothing at all empties what it might have changed
        if given is None:
            return

        def ask() -> CaptionRequest:
            asked = {**given, "count": 1, "model": given["other"]}
            return wanted_request(
                asked, uploaded.read_upload(given["picture"]), language=fields.language(asked, request)
            )

        yield from page.run(TASK, ask, lambda update, spoken: show(update, spoken, second=True), progress, request)

    def caption_all(given: dict[str, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
        if page.busy(request, TASK):
            return
        try:
            asked = wanted_request({**given, "count": 1}, language=fields.language(given, request))
            found = _run(page, given, request)
        except StudioError as error:
            yield {progress: job_progress.failure(error, language(request))}
            return
        yield from page.drive(TASK, lambda who: page.studio.caption_all(found, asked, who), show, progress, request)

    def go_on_with(job: Job, changes: Mapping[str, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
        yield from resume(job.tag, request, changes.get("model", ""))

    def resume(id: str, request: gr.Request, model: str = "") -> Iterator[dict[Any, Any]]:
        def go_on(who: str) -> Any:
            return page.studio.caption_all(page.captions(request).open(id), CaptionRequest(image=b"", model=model), who)

        yield from page.drive(TASK, go_on, show, progress, request)

    def unseen(file: str | None, request: gr.Request) -> dict[Any, Any]:
        """A picture dropped here that the browser cannot show becomes one that it can."""
        try:
            shown = page.offer(as_shown(uploaded.read_upload(file)), "picture.png")
        except StudioError as error:
            return {progress: job_progress.failure(error, language(request)), fields.unseen: None}
        return {progress: "", fields.unseen: None, fields.of["picture"]: shown}

    def attach(left: str, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """A page opened again takes up what runs, and shows the side that it belongs to."""
        jobs = page.jobs(request, TASK)
        if jobs and _of_many(jobs[-1]):
            yield {fields.of["what"]: "many", **_sides(columns, True)}
        yield from page.take_up(TASK, show, progress, request, left)

    # Raw: the studio measures a picture before anybody opens it, and Gradio would open it before any handler runs.
    start: dict[str, Any] = {
        "fn": begin, "inputs": fields.inputs, "outputs": [*outputs, due], "preprocess": False, **pumping()
    }  # fmt: skip
    offers = Offers(page, TASK, fields.picker, fields.of, None, _of_many, go_on_with)
    for first in (run.click(**start), offers.wire(**start)):
        second = first.then(beside, due, [*outputs, due], **pumping())
        second.then(many.runs, many.run, many.recent, **quick())
    many.resume.click(resume, many.run, outputs, **pumping()).then(many.runs, many.run, many.recent, **quick())
    fields.of["what"].change(lambda what: _sides(columns, what == "many"), fields.of["what"], columns, **quick())
    page.on_opening(TASK, attach, [*outputs, *columns, fields.of["what"]])
    fields.wire()
    fields.unseen.upload(unseen, fields.unseen, [progress, fields.unseen, fields.of["picture"]], **quick())
    result.wire(fields)
    taking_up.register(page, fields, result)
    many.wire()
    if fields.presets is not None:
        fields.presets.wire(presets.preset_form(page, fields))


def _of_many(job: Job) -> bool:
    return isinstance(job.plan, CaptionFolder)


def _sides(columns: list[Any], many: bool) -> dict[Any, Any]:
    return {columns[0]: gr.update(visible=not many), columns[1]: gr.update(visible=many)}


def _run(page: Page, given: dict[str, Any], request: gr.Request) -> Run:
    """A new run over what was sent, or over a folder of this machine where that is allowed.

    Raises:
        StudioError: there is nothing to caption, or it cannot be read.
    """
    desk, how = page.captions(request), manner(given)
    if files := [file for one in _listed(given["files"]) if (file := uploaded.path(one))]:
        if page.studio.settings.public:
            page.require_room()
        with page.bench.place():
            return desk.of_files(files, how)
    typed = (given["folder"] or "").strip()
    if not typed:
        raise StudioError("empty", field="field.pictures")
    if page.studio.settings.profile != "local":
        raise StudioError("not_for_public")
    return desk.of_folder(Path(typed), how)


def _listed(files: Any) -> list[Any]:
    """What a field for several files sends; a program may send one alone."""
    return files if isinstance(files, list) else [files] if files else []
