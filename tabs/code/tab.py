"""The code tab: an editor across the page; the suggestion appears at the cursor, selected, and Tab keeps it.

The editor is Gradio's own (CodeMirror); assets/page/editor.js reads the cursor and puts the text in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from studio.i18n import text
from studio.jobs.job import Job
from studio.requests import CodeRequest
from studio.results import Artifact, Update
from studio.tasks.code.languages import spelled
from tabs.code import as_typed, next_edit, presets, project, review
from tabs.code.fields import EMPTY, PLAIN, TASK, Fields, coloured
from tabs.code.fields import request as wanted_request
from tabs.shared import job_progress, preset_row
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import said, t
from tabs.shared.suggestions import Offers
from tabs.shared.widgets import fold, menu, run_row

EXAMPLE = '''def fibonacci(n: int) -> int:
    """Return the n-th Fibonacci number."""'''
NO_LANGUAGE = "-"
"""What our script calls a text of no language."""
_AROUND = "(_b, _a, _p, ...rest) => [...window.atelier.editor.aroundCursor({}), ...rest]"


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    fields, local = Fields(page), project.offered(page.studio.settings)
    with gr.Column(elem_classes="a-code"):
        with gr.Row(elem_classes="a-code-top"):
            fields.picker.place()
            fields.language()
        with gr.Row(elem_classes="a-code-main"):
            if local:
                with gr.Column(elem_classes="a-code-side", min_width=0):
                    project.side()
            with gr.Column(elem_classes="a-code-desk", min_width=0):
                if local:
                    project.bar()
                editor = gr.Code(
                    EXAMPLE, language="python", label=t("code.editor"), lines=18, max_lines=28, elem_id="code-editor",
                    interactive=True, buttons=["copy", "download"],
                )  # fmt: skip
                review.panel()
        progress = gr.HTML(elem_id="code-progress", elem_classes="a-live")
        with gr.Row(elem_classes="a-code-run"):
            run, stop = run_row(TASK, "code.run", page.stop(TASK))
            gr.HTML(_choices(), elem_id="code-choices")
            # Seen while the editor shows a suggestion: the style sheet asks the editor's script.
            accept = gr.Button(t("code.accept"), size="lg", elem_id="code-accept")
            discard = gr.Button(t("code.discard"), size="lg", elem_id="code-discard")
            next_edit.button(page, fields.picker.list)
            with menu("code-ask", "code.ask"):
                review.wishes()
            as_typed.switch(page.studio)
            gr.HTML(said("code.leave", "p", "a-note"), elem_id="code-leave")
        gr.HTML(as_typed.slow(), elem_id="code-slow")
        with fold("code-more", "page.more"):
            with gr.Row():
                fields.count()
                fields.more()
        row = preset_row.place(page, TASK)
        with fold("code-beside", "label.other_files"):
            gr.HTML(said("help.other_files", "p", "a-note"))
            fields.files()
        with fold("code-prompt", "code.exact_prompt"):
            look = gr.Button(t("code.show_prompt"), size="sm", elem_id="code-show-prompt", elem_classes="a-short")
            told = gr.HTML(elem_id="code-prompt-told", elem_classes="a-live")
            prompt = gr.Textbox(
                "", label=t("code.exact_prompt"), lines=6, max_lines=24, interactive=False, buttons=["copy"],
                elem_id="code-exact", visible="hidden",
            )  # fmt: skip
    # Filled by the browser when Run is pressed: the text on both sides of the cursor, and what the file is called.
    around = [gr.Textbox(visible="hidden", elem_id=f"code-{name}") for name in ("prefix", "suffix", "path")]
    # Read by the browser while the suggestion grows.
    suggestion = gr.Textbox(visible="hidden", elem_id="code-suggestion")
    place = gr.Textbox(visible="hidden", elem_id="code-place")
    opened = gr.Textbox(visible="hidden", elem_classes="a-hidden")
    open_ = gr.Button(visible="hidden", elem_id="code-open", elem_classes="a-hidden")
    outputs = [run, stop, progress, suggestion, told, prompt]

    def show(update: Update, spoken: str) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), job_progress.running(on), strict=True))
        changes[progress] = job_progress.progress(update, spoken)
        job = page.studio.job(update.job)
        if _asked(job).only_prompt:
            return changes | (_prompt(update.artifact, spoken) if update.artifact else {})
        written = ""
        if update.text or update.final:
            written = job.snapshot().text
            changes[suggestion] = _news(update, written)
        if update.artifact is not None:
            changes[progress] = _done(update, written, spoken) + job_progress.notes(update, spoken)
        elif update.final and written:
            changes[progress] += _keys(spoken)
        return changes

    def _prompt(artifact: Artifact, spoken: str) -> dict[Any, Any]:
        """The exact prompt, and above it how long it is and what was cut."""
        lines = [text("code.prompt_tokens", spoken, count=round(artifact.stats.get("prompt_tokens", 0)))]
        lines += [text(f"note.{key}", spoken, **params) for key, params in artifact.notes]
        note = "".join(job_progress.note(line) for line in lines)
        return {told: note, prompt: gr.update(value=artifact.prompt, visible=True)}

    def attach(left: str, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """A page that was opened again shows the run that goes on, and the suggestion that came meanwhile."""
        jobs = page.jobs(request, TASK)
        if jobs and not (asked := _asked(jobs[-1])).only_prompt:
            # The editor shows the suggestion where its text is still this.
            yield {place: json.dumps({"id": jobs[-1].id, "before": asked.prefix, "after": asked.suffix})}
        yield from page.take_up(TASK, show, progress, request, left)

    def asked_for(given: tuple[Any, ...]) -> CodeRequest:
        before, after, name, *values = given
        return wanted_request(dict(zip(EMPTY, values, strict=True)), before or "", after or "", name or "")

    def complete(*given: Any) -> Iterator[dict[Any, Any]]:
        *values, request = given
        yield from page.run(TASK, lambda: asked_for(tuple(values)), show, progress, request)

    def read(*given: Any) -> Iterator[dict[Any, Any]]:
        *values, request = given
        start = lambda who: page.studio.exact_prompt(asked_for(tuple(values)), who)  # noqa: E731
        yield from page.drive(TASK, start, show, progress, request)

    def event(fn: Callable[..., Any], js: str) -> dict[str, Any]:
        # Raw: the studio looks at files itself before anybody opens them.
        return {
            "fn": _with_request(fn), "inputs": [*around, *fields.inputs], "outputs": outputs, "preprocess": False,
            **pumping(js=js),
        }  # fmt: skip

    start = event(complete, _AROUND.format("true"))
    run.click(**start)
    look.click(**event(read, _AROUND.format("false")))
    of = {name: part for name, part in fields.of.items() if name in ("max_tokens", "model")}
    Offers(page, TASK, fields.picker, of).wire(**start)
    suggestion.change(None, suggestion, None, js="(news) => window.atelier.editor.suggest(news)")
    place.change(None, place, None, js="(told) => window.atelier.editor.place(told)")
    accept.click(None, None, None, js="() => window.atelier.editor.accept()", **quick())
    discard.click(None, None, None, js="() => window.atelier.editor.discard()", **quick())
    syntax = fields.of["language"]
    open_.click(_language, opened, syntax, js="() => window.atelier.editor.wanted()", **quick())
    syntax.change(lambda name: gr.update(language=coloured(name)), syntax, editor, **quick())
    syntax.change(
        None, syntax, None, js=f"(name) => window.atelier.editor.colour(!{list(PLAIN)}.includes(name))", **quick()
    )
    if row is not None:
        row.wire(presets.preset_form(page, fields))
    page.on_opening(TASK, attach, [*outputs, place])


def _with_request(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A handler of all the tab's values, as Gradio wants it: it looks for the request among the named arguments."""

    def handler(request: gr.Request, *values: Any) -> Any:
        yield from fn(*values, request)

    return handler


