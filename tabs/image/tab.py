"""The image tab: a prompt in, pictures out. Puts its parts together; each stands in a module of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.jobs.asked import LATER
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.recipes import recipe
from studio.requests import UpscaleRequest
from studio.results import Update
from tabs.image import (
    detail,
    edge,
    like_this,
    lora_shelf,
    picks,
    presets,
    prompt_tools,
    reproduce,
    series,
    sketch,
    taking_up,
    unshowable,
    upscalers,
)
from tabs.image.compare import content
from tabs.image.enrich import Enriching
from tabs.image.fields import TASK, Fields
from tabs.image.form import shape, wanted_pictures
from tabs.image.import_settings import Restoring
from tabs.image.missing import Missing
from tabs.image.recent import Recent
from tabs.image.recommended import Recommended
from tabs.image.result import Result, Shown
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language, t
from tabs.shared.lately import Lately
from tabs.shared.suggestions import Offers
from tabs.shared.widgets import later_button, queued_line, run_pair


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    public = page.studio.settings.public
    with gr.Row(elem_classes="a-frame"):
        with gr.Column(elem_classes="a-input", scale=38, elem_id="image-input"):
            fields = Fields(page)
            fields.words()
            with gr.Row(elem_classes="a-run"):
                run, stop = run_pair(TASK, "image.run", page.stop(TASK))
                later = later_button(TASK)
                skip = gr.Button(t("image.skip"), visible=False, elem_id="image-skip", elem_classes="a-skip-button")
            queued = queued_line(TASK)
            switch = sketch.switch()
            recommended = Recommended()
            fields.settings()
        with gr.Column(elem_classes="a-result", scale=62):
            result = Result(page)
            recent = None if public else Recent(page)
            Lately(page, TASK, result.put, result.outputs)
    prompts = gr.HTML(elem_id="image-prompts", elem_classes="a-hidden")
    page.prompts[TASK] = fields.of["prompt"]
    missing = Missing(page, fields)
    restoring = Restoring(page, fields, missing)
    outputs = [run, stop, later, queued, skip, fields.edge_shown, *result.outputs]

    def show(update: Update, spoken: str) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), job_progress.running(on), strict=True))
        changes[later] = gr.update(visible=on and not public)  # nothing of strangers is kept for them to come back to
        changes |= {queued: ""} if update.final else {}
        changes[skip] = gr.update(visible=on and _several(page, update.job))
        return changes | result.show(update, spoken)

    def pressed(values: dict[Any, Any], request: gr.Request, event: gr.EventData) -> Iterator[dict[Any, Any]]:
        if event.target is fields.edge:
            yield {fields.edge_shown: _edge(page, fields.named(values), language(request))}
        elif getattr(event.target, "elem_id", "") == later.elem_id:  # another object once it was shown or hidden
            start = lambda who: _start(page, fields.named(values), who, LATER)  # noqa: E731
            yield {queued: "" if public else page.queue_up(TASK, start, request)}
        else:
            yield from generate(values, request)

    def generate(values: dict[Any, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
        yield from page.drive(TASK, lambda who: _start(page, fields.named(values), who), show, result.progress, request)

    def enlarge(
        shown: Shown | None, index: int, scale: int, upscaler: str | None, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        if shown is None:
            return

        made = shown.artifact.recipes[index]
        asked = UpscaleRequest(image=b"", scale=scale, model=upscaler or "")
        yield from larger(shown.files[index], made, asked, request)

    def larger(file: str, made: Any, asked: UpscaleRequest, request: gr.Request) -> Iterator[dict[Any, Any]]:
        def start(who: str) -> Job:  # a job that is over keeps no picture, but its tag says which file it was
            data = content(file)
            return page.studio.submit(replace(asked, image=data), who, file, keep=_as_it_was(page, data, made))

        yield from page.drive(TASK, start, show, result.progress, request)

    def enlarged_again(job: Job, changes: Mapping[str, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
        if isinstance(job.request, UpscaleRequest):
            made = job.plan.keep.origin if job.plan and job.plan.keep else None
            yield from larger(job.tag, made, replace(job.request, **changes), request)

    def after(model: str, prompt: str, negative: str, upscaler: str, request: gr.Request) -> dict[Any, Any]:
        # the first count of a fresh program may have given up while the library was being read
        spoken = language(request)
        counted = prompt_tools.token_line(page, model, prompt or "", spoken, negative or "")
        return {**prompt_tools.earlier(page, fields, prompts, spoken, upscaler), fields.tokens: counted}

    # Raw: the choices in some fields change while the page is open, and the studio checks every value. Gradio would
    # refuse what it did not know at the start, and open pictures before their size is known.
    start: dict[str, Any] = {
        "fn": generate, "inputs": fields.inputs, "outputs": outputs, "preprocess": False, **pumping()
    }  # fmt: skip
    Offers(
        page, TASK, fields.picker, fields.of, lambda changes, model: _sized(page, changes, model),
        lambda job: job.task == "upscale", enlarged_again,
    ).wire(**start)  # fmt: skip
    gr.on([run.click, fields.edge.click, later.click], **{**start, "fn": pressed}).then(
        after,
        [fields.of["model"], fields.of["prompt"], fields.of["negative_prompt"], fields.upscaler],
        [fields.history, prompts, fields.tokens],
        **quick(),
        preprocess=False,
    )
    picked = [result.shown, result.chosen]
    for button, scale in ((result.twice, 2), (result.four, 4)):
        button.click(enlarge, [*picked, gr.State(scale), fields.upscaler], outputs, preprocess=False, **pumping())
    result.clean_up.click(enlarge, [*picked, gr.State(1), fields.cleaner], outputs, preprocess=False, **pumping())
    upscalers.wire(page, fields.cleaner, result.clean_up)
    skip.click(_skip(page), None, None, **quick())
    page.attach(TASK, show, result.progress, outputs, result.put)
    fields.wire()
    taking_up.register(page, fields, result, restoring)
    sketch.wire(page, fields, switch)
    recommended.wire(page, fields)
    fields.editing.wire(lambda model: prompt_tools.card(page, model), fields.begin)
    if fields.references is not None:
        fields.references.wire()
    if fields.steering is not None:
        fields.steering.wire(fields.of["model"], lambda model: prompt_tools.card(page, model))
    prompt_tools.wire(page, fields, prompts)
    if not public:
        Enriching(page, fields).wire()
    result.wire(fields)
    reproduce.wire(page, result, outputs, show)
    like_this.wire(page, result, outputs, show)
    detail.wire(page, fields, result, outputs, show)
    picks.wire(page, fields, result, outputs, show)
    series.wire(page, fields, result)
    series.wire_rest(page, result, outputs, show)
    restoring.wire()
    missing.wire()
    unshowable.wire(page, fields)
    if not public:
        lora_shelf.wire(page, fields, missing)
    if fields.presets is not None:
        fields.presets.wire(presets.preset_form(page, fields, missing, result))
    if recent is not None:
        recent.wire(fields, result, restoring)


def _start(page: Page, values: Mapping[str, Any], who: str, tag: str = "") -> Job:
    """Submit what the fields ask for: one request, or a grid where an axis is named."""
    drawing = values["picture"]
    with page.bench.place() if drawing.picture else nullcontext():
        asked = wanted_pictures(values, prompt_tools.card(page, values["model"]), drawing)
    options: dict[str, Any] = {"keep": asked.keep, "previews": asked.previews, "tag": tag}
    if asked.x is not None or asked.series:
        return page.studio.submit_grid(
            asked.request, asked.x, asked.y, who, z=asked.z, series=asked.series, **options
        )  # fmt: skip
    return page.studio.submit(page.studio.easel.take(asked.request, who), who, **options)


def _edge(page: Page, values: Mapping[str, Any], spoken: str) -> str:
    """The mask's edge as HTML, or why it cannot be shown."""
    try:
        with page.bench.place():
            return edge.shown(page, values, prompt_tools.card(page, values["model"]), spoken)
    except StudioError as error:
        return job_progress.failure(error, spoken)


def _sized(page: Page, changes: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The shape and the sides for a size that is offered; the model's own where it is left to it."""
    if not changes.get("width") or not changes.get("height"):
        return {"shape": "", "width": "", "height": ""} if "width" in changes else {}
    return shape(changes["width"], changes["height"], page.studio.catalog.get(model))


def _several(page: Page, id: str) -> bool:
    """Whether a job makes more than one picture, so that one of them can be skipped."""
    try:
        job = page.studio.job(id)
    except StudioError:
        return False
    return len(job.requests) > 1 or getattr(job.request, "count", 1) > 1


def _skip(page: Page) -> Any:
    def skip(request: gr.Request) -> None:
        if (job := page.running(request, TASK)) is not None:
            job.skip()

    return skip


def _as_it_was(page: Page, data: bytes, made: Mapping[str, Any] | None) -> Keep | None:
    """How an enlarged picture is kept: what a person kept out of the picture's file stays out of the larger one's."""
    if made is None or recipe.read_recipe(data) is not None:
        return None
    return replace(page.studio.library.keep, metadata=False, origin=made)
