"""Choice of what the buttons below a picture enlarge it with, where there is more than one thing to choose.

Networks that keep the size (against noise, traces of JPEG, softness) are a list of their own: they clean up.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.i18n import text
from studio.requests import UpscaleRequest
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t


def place(page: Page) -> gr.Dropdown:
    """The list, as it is now. Its value is the id of a model; "" leaves it to the studio."""
    ready = _ready(page, "en")
    return gr.Dropdown(
        [(t("page.auto"), ""), *ready], value="", label=t("label.upscaler"), info=t("help.upscaler"), filterable=False,
        elem_id="image-upscaler", min_width=120, visible=len(ready) > 1,
    )  # fmt: skip


def place_cleaners(page: Page) -> gr.Dropdown:
    """The list of what cleans up, as `place`."""
    ready = _ready(page, "en", keeping=True)
    return gr.Dropdown(
        [(t("page.auto"), ""), *ready], value="", label=t("label.cleaner"), info=t("help.cleaner"), filterable=False,
        elem_id="image-cleaner", min_width=120, visible=len(ready) > 1,
    )  # fmt: skip


def wire(page: Page, cleaner: gr.Dropdown, button: gr.Button) -> None:
    """The list of what cleans up, and the button that does, come with the networks that are on disk."""

    def lists(request: gr.Request) -> tuple[Any, Any]:
        spoken = language(request)
        ready = _ready(page, spoken, keeping=True)
        choices = [(text("page.auto", spoken), ""), *ready]
        return gr.update(choices=choices, visible=len(ready) > 1), gr.update(visible=bool(ready))

    page.after_recall("image", fn=lists, inputs=None, outputs=[cleaner, button], preprocess=False, **quick())
    page.localised(lists, None, [cleaner, button], on_opening=False, preprocess=False)


def listed(page: Page, spoken: str) -> Any:
    """The update of the list for what is on disk now, in a language."""
    ready = _ready(page, spoken)
    return gr.update(choices=[(text("page.auto", spoken), ""), *ready], visible=len(ready) > 1)


def named(page: Page, chosen: str, scale: int, spoken: str) -> str:
    """What the chosen one is called; where none is, or it is gone, the one that the studio takes for this scale."""
    if chosen and page.studio.catalog.find(chosen):
        return page.title(chosen, spoken)
    return page.title(page.studio.default_model("upscale", UpscaleRequest(image=b"", scale=scale)).id, spoken)


def _ready(page: Page, spoken: str, keeping: bool = False) -> list[tuple[str, str]]:
    """Title and id of those that can be asked; `keeping`: of those that keep the size, else of the others."""
    models = [model for model in page.studio.models.list("upscale") if model.usable]
    return [
        (page.title(model.card.id, spoken), model.card.id)
        for model in models
        if (model.card.limits.get("max_scale") == 1) == keeping
    ]
