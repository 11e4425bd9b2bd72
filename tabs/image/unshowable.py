"""A picture that the browser cannot show: read here and put into its field as one that it can, or refused aloud.

The script of the page hands such files over (assets/page/fields.js); the field would stay empty without a word.
"""

from __future__ import annotations

import io
from typing import Any

import gradio as gr
from PIL.PngImagePlugin import PngInfo

from studio.errors import StudioError
from studio.media.image import decode
from studio.recipes import inspect
from tabs.image.fields import Fields, queued
from tabs.image.import_settings import Restoring
from tabs.image.result import editor
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.i18n import language


def wire(page: Page, fields: Fields) -> None:
    """What is handed over becomes the picture in the editor."""

    def take(file: str | None, request: gr.Request) -> dict[Any, Any]:
        if not file:
            return {fields.start_line: ""}
        try:
            shown = editor(page.offer(shown_as(Restoring.content(file)), "start.png"), "")
        except StudioError as error:
            return {fields.start_line: job_progress.failure(error, language(request)), fields.other: None}
        return {fields.start_line: "", fields.other: None, **fields.started(shown)}

    fields.other.upload(take, fields.other, [fields.start_line, fields.other, fields.begin], **queued())
    fields.picture.upload(lambda: "", None, fields.start_line, **queued())


def shown_as(data: bytes) -> bytes:
    """The same picture as a PNG, with the settings that it carries. Raises StudioError as media.decode."""
    told, origin, out = PngInfo(), inspect.origin(data), io.BytesIO()
    if origin is not None and isinstance(text := origin.get("parameters"), str):
        told.add_itxt("parameters", text)
    decode(data).image.save(out, "PNG", compress_level=1, pnginfo=told)
    return out.getvalue()
