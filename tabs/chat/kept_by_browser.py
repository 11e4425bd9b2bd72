"""Conversations of visitors, kept by their browsers: what the page's script says and hears (assets/page/visits.js).

    {"have": {id: stamp, …}}                          {"missing": [id], "gone": [id], "changed": [{…}], "more": false,
                                                       "told": ["…"]}
    {"give": {"path": …}}   an upload: {id: JSON}      {"here": {id: stamp}, "refused": [id]}

Only on a public studio: on one's own machine, and among people who know each other, conversations are files.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
from starlette.responses import JSONResponse, Response

from studio.errors import StudioError
from studio.i18n import text
from studio.library import visitors
from studio.library.chats import Chats
from studio.service import Studio
from tabs.shared import uploaded
from tabs.shared.asker import Asker, table_of
from tabs.shared.context import chats_of
from tabs.shared.i18n import said, t

UPLOAD_BYTES = 12_000_000
"""Of the conversations that come back at once."""
_SAID = ("chat.kept_not", "chat.kept_full", "chat.kept_lost")
"""What the script says."""


def note() -> None:
    """The line that tells a visitor where conversations are, by which the script knows that it has something to do."""
    for key in _SAID:
        t(key)
    gr.HTML(
        f'<p class="a-note">{said("chat.kept_here")}</p><p class="a-note a-warn" role="status" data-kept-told></p>',
        elem_id="chat-kept", elem_classes="a-live",
    )  # fmt: skip


def answer(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """What the script is answered. Raises StudioError: bad_message, not_uploaded, strangers_full."""
    if not studio.settings.public:
        return Response(status_code=404)
    have, given = table_of(message, have=dict, give=dict)
    store = chats_of(studio, asker.who)
    found = _taken_in(studio, store, given) if given else _compared(store, have, asker.language)
    return JSONResponse(found, headers={"Cache-Control": "no-store"})


def _compared(store: Chats, have: dict[Any, Any], spoken: str) -> dict[str, Any]:
    known = {str(id): str(stamp) for id, stamp in have.items()}
    found = visitors.compare(store, known)
    large = [one.title for one in found.changed if not one.file]
    told = [text("chat.kept_large", spoken, title=_titles(large, spoken))] if large else []
    if found.left_out:
        count, titles = len(found.left_out), _titles(found.left_out, spoken)
        told.append(text("chat.kept_crowded", spoken, count=count, titles=titles))
    return {
        "missing": found.missing, "gone": found.gone, "more": found.more, "told": told,
        "changed": [
            {"id": one.id, "stamp": one.stamp, "updated": one.updated, "file": one.file} for one in found.changed
        ],
    }  # fmt: skip


def _taken_in(studio: Studio, store: Chats, given: dict[str, Any]) -> dict[str, Any]:
    studio.strangers.require()
    try:
        files = json.loads(uploaded.read_upload(given, UPLOAD_BYTES))
    except (ValueError, RecursionError):
        raise StudioError("bad_message") from None
    if not isinstance(files, dict) or len(files) > visitors.MOST:
        raise StudioError("bad_message")
    refused = [
        id for id, file in files.items() if not (isinstance(file, str) and visitors.take_in(store, str(id), file))
    ]
    stamps = store.stamps()
    return {"here": {id: stamps[id] for id in files if id in stamps}, "refused": refused}


def _titles(titles: Any, spoken: str) -> str:
    """The first few of them."""
    return ", ".join(f"“{title or text('chat.untitled', spoken)}”" for title in list(titles)[:3])
