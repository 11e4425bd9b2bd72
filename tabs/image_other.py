"""A picture to start from that the browser cannot show: read here and put into the editor, or refused aloud.

The script of the page hands such files over (assets/page/fields.js); the editor itself would stay empty without a word.
"""

from __future__ import annotations

import io
from typing import Any

import gradio as gr

from studio import media
from studio.errors import StudioError
from tabs import pump
from tabs.i18n import language
from tabs.image_fields import Fields, queued
from tabs.image_restore import Restoring
from tabs.image_result import editor
from tabs.shared import Page


def wire(page: Page, fields: Fields) -> None:
    """What is handed over becomes the picture in the editor."""

    def take(file: str | None, request: gr.Request) -> dict[Any, Any]:
        if not file:
            return {fields.start_line: ""}
        try:
            picture = media.decode(Restoring.content(file)).image
        except StudioError as error:
            return {fields.start_line: pump.failure(error, language(request)), fields.other: None}
        shown = editor(page.offer(_png(picture), "start.png"), "")
        return {fields.start_line: "", fields.other: None, **fields.started(shown)}

    fields.other.upload(take, fields.other, [fields.start_line, fields.other, fields.begin], **queued())
    fields.picture.upload(lambda: "", None, fields.start_line, **queued())


def _png(picture: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
