"""Series in the image tab: rows of prompts, what they will come to before the run, and the rest of a stopped one."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.groups import Outlook
from studio.i18n import text
from studio.jobs.job import Job
from tabs.image import form, prompt_tools
from tabs.image.fields import TASK, Fields
from tabs.image.result import Result, Shown
from tabs.image.source import Drawing
from tabs.shared.context import Page, Show
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language, said

_TOLD_BY = (
    "series", "prompt", "negative_prompt", "model", "styles", "count", "seed", "steps", "shape", "width", "height",
    "hires_scale", "hires_strength", "x_field", "x_values", "y_field", "y_values", "z_field", "z_values",
)  # fmt: skip
"""The fields that decide how many pictures there will be, and how long they take."""
_SAME = ("negative_prompt", "styles", "seed")
"""Of these, those that have to be right and change nothing of that."""
_LONGEST = 120


def wire(page: Page, fields: Fields, result: Result) -> None:
    """The line under the rows follows what is typed, and how long pictures took."""
    asked = [fields.of[name] for name in _TOLD_BY]

    def follow(request: gr.Request, *values: Any) -> str:
        return line(page, dict(zip(_TOLD_BY, values, strict=True)), language(request))

    last: dict[str, Any] = quick() | {"trigger_mode": "always_last", "preprocess": False}
    changed = [fields.of[name].change for name in _TOLD_BY if name not in _SAME]
    gr.on([*changed, result.details.change], follow, asked, fields.series_line, **last)
    page.localised(follow, asked, fields.series_line, on_opening=False, preprocess=False)


def line(page: Page, values: Mapping[str, Any], spoken: str) -> str:
    """What a series will come to, as HTML; how one is written where there is none; what is wrong with it."""
    if not (values["series"] or "").strip():
        return said("image.series_help", "p")
    try:
        whole = {**form.EMPTY, **values}
        base = form.request(whole, prompt_tools.card(page, values["model"]), Drawing())
        sides = (form.axis(values[f"{side}_field"], values[f"{side}_values"]) for side in "xyz")
        x, y, z = [*filter(None, sides), None, None, None][:3]
        return f"<p>{html.escape(told(page.studio.groups.outlook(base, x, y, z, values['series']), spoken))}</p>"
    except StudioError as error:
        return f'<p class="a-warn">{html.escape(f"{error.what(spoken)} {error.next(spoken)}".strip())}</p>'


def told(found: Outlook, spoken: str) -> str:
    """How many pictures, in about what time, and the first of them."""
    first = " ".join(found.first.split())
    first = first if len(first) <= _LONGEST else first[: _LONGEST - 1].rstrip() + "…"
    words = text("image.series_one" if found.count == 1 else "image.series_count", spoken, count=found.count)
    if found.seconds is not None:
        words += text("image.series_time", spoken, time=_about(found.seconds, spoken))
    return f"{words}{text('image.series_first', spoken, prompt=first)}"


def _about(seconds: float, spoken: str) -> str:
    if seconds < 90:
        return text("image.series_seconds", spoken, count=max(round(seconds), 1))
    return text("image.series_minutes", spoken, count=round(seconds / 60))


def wire_rest(page: Page, result: Result, outputs: list[Any], show: Show) -> None:
    """The button that paints what a stopped group lacks."""

    def paint(shown: Shown | None, request: gr.Request) -> Any:
        if shown is not None:

            def start(who: str) -> Job:
                return page.studio.groups.go_on(page.studio.job(shown.job, who), who, previews=True)

            yield from page.drive(TASK, start, show, result.progress, request)

    result.rest.click(paint, result.shown, outputs, **pumping())
