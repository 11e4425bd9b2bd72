"""Many pictures' result: the list with its captions, and what can be done with a run as a whole."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.results import Update
from studio.tasks.caption.export import as_jsonl, as_zip
from studio.tasks.caption.run import Run
from tabs.caption import rows
from tabs.caption.fields import NONE, TASK
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import PASSING

_SECONDS = 1.0
"""How often the list is drawn while captions are made: more would take from the browser what it needs to be used."""
_TYPED = "() => [atelier.typed()]"
_FETCH = "() => atelier.press('#caption-file')"


class Many:
    """The right column for many pictures."""

    def __init__(self, page: Page) -> None:
        self._page, self._rows = page, rows.Rows(page)
        self._drawn: dict[str, float] = {}
        self._typing = threading.Lock()  # a run has one writer; what is typed quickly waits its turn
        self.run, self.number = gr.State(""), gr.State(0)
        with gr.Column(min_width=0, visible=False, elem_classes="a-source") as self.column:
            self.recent = gr.Dropdown(
                [],
                value=None,
                label=t("caption.runs"),
                elem_id="caption-runs",
                filterable=False,
                visible=False,
                elem_classes=PASSING,
            )
            self.line = gr.HTML(elem_id="caption-run-line", elem_classes="a-live")
            with gr.Row(visible=False, elem_classes="a-send") as self.tools:
                self.apply = _button("apply", variant="primary")
                self.resume = _button("resume")
                self.zip = _button("zip")
                self.jsonl = _button("jsonl")
                self.roll_back = _button("roll_back")
            self.said = gr.HTML(elem_id="caption-said", elem_classes="a-live")
            self.left = gr.HTML(elem_id="caption-left", elem_classes="a-live")
            self.list = gr.HTML(elem_id="caption-list", elem_classes="a-live")
            with gr.Row(visible=False, elem_classes="a-send a-pager") as self.pager:
                self.back = _button("back")
                self.where = gr.HTML(elem_classes="a-under", min_width=0, elem_id="caption-where")
                self.on = _button("on")
            with gr.Column(elem_classes="a-empty") as self.empty:
                gr.Markdown(t("caption.empty_many"))
        self._typed = gr.Textbox(visible="hidden", elem_id="caption-typed", elem_classes="a-hidden")
        self._save = gr.Button(visible="hidden", elem_id="caption-save", elem_classes="a-hidden")
        self._file = gr.DownloadButton("", visible="hidden", elem_id="caption-file", elem_classes="a-hidden")

    @property
    def outputs(self) -> list[Any]:
        return [
            self.run, self.number, self.line, self.tools, self.apply, self.resume, self.roll_back, self.zip,
            self.jsonl, self.said, self.left, self.list, self.pager, self.back, self.on, self.where, self.empty,
            self.recent,
        ]  # fmt: skip

    def show(self, update: Update, run: Run, spoken: str) -> dict[Any, Any]:
        """What changes for an update of the job that works on a run."""
        if update.final:
            self._drawn.pop(update.job, None)
            changes = self.put(run, 0, spoken)
            changes[self.said] = job_progress.notes(update, spoken, ("captions_passed",))  # the list below counts them
            return changes
        if time.monotonic() - self._drawn.get(update.job, 0.0) < _SECONDS:
            return {}
        self._drawn[update.job] = time.monotonic()
        return {
            self.run: run.id,
            self.line: job_progress.note(rows.summary(run, spoken)),
            self.list: self._rows.draw(run, 0, spoken, busy=True),
            self.left: rows.left_out(run, spoken),
            self.tools: gr.update(visible=False),
            self.pager: gr.update(visible=False),
            self.empty: gr.update(visible=False),
            self.said: "",
        }

    def put(self, run: Run, number: int, spoken: str) -> dict[Any, Any]:
        """Show a run that nobody works on."""
        counts, pages = run.counts(), max(1, -(-len(run.plan.keys) // rows.ROWS))
        number = min(max(number, 0), pages - 1)
        open_, waiting = not run.rolled_back, counts.get("waiting", 0) + counts.get("failed", 0)
        return {
            self.run: run.id,
            self.number: number,
            self.line: job_progress.note(rows.summary(run, spoken)),
            self.list: self._rows.draw(run, number, spoken),
            self.left: rows.left_out(run, spoken),
            self.tools: gr.update(visible=True),
            self.apply: gr.update(visible=open_ and counts.get("planned", 0) > 0),
            self.resume: gr.update(visible=open_ and waiting > 0),
            self.roll_back: gr.update(visible=open_ and counts.get("written", 0) > 0),
            self.zip: gr.update(visible=True),
            self.jsonl: gr.update(visible=True),
            self.pager: gr.update(visible=pages > 1),
            self.back: gr.update(interactive=number > 0),
            self.on: gr.update(interactive=number < pages - 1),
            self.where: f"<p>{text('caption.page', spoken, number=number + 1, pages=pages)}</p>",
            self.empty: gr.update(visible=False),
            self.said: "",
        }

    def runs(self, shown: str, request: gr.Request) -> Any:
        """The list of earlier runs, which says the one that is `shown`; where none is, that one can be chosen."""
        spoken = language(request)
        choices = [(rows.entry(run, spoken), run.id) for run in self._desk(request).runs()]
        if shown not in (id for _, id in choices):
            shown, choices = NONE, [(text("caption.runs_choose", spoken), NONE), *choices]
        return gr.update(choices=choices, value=shown, visible=len(choices) > (shown == NONE))

    def wire(self) -> None:
        page = self._page
        raw: dict[str, Any] = quick() | {"preprocess": False}
        self.recent.input(self._open, self.recent, self.outputs, **raw)
        for button, step in ((self.back, -1), (self.on, 1)):
            button.click(self._turning(step), [self.run, self.number], self.outputs, **quick())
        self.apply.click(self._apply, [self.run, self.number], self.outputs, **quick())
        self.roll_back.click(self._roll_back, [self.run, self.number], self.outputs, **quick())
        for button, name in ((self.zip, "captions.zip"), (self.jsonl, "metadata.jsonl")):
            button.click(self._exporting(name), self.run, [self._file, self.said], **quick()).then(
                None, None, None, js=_FETCH, **quick()
            )
        self._save.click(self._saved, self._typed, self.said, js=_TYPED, **quick())
        page.localised(self.runs, self.run, self.recent)

    def _desk(self, request: gr.Request) -> Any:
        return self._page.captions(request)

    def _open(self, id: object, request: gr.Request) -> dict[Any, Any]:
        return self._done(id, 0, request, lambda _: "") if isinstance(id, str) and id else {}

    def _turning(self, step: int) -> Callable[[str, int, gr.Request], dict[Any, Any]]:
        def turn(id: str, number: int, request: gr.Request) -> dict[Any, Any]:
            return self._done(id, number + step, request, lambda _: "")

        return turn

    def _apply(self, id: str, number: int, request: gr.Request) -> dict[Any, Any]:
        def apply(run: Run) -> str:
            with run.working():
                lines = run.apply()
            done = sum(line.state == "written" for line in lines)
            return text("caption.applied", language(request), count=done, left=len(lines) - done)

        return self._done(id, number, request, apply)

    def _roll_back(self, id: str, number: int, request: gr.Request) -> dict[Any, Any]:
        def back(run: Run) -> str:
            with run.working():
                found = run.roll_back()
            words = text("caption.restored", language(request), count=found.restored)
            if found.kept:
                words += " " + text("caption.kept", language(request), names=", ".join(found.kept[:20]))
            return words

        return self._done(id, number, request, back)

    def _done(self, id: str, number: int, request: gr.Request, what: Callable[[Run], str]) -> dict[Any, Any]:
        """Do something with a run, and show how it stands then."""
        spoken = language(request)
        try:
            run = self._desk(request).open(id)
            if self._page.busy(request, TASK):
                raise StudioError("caption_run_busy")
            words = what(run)
        except StudioError as error:
            return {self.said: job_progress.failure(error, spoken)}
        changes = self.put(run, number, spoken)
        return {
            **changes,
            self.said: job_progress.note(words) if words else "",
            self.recent: self.runs(run.id, request),
        }

    def _exporting(self, name: str) -> Callable[[str, gr.Request], tuple[Any, Any]]:
        def export(id: str, request: gr.Request) -> tuple[Any, Any]:
            try:
                run = self._desk(request).open(id)
                target = self._page.spot(name)
                if name.endswith(".zip"):
                    as_zip(run, target)
                else:
                    target.write_text(as_jsonl(run), encoding="utf-8")
            except StudioError as error:
                return gr.skip(), job_progress.failure(error, language(request))
            return str(target), ""

        return export

    def _saved(self, typed: str, request: gr.Request) -> str:
        """Save what was typed into fields of the list: a JSON list of [run, picture, text]."""
        spoken = language(request)
        try:
            found = [(str(id), unquote(str(key)), str(words)) for id, key, words in json.loads(typed or "[]")]
            for id, key, words in found:
                with self._typing:
                    run = self._desk(request).open(id)
                    with run.working():
                        run.type(key, words)
            if not found:
                return ""
        except StudioError as error:
            return job_progress.failure(error, spoken)
        except (ValueError, TypeError):
            return ""
        return job_progress.note(text("caption.saved", spoken, picture=found[-1][1]))


def _button(name: str, **more: Any) -> gr.Button:
    return gr.Button(t(f"caption.{name}"), size="sm", min_width=0, elem_id=f"caption-{name.replace('_', '-')}", **more)
