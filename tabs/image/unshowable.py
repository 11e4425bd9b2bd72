"""A picture that the browser cannot show: read here and put into its field as one that it can, or refused aloud.

The script of the page hands such files over (assets/page/fields.js); the field would stay empty without a word.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.recipes.embed_image import as_shown
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
            shown = editor(page.offer(as_shown(Restoring.content(file)), "start.png"), "")
        except StudioError as error:
            return {fields.start_line: job_progress.failure(error, language(request)), fields.other: None}
        return {fields.start_line: "", fields.other: None, **fields.started(shown)}

    fields.other.upload(take, fields.other, [fields.start_line, fields.other, fields.begin], **queued())
    fields.picture.upload(lambda: "", None, fields.start_line, **queued())
