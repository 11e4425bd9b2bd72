"""Picks of a result: the pictures that are ticked, varied, enlarged or captioned in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.recipes import recipe
from studio.requests import ImageRequest, UpscaleRequest
from tabs.image.compare import content, known
from tabs.image.fields import TASK, Fields
from tabs.image.like_this import COUNT, NEAR, wanted
from tabs.image.pick_strip import PICKED, picked
from tabs.image.result import Result, Shown
from tabs.shared import job_progress
from tabs.shared.context import Page, Show
from tabs.shared.events import crossing, pumping
from tabs.shared.i18n import language

_SENT = "(_, ...rest) => atelier.opened('caption', [atelier.picks(), ...rest])"
Start = Callable[[Shown, list[int], str], Job]


def wire(page: Page, fields: Fields, result: Result, outputs: list[Any], show: Show) -> None:
    """What the buttons below the strip do."""
    strip = result.picks

    def go(said: str, shown: Shown | None, request: gr.Request, start: Start) -> Iterator[dict[Any, Any]]:
        def begin(who: str) -> Job:
            places = picked(said, len(shown.files) if shown is not None else 0)
            assert shown is not None  # else nothing is picked
            return start(shown, places, who)

        yield from page.drive(TASK, begin, show, result.progress, request)

    def vary(said: str, shown: Shown | None, request: gr.Request) -> Iterator[dict[Any, Any]]:
        def start(shown: Shown, places: list[int], who: str) -> Job:
            earlier = [artifact for job in page.jobs(request, TASK) if (artifact := job.snapshot().artifact)]
            asked: list[ImageRequest] = []
            for place in places:
                made, file = shown.artifact.recipes[place], shown.files[place]
                base = wanted(made, partial(content, file), NEAR, lambda hash: known(page, hash, earlier))
                asked += [replace(base, count=1, prompts=base.prompts[:1])] * COUNT
            return page.studio.groups.several(asked, who, previews=True)

        yield from go(said, shown, request, start)

    def enlarge(
        said: str, shown: Shown | None, upscaler: str | None, scale: int, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        def start(shown: Shown, places: list[int], who: str) -> Job:
            files = [content(shown.files[place]) for place in places]
            asked = [UpscaleRequest(image=data, scale=scale, model=upscaler or "") for data in files]
            return page.studio.groups.several(asked, who, keep=_as_they_were(page, files))

        yield from go(said, shown, request, start)

    ticked = [strip.said, result.shown]
    how: dict[str, Any] = pumping(js=PICKED) | {"preprocess": False}
    strip.vary.click(vary, ticked, outputs, **how)
    for button, scale in ((strip.twice, 2), (strip.four, 4)):
        button.click(enlarge, [*ticked, fields.upscaler, gr.State(scale)], outputs, **how)
    page.on_ready.append(lambda: _to_captions(page, result))


def _to_captions(page: Page, result: Result) -> None:
    """The pictures that are ticked go into the caption tab's list of many."""
    if page.tabs is None or page.many is None:
        return

    def send(said: str, shown: Shown | None, request: gr.Request) -> tuple[Any, ...]:
        try:
            places = picked(said, len(shown.files) if shown is not None else 0)
        except StudioError as error:
            return gr.skip(), gr.skip(), gr.skip(), job_progress.failure(error, language(request))
        assert shown is not None
        return [shown.files[place] for place in places], "many", gr.Tabs(selected="caption"), ""

    outputs = [*page.many, page.tabs, result.picks.told]
    result.picks.caption.click(
        send, [result.picks.said, result.shown], outputs, **{**crossing("caption"), "js": _SENT}
    )  # fmt: skip


def _as_they_were(page: Page, files: Sequence[bytes]) -> Keep | None:
    """How enlarged pictures are kept: what a person kept out of one of them stays out of all."""
    if all(recipe.read_recipe(data) is not None for data in files):
        return None
    return replace(page.studio.library.keep, metadata=False)
