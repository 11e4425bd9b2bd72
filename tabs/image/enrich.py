"""A few words made into a full prompt by the chat model that is here; the person's own are one press away."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.requests import ChatRequest
from studio.tasks.chat import thoughts
from studio.tasks.image import enrich
from tabs.image import prompt_tools
from tabs.image.fields import Fields
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language


class Enriching:
    """The button below the prompt. Pressed while a model writes, it stops that."""

    def __init__(self, page: Page, fields: Fields) -> None:
        self._page, self._fields = page, fields
        self._writing: dict[str, Job] = {}
        self._lock = threading.Lock()

    def wire(self) -> None:
        fields, outputs = self._fields, [self._fields.enrich, self._fields.of["prompt"], self._fields.restored]
        asked = [fields.of["prompt"]]
        fields.enrich.click(self._press, asked, outputs, preprocess=False, **pumping())
        model = fields.of["model"]
        model.change(self._offered, model, fields.enrich, preprocess=False, **quick())
        self._page.localised(self._offered, model, fields.enrich, preprocess=False)

    def _offered(self, model: str | None, request: gr.Request) -> Any:
        """Not for weights that came with the studio: they know single things and no scenes."""
        try:
            source = prompt_tools.card(self._page, model).source
            wide = not (source.kind == "bundled" and source.path)  # stand-ins have no weights
        except StudioError:
            wide = False
        return gr.update(visible=wide, value=text("image.enrich", language(request)))

    def _press(self, prompt: str | None, request: gr.Request) -> Iterator[dict[Any, Any]]:
        who, spoken, fields = self._page.who(request), language(request), self._fields
        words = (prompt or "").strip()
        try:
            if (job := self._begun(words, request)) is None:
                return
        except StudioError as error:
            yield {fields.restored: job_progress.failure(error, spoken)}
            return
        told = html.escape(text("image.enriching", spoken, model=self._page.title(job.model, spoken)))
        yield {
            fields.enrich: gr.update(value=text("image.enrich_stop", spoken)), fields.restored: f"<p>{told}</p>"
        }  # fmt: skip
        try:
            *_, last = job.events()
        finally:
            with self._lock:
                self._writing.pop(who, None)
        changes: dict[Any, Any] = {fields.enrich: gr.update(value=text("image.enrich", spoken)), fields.restored: ""}
        if last.error is not None:
            changes[fields.restored] = job_progress.failure(last.error, spoken)
        elif last.kind == "cancelled":
            pass
        elif made := enrich.read(thoughts.split(last.artifact.text)[1] if last.artifact else "", words):
            changes[fields.of["prompt"]] = made
        else:
            changes[fields.restored] = job_progress.failure(StudioError("enrich_nothing"), spoken)
        yield changes

    def _begun(self, words: str, request: gr.Request) -> Job | None:
        """The job; None where this press stopped the one before."""
        with self._lock:
            if (job := self._writing.get(who := self._page.who(request))) is not None:
                job.cancel()
                return None
            self._writing[who] = job = self._page.begin(request, lambda who: self._start(words, who))
            return job

    def _start(self, words: str, who: str) -> Job:
        """Under a name of its own, so that the chat tab does not take it for an answer there."""
        if not words:
            raise StudioError("enrich_no_words")
        studio = self._page.studio
        card = studio.default_model("chat", ChatRequest(messages=()))
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in words)
        if chinese and "zh" not in card.languages:
            raise StudioError("enrich_language", model=card.title)
        return studio.submit(enrich.asked(words, "zh" if chinese else "en"), f"{who} words")
