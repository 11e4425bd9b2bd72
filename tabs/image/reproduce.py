"""Reproduction of a picture from its recipe, and whether it came out the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.media.image import check_image
from studio.recipes import recipe, reproduce
from studio.recipes.reproduce import Comparison
from studio.requests import ImageRequest, UpscaleRequest
from studio.results import Artifact
from tabs.image.compare import content, known
from tabs.image.fields import TASK
from tabs.image.result import Result, Shown
from tabs.shared import job_progress
from tabs.shared.context import Page, Show
from tabs.shared.events import pumping
from tabs.shared.i18n import language

_SHOWN = 4  # differences that are named


def wire(page: Page, result: Result, outputs: list[Any], show: Show) -> None:
    """What the button below a picture does."""

    def make(shown: Shown | None, index: int, request: gr.Request) -> Iterator[dict[Any, Any]]:
        if shown is None:
            return
        before, file = shown.artifact.recipes[index], shown.files[index]
        earlier = [artifact for job in page.jobs(request, TASK) if (artifact := job.snapshot().artifact)]
        started: list[Job] = []

        def start(who: str) -> Job:
            wanted = reproduce.request(before, lambda hash: known(page, hash, earlier))
            data = content(file)
            keep = Keep("", reproduce.picture_format(data), recipe.read_recipe(data) is not None, before.get("origin"))
            started.append(page.studio.submit(wanted, who, _file(page, wanted), keep=keep))
            return started[-1]

        for changes in page.drive(TASK, start, show, result.progress, request):
            artifact = started[-1].snapshot().artifact if started else None
            if artifact is not None and result.shown in changes:  # one update: of two at once the page may lose one
                yield changes | _told(result, page, file, before, artifact, language(request))
            else:
                yield changes

    result.again.click(make, [result.shown, result.chosen], outputs, **pumping())


def _file(page: Page, wanted: ImageRequest | UpscaleRequest) -> str:
    """The picture that is enlarged as a file, for offers to find it (tabs.image.tab)."""
    if not isinstance(wanted, UpscaleRequest):
        return ""
    return page.offer(wanted.image, f"picture.{check_image(wanted.image)[0].lower()}")


def _told(
    result: Result, page: Page, file: str, before: dict[str, Any], artifact: Artifact, spoken: str
) -> dict[Any, Any]:
    """What the comparison says, with both pictures side by side where they differ."""
    try:
        data = artifact.files[0].read_bytes()
        found = reproduce.compare(content(file), before, data, artifact.recipes[0])
    except (StudioError, OSError) as error:
        known = error if isinstance(error, StudioError) else StudioError("file_not_found", path=Path(file).name)
        return {result.note: job_progress.failure(known, spoken)}
    changes: dict[Any, Any] = {result.note: job_progress.note(sentence(found, spoken))}
    if not found.same and found.sizes[0] == found.sizes[1]:
        changes[result.slider] = gr.update(value=(file, page.publish(artifact.files[0])), visible=True)
    return changes


def sentence(found: Comparison, spoken: str) -> str:
    """The comparison in words."""
    if found.same:
        return text("image.again_same", spoken)
    share = text("image.again_other", spoken, share=f"{max(found.share * 100, 0.01):.3g}", largest=found.largest)
    if not found.differences:
        return f"{share} {text('image.again_unknown', spoken)}"
    named = "; ".join(f"{each.what}: {each.before} → {each.now}" for each in found.differences[:_SHOWN])
    return f"{share} {text('image.again_because', spoken, what=named)}"
