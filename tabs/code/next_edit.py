"""The next edit: a button for models that were made to tell it, and what the browser asks (assets/page/edits.js)."""

from __future__ import annotations

from typing import Any

import gradio as gr
from starlette.responses import JSONResponse, Response

from studio.errors import StudioError
from studio.request_parts import CodeEdit
from studio.service import Studio
from studio.tasks.code.next_edit import window
from tabs.code import as_typed, fields, review
from tabs.shared.asker import Asker, table_of
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import t

_MOST = 5
"""Changes that are told of."""


def button(page: Page, model: Any) -> None:
    """The button, which is there for such models."""
    for key in ("code.edit_title", "code.edit_none", "code.edit_first", "code.edit_busy"):
        t(key)
    part = gr.Button(t("code.next_edit"), size="lg", elem_id="code-next-edit", visible=_offered(page, ""))

    def shown(chosen: str) -> Any:
        return gr.update(visible=_offered(page, chosen))

    event: dict[str, Any] = {"fn": shown, "inputs": model, "outputs": part, "preprocess": False, **quick()}
    model.change(**event)
    page.after_recall(fields.TASK, **event)
    part.click(None, None, None, js="() => window.atelier.edits.ask()", **quick())


def _offered(page: Page, model: str) -> bool:
    card = page.studio.catalog.find(model) if model else page.studio.default_model(fields.TASK)
    return card is not None and bool(card.options.get("next_edit"))


def answer(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """Lines of the text and what they will be; nothing where others are at work.

    Raises:
        StudioError: bad_message, a bad value, a model that tells no edits.
    """
    before, after, name, values, listed = table_of(message, before=str, after=str, name=str, fields=dict, edits=list)
    edits = tuple(CodeEdit(*table_of(one, name=str, before=str, after=str)) for one in listed[:_MOST])
    if not edits:
        raise StudioError("bad_message")
    asked = fields.request(as_typed.named(values), before, after, name, edits)
    written = studio.scribe.next_edit(asked, asker.who, asker.place)
    if written is None:
        return None
    lines = window(before, after)
    return JSONResponse(
        {"start": lines.start, "end": lines.end, **review.shown(lines.text, written.text)},
        headers={"Cache-Control": "no-store"},
    )
