"""The music tab: a prompt in, pieces out. Puts its parts together; each stands in a module of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio.jobs.asked import LATER
from studio.jobs.job import Job
from studio.requests import MusicRequest
from studio.results import Update
from tabs.music import presets, take_cards, taking_up
from tabs.music.fields import TASK, Fields, wanted_request
from tabs.music.input_audio import taken_sound
from tabs.music.recent import Recent
from tabs.music.result import Result
from tabs.music.take_cards import Take
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.earlier import walked
from tabs.shared.events import pumping, quick
from tabs.shared.lately import Lately
from tabs.shared.suggestions import Offers
from tabs.shared.widgets import later_button, queued_line, run_pair


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    public = page.studio.settings.public
    with gr.Row(elem_classes="a-frame"):
        with gr.Column(elem_classes="a-input", scale=38, elem_id="music-input"):
            fields = Fields(page)
            with gr.Row(elem_classes="a-run"):
                run, stop = run_pair(TASK, "music.run", page.stop(TASK))
                later = later_button(TASK)
            queued = queued_line(TASK)
            fields.settings()
        with gr.Column(elem_classes="a-result", scale=62):
            result = Result(page, fields)
            recent = None if page.studio.settings.public else Recent(page)
            Lately(page, TASK, result.beside, result.outputs, [result.shown])
    earlier = gr.HTML(elem_id="music-earlier", elem_classes="a-hidden")
    page.prompts[TASK] = fields.of["prompt"]
    outputs = [run, stop, later, queued, *result.outputs]

    def show(update: Update, spoken: str, before: tuple[Take, ...] = ()) -> dict[Any, Any]:
        buttons = job_progress.running(not update.final and not update.stopping)
        changes: dict[Any, Any] = dict(zip((run, stop), buttons, strict=True))
        changes[later] = buttons[1] if not public else gr.skip()  # nothing of strangers' is kept to come back to
        return {**changes, **({queued: ""} if update.final else {}), **result.show(update, spoken, before)}

    def ask(given: tuple[Any, ...]) -> MusicRequest:
        values = dict(zip(fields.of, given, strict=True))
        return wanted_request(values, taken_sound(page, values))

    def beside(request: gr.Request, *given: Any) -> str:
        start = lambda who: page.studio.submit(ask(given), who, LATER, previews=True)  # noqa: E731
        return "" if public else page.queue_up(TASK, start, request)

    def generate(request: gr.Request, before: tuple[Take, ...], *given: Any) -> Iterator[dict[Any, Any]]:
        def start(who: str) -> Job:
            return page.studio.submit(ask(given), who, previews=True)

        yield from page.drive(
            TASK, start, lambda update, spoken: show(update, spoken, before), result.progress, request
        )

    start: dict[str, Any] = {
        "fn": generate, "inputs": [result.shown, *fields.inputs], "outputs": outputs, **pumping()
    }  # fmt: skip
    later.click(beside, fields.inputs, queued, **quick())
    run.click(**start).then(lambda: walked(page, TASK), None, earlier, **quick())
    page.localised(lambda: walked(page, TASK), None, earlier)
    Offers(page, TASK, fields.picker, fields.of).wire(**start)
    page.attach(
        TASK, show, result.progress, outputs,
        lambda artifact, spoken: result.put(take_cards.takes(page, artifact), spoken),
    )  # fmt: skip
    fields.wire()
    result.wire()
    taking_up.register(page, fields, result)
    if fields.presets is not None:
        fields.presets.wire(presets.preset_form(page, fields))
    if recent is not None:
        recent.wire(result)