def _asked(job: Job) -> CodeRequest:
    assert isinstance(job.request, CodeRequest)
    return job.request


def _news(update: Update, written: str) -> str:
    """What the browser is told of a run: the suggestion so far, and at its end all that there are to choose from."""
    candidates = update.artifact.candidates if update.artifact else ()
    choices = [{"text": one.text, "parses": one.parses} for one in candidates]
    best = choices[0]["text"] if choices else written
    return json.dumps({"id": update.job, "text": best, "choices": choices})


def _choices() -> str:
    """Which of several completions is shown; the script fills it."""
    for key in ("code.choice", "code.before", "code.next", "code.parses", "code.parses_not"):
        t(key)
    return (
        '<div class="a-choices" role="group" hidden><button type="button" data-step="-1">‹</button>'
        '<span class="a-choice-count" role="status"></span><button type="button" data-step="1">›</button>'
        '<span class="a-choice-mark"></span></div>'
    )


def _language(said: object) -> Any:
    """The language of code that was brought here; the one that is chosen where it is not known."""
    word = said if isinstance(said, str) else ""
    if word.strip() == NO_LANGUAGE:
        return ""
    return spelled(word) or gr.skip()


def _done(update: Update, written: str, spoken: str) -> str:
    """What came, how fast, and which keys decide about it."""
    if not written.strip() and not (update.artifact and update.artifact.text.strip()):
        return job_progress.note(text("code.nothing", spoken))
    stats = update.artifact.stats if update.artifact else {}
    rate = round(stats.get("tokens_per_second", 0))
    return _keys(spoken) + job_progress.note(text("code.rate", spoken, count=round(stats.get("tokens", 0)), rate=rate))


def _keys(spoken: str) -> str:
    """Seen while the editor shows a suggestion."""
    return f'<div class="a-code-keys">{job_progress.note(text("code.done", spoken))}</div>'
