"""Choice of what the buttons below a picture enlarge it with, where there is more than one thing to choose."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.i18n import text
from studio.requests import UpscaleRequest
from tabs.shared.context import Page
from tabs.shared.i18n import t


def place(page: Page) -> gr.Dropdown:
    """The list, as it is now. Its value is the id of a model; "" leaves it to the studio."""
    ready = _ready(page, "en")
    return gr.Dropdown(
        [(t("page.auto"), ""), *ready], value="", label=t("label.upscaler"), info=t("help.upscaler"), filterable=False,
        elem_id="image-upscaler", min_width=120, visible=len(ready) > 1,
    )  # fmt: skip


def listed(page: Page, spoken: str) -> Any:
    """The update of the list for what is on disk now, in a language."""
    ready = _ready(page, spoken)
    return gr.update(choices=[(text("page.auto", spoken), ""), *ready], visible=len(ready) > 1)


def named(page: Page, chosen: str, scale: int, spoken: str) -> str:
    """What the chosen one is called; where none is, or it is gone, the one that the studio takes for this scale."""
    if chosen and page.studio.catalog.find(chosen):
        return page.title(chosen, spoken)
    return page.title(page.studio.default_model("upscale", UpscaleRequest(image=b"", scale=scale)).id, spoken)


def _ready(page: Page, spoken: str) -> list[tuple[str, str]]:
    models = page.studio.models.list("upscale")
    return [(page.title(model.card.id, spoken), model.card.id) for model in models if model.state == "ready"]
