"""More pictures like one that is there: the same again with other seeds, or relatives of it, near or far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.recipes import origins, reproduce
from studio.requests import ImageRequest
from tabs.image.compare import content, known
from tabs.image.fields import TASK
from tabs.image.result import Result, Shown
from tabs.shared.context import Page, Show
from tabs.shared.events import pumping

COUNT = 4
NEAR, FAR = (0.12, 0.4), (0.35, 0.65)
"""How much of the noise is another, and how far a picture may go from one that it began with."""


def wire(page: Page, result: Result, outputs: list[Any], show: Show) -> None:
    """What the three buttons below a picture do."""

    def more(how: tuple[float, float] | None) -> Callable[..., Iterator[dict[Any, Any]]]:
        def make(shown: Shown | None, index: int, request: gr.Request) -> Iterator[dict[Any, Any]]:
            if shown is None:
                return
            made, file = shown.artifact.recipes[index], shown.files[index]
            earlier = [artifact for job in page.jobs(request, TASK) if (artifact := job.snapshot().artifact)]

            def start(who: str) -> Job:
                asked = wanted(made, lambda: content(file), how, lambda hash: known(page, hash, earlier))
                return page.studio.submit(asked, who, previews=True)

            yield from page.drive(TASK, start, show, result.progress, request)

        return make

    for button, how in ((result.four_like, None), (result.near, NEAR), (result.far, FAR)):
        button.click(more(how), [result.shown, result.chosen], outputs, **pumping())


def wanted(
    made: Mapping[str, Any],
    picture: Callable[[], bytes],
    how: tuple[float, float] | None,
    source: Callable[[str], bytes | None],
) -> ImageRequest:
    """The request for COUNT pictures like the one with this recipe.

    Relatives share its noise where it was painted from words alone; else they begin with its pixels.

    Args:
        picture: the picture's file. how: shares as NEAR and FAR; None for other seeds and no kinship.
        source: what it was made from, by hash.

    Raises:
        StudioError: its recipe is no picture's, or what it began with is gone.
    """
    told = origins.painting(made)
    base = reproduce.request(told, source)
    if not isinstance(base, ImageRequest):
        raise StudioError("no_recipe")
    base = replace(base, count=COUNT, prompts=base.prompts[:1] * COUNT)
    if how is None:
        return replace(base, seed=None, variation=0.0, variation_seed=None)
    near, strength = how
    if base.image or base.variation:
        plain = replace(base, seed=None, variation=0.0, variation_seed=None, hires_scale=1.0)
        return replace(plain, image=picture(), mask=b"", strength=strength)
    return replace(base, variation=near, variation_seed=None)
