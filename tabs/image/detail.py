"""Faces and hands of a picture painted again with one press, and the fields that say by which detector and how far."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.recipes import origins, reproduce
from studio.request_parts import Detail
from studio.requests import ImageRequest
from tabs.image import form
from tabs.image.compare import content, known
from tabs.image.fields import TASK, Fields
from tabs.image.result import Result, Shown
from tabs.shared.context import Page, Show
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language

_NAME = "image-detail-name"


def wire(page: Page, fields: Fields, result: Result, outputs: list[Any], show: Show) -> None:
    """The list is filled when the page opens, and the button paints."""
    named = ("detail_name", "detail_strength", "detail_prompt", "detail_confidence")
    chosen, *more = (fields.of[name] for name in named)
    shown = [chosen, fields.detail_folder, fields.detail_part]

    def lists(value: Any, request: gr.Request) -> tuple[Any, ...]:
        names = page.studio.detectors()
        value = value if isinstance(value, str) and value else next(iter(names), "")
        where = text("image.detail_none", language(request), folder=page.studio.home.detectors)
        line = "" if names or page.studio.settings.public else f"<p>{html.escape(where)}</p>"
        missing = [(value, value)] if value and value not in names else []
        choices = [("–", ""), *((name, name) for name in names), *missing]
        return gr.update(choices=choices, value=value), line, gr.update(visible=len(choices) > 1)

    left: dict[str, Any] = {"js": f"(now) => atelier.left('image', ['{_NAME}'], [now])", **quick()}
    page.localised(lists, [chosen], shown, on_opening=False, preprocess=False)
    page.after_recall(TASK, fn=lists, inputs=[chosen], outputs=shown, preprocess=False, **left)

    def make(request: gr.Request, shown: Shown | None, index: int, *values: Any) -> Iterator[dict[Any, Any]]:
        if shown is None:
            return
        made, file = shown.artifact.recipes[index], shown.files[index]
        earlier = [artifact for job in page.jobs(request, TASK) if (artifact := job.snapshot().artifact)]

        def start(who: str) -> Job:
            details = form.details({"detail_on": True, **dict(zip(named, values, strict=True))})
            if not details:
                folder = str(page.studio.home.detectors)
                raise StudioError("no_detector", name="detector", path=folder, known="–")
            asked = wanted(made, lambda: content(file), details, lambda hash: known(page, hash, earlier))
            return page.studio.submit(asked, who, previews=True)

        yield from page.drive(TASK, start, show, result.progress, request)

    result.redetail.click(
        make, [result.shown, result.chosen, chosen, *more], outputs, preprocess=False, **pumping()
    )  # fmt: skip


def wanted(
    made: Mapping[str, Any],
    picture: Callable[[], bytes],
    details: Sequence[Detail],
    source: Callable[[str], bytes | None],
) -> ImageRequest:
    """The request that paints details of the picture with this recipe, and nothing else of it.

    Args:
        picture: the picture's file. source: what it was made from, by hash.

    Raises:
        StudioError: its recipe is no picture's, or what it began with is gone.
    """
    base = reproduce.request(origins.painting(made), source)
    if not isinstance(base, ImageRequest):
        raise StudioError("no_recipe")
    return replace(
        base, image=picture(), mask=b"", strength=0.0, masked_only=False, width=None, height=None, count=1,
        prompts=base.prompts[:1], variation=0.0, variation_seed=None, hires_scale=1.0, seamless="", controls=(),
        details=tuple(details),
    )  # fmt: skip
