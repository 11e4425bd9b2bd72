"""The code tab: an editor across the page; the suggestion appears at the cursor, selected, and Tab keeps it.

The editor is Gradio's own (CodeMirror); assets/page/editor.js reads the cursor and puts the text in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio.i18n import text
from studio.requests import CodeRequest
from studio.results import Update
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import said, t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.suggestions import Offers
from tabs.shared.widgets import number, read_number, read_whole, run_row, seed_row

TASK = "code"
LANGUAGES = (
    "python", "javascript", "typescript", "html", "css", "json", "markdown", "shell", "sql", "c", "cpp", "r", "yaml",
    "dockerfile", "latex",
)  # fmt: skip
SPELLED = {
    "py": "python", "python3": "python", "js": "javascript", "jsx": "javascript", "ts": "typescript",
    "tsx": "typescript", "sh": "shell", "bash": "shell", "zsh": "shell", "console": "shell", "c++": "cpp", "cc": "cpp",
    "h": "c", "yml": "yaml", "md": "markdown", "tex": "latex", "htm": "html", "docker": "dockerfile",
}  # fmt: skip
"""How people and models also write them."""
EXAMPLE = '''def fibonacci(n: int) -> int:
    """Return the n-th Fibonacci number."""'''


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    with gr.Column(elem_classes="a-code"):
        with gr.Row(elem_classes="a-code-top"):
            picker = ModelPicker(page, TASK)
            picker.place()
            syntax = gr.Dropdown(
                [(name, name) for name in LANGUAGES], value="python", label=t("label.language"), min_width=140,
                elem_id="code-language", filterable=False, scale=0,
            )  # fmt: skip
        editor = gr.Code(
            EXAMPLE, language="python", label=t("code.editor"), lines=18, max_lines=28, elem_id="code-editor",
            interactive=True, buttons=["copy", "download"],
        )  # fmt: skip
        progress = gr.HTML(elem_id="code-progress", elem_classes="a-live")
        with gr.Row(elem_classes="a-code-run"):
            run, stop = run_row(TASK, "code.run", page.stop(TASK))
            # Seen while the editor shows a suggestion: the style sheet asks the editor's script.
            accept = gr.Button(t("code.accept"), size="lg", elem_id="code-accept")
            discard = gr.Button(t("code.discard"), size="lg", elem_id="code-discard")
            gr.HTML(said("code.leave", "p", "a-note"), elem_id="code-leave")
        with gr.Accordion(t("page.more"), open=False, elem_classes="a-more", elem_id="code-more"):
            with gr.Row():
                middle = gr.Checkbox(
                    True, label=t("label.fill_in_middle"), info=t("help.fill_in_middle"), elem_id="code-fill-in-middle"
                )
                max_tokens = number(TASK, "max_tokens")
                temperature = number(TASK, "temperature")
                seed = seed_row(TASK)
    # Filled by the browser when Run is pressed: the text on both sides of the cursor.
    prefix = gr.Textbox(visible="hidden", elem_id="code-prefix")
    suffix = gr.Textbox(visible="hidden", elem_id="code-suffix")
    # Read by the browser while the suggestion grows.
    suggestion = gr.Textbox(visible="hidden", elem_id="code-suggestion")
    place = gr.Textbox(visible="hidden", elem_id="code-place")
    opened = gr.Textbox(visible="hidden", elem_classes="a-hidden")
    open_ = gr.Button(visible="hidden", elem_id="code-open", elem_classes="a-hidden")
    outputs = [run, stop, progress, suggestion]

    def show(update: Update, spoken: str) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), job_progress.running(on), strict=True))
        changes[progress] = job_progress.progress(update, spoken)
        written = ""
        if update.text or update.final:
            written = page.studio.job(update.job).snapshot().text
            changes[suggestion] = f"{update.job}\n{written}"  # the same words from another run are news too
        if update.artifact is not None:
            changes[progress] = _done(update, written, spoken) + job_progress.notes(update, spoken)
        elif update.final and written:
            changes[progress] += _keys(spoken)
        return changes

    def attach(left: str, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """A page that was opened again shows the run that goes on, and the suggestion that came meanwhile."""
        jobs = page.jobs(request, TASK)
        if jobs and isinstance(asked := jobs[-1].request, CodeRequest):
            # The editor shows the suggestion where its text is still this.
            yield {place: json.dumps({"id": jobs[-1].id, "before": asked.prefix, "after": asked.suffix})}
        yield from page.take_up(TASK, show, progress, request, left)

    def complete(
        before: str, after: str, model: str, syntax: str, middle: bool, max_tokens: str,
        temperature: str, seed: str, request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        def ask() -> CodeRequest:
            return CodeRequest(
                prefix=before, suffix=after, model=model or "", language=syntax, fill_in_middle=middle,
                max_tokens=read_whole("max_tokens", max_tokens), temperature=read_number("temperature", temperature),
                seed=read_whole("seed", seed),
            )  # fmt: skip

        yield from page.run(TASK, ask, show, progress, request)

    inputs = [prefix, suffix, picker.list, syntax, middle, max_tokens, temperature, seed]
    start: dict[str, Any] = {
        "fn": complete, "inputs": inputs, "outputs": outputs,
        **pumping(js="(_p, _s, ...rest) => [...window.atelier.editor.aroundCursor(), ...rest]"),
    }  # fmt: skip
    run.click(**start)
    Offers(page, TASK, picker, {"max_tokens": max_tokens}).wire(**start)
    suggestion.change(None, suggestion, None, js="(news) => window.atelier.editor.suggest(news)")
    place.change(None, place, None, js="(told) => window.atelier.editor.place(told)")
    accept.click(None, None, None, js="() => window.atelier.editor.accept()", **quick())
    discard.click(None, None, None, js="() => window.atelier.editor.discard()", **quick())
    open_.click(_language, opened, syntax, js="() => window.atelier.editor.wanted()", **quick())
    syntax.change(lambda name: gr.Code(language=name), syntax, editor, **quick())
    page.on_opening(TASK, attach, [*outputs, place])


def _language(said: object) -> Any:
    """The language of code that was brought here; the one that is chosen where it is not known."""
    name = said.strip().lower() if isinstance(said, str) else ""
    name = SPELLED.get(name, name)
    return name if name in LANGUAGES else gr.skip()


def _done(update: Update, written: str, spoken: str) -> str:
    """What came, how fast, and which keys decide about it."""
    if not written.strip():
        return job_progress.note(text("code.nothing", spoken))
    stats = update.artifact.stats if update.artifact else {}
    rate = round(stats.get("tokens_per_second", 0))
    return _keys(spoken) + job_progress.note(text("code.rate", spoken, count=round(stats.get("tokens", 0)), rate=rate))


def _keys(spoken: str) -> str:
    """Seen while the editor shows a suggestion."""
    return f'<div class="a-code-keys">{job_progress.note(text("code.done", spoken))}</div>'
