"""Completions as one types: the switch, and what the browser asks (assets/page/typed.js)."""

from __future__ import annotations

from typing import Any

import gradio as gr
from starlette.responses import JSONResponse, Response

from studio.i18n import text
from studio.service import Studio
from tabs.code import fields
from tabs.shared.asker import Asker, table_of
from tabs.shared.i18n import said, t


def switch(studio: Studio) -> gr.Checkbox:
    """The switch; on at first where there is more than a processor, which would write too slowly."""
    quick = studio.device.kind != "cpu"
    return gr.Checkbox(quick, label=t("code.as_typed"), elem_id="code-as-typed", container=False, min_width=0)


def slow() -> str:
    """Lines that say why it was switched off, and why nothing comes."""
    off = f'<p class="a-note a-typed-slow" hidden>{said("code.as_typed_slow")}</p>'
    return f'{off}<p class="a-note a-typed-why" role="status" hidden></p>'


def answer(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """A completion for a message of the browser's, or why there is none; nothing where it gave way.

    Raises:
        StudioError: bad_message, a bad value, an unknown model.
    """
    before, after, path, values = table_of(message, before=str, after=str, name=str, fields=dict)
    if not before.strip():
        return None
    asked = fields.request(named(values), before, after, path)
    if not studio.scribe.there(asked):
        return JSONResponse({"why": text("code.as_typed_unloaded", asker.language)})
    written = studio.scribe.write(asked, asker.who, asker.place)
    if written is None:
        return None
    found = {"text": written.text, "seconds": round(written.seconds, 3)}
    return JSONResponse(found, headers={"Cache-Control": "no-store"})


def named(sent: dict[str, Any]) -> dict[str, Any]:
    """The fields by the request's names, from the names that they have on the page.

    Raises:
        StudioError: bad_message, where one is of another kind than its field.
    """
    known = {f"code-{name.replace('_', '-')}": name for name in fields.EMPTY}
    given = {known[id]: value for id, value in sent.items() if id in known}
    names = [*fields.EMPTY]
    kinds = {name: type(empty) for name, empty in fields.EMPTY.items()}
    found = table_of(given, **kinds)
    return {name: found[at] for at, name in enumerate(names) if given.get(name) is not None}
