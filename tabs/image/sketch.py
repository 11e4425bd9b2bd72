"""The picture that follows what is being typed: the switch, its place in the column, and what the browser asks.

It asks by itself (assets/page/sketch.js, tabs.door.answering), not by an event of Gradio's: those carry fifty fields
and their answers through the whole page at each letter. What it sends are the fields that it keeps in any case.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import gradio as gr
from starlette.responses import Response

from studio.errors import StudioError
from studio.jobs.sketches import sketches
from studio.requests import ImageRequest
from studio.service import Studio
from tabs.image import editing, form, region_map, shown, steering
from tabs.image.fields import TASK, Fields
from tabs.image.source import Drawing
from tabs.shared.asker import Asker
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import said, t

_FIELDS: Mapping[str, Any] = {**form.EMPTY, "model": ""}


def switch() -> gr.Checkbox:
    """The switch, which stands with the run button."""
    return gr.Checkbox(True, label=t("image.sketch"), elem_id="image-sketch", container=False, min_width=0)


def place() -> None:
    """Where the picture stands, first in the column of results."""
    gr.HTML(
        '<figure class="a-sketch" hidden><button type="button" class="a-sketch-keep"><img alt=""></button>'
        f'<figcaption class="a-note">{said("image.sketch_keep")} <span class="a-sketch-facts"></span></figcaption>'
        f'</figure><p class="a-note a-sketch-slow" hidden>{said("image.sketch_slow")}</p>',
        elem_id="image-sketch-place",
    )


def wire(page: Page, fields: Fields, part: gr.Checkbox) -> None:
    """The switch is there for models that are quick enough."""

    def shown(model: str) -> Any:
        card = page.studio.catalog.find(model) if model else page.studio.default_model(TASK)
        return gr.update(visible=card is not None and sketches(card))

    event: dict[str, Any] = {"fn": shown, "inputs": fields.of["model"], "outputs": part, "preprocess": False, **quick()}
    fields.of["model"].change(**event)
    page.after_recall(TASK, **event)


def request(studio: Studio, message: Any) -> ImageRequest | None:
    """What a message of the browser's asks for; None where there is nothing to paint, or not by a model so quick.

    Raises:
        StudioError: bad_message, a bad value, or an unknown model.
    """
    values = read(message)
    if any(part.asked(message["fields"]) for part in (steering, shown, region_map)):
        return None  # it would show another picture than a press makes
    chosen = values["model"]
    card = studio.catalog.get(chosen) if chosen else studio.default_model(TASK)
    if editing.chosen(values, card):
        return None
    if not sketches(card) or values["x_field"] or values["series"].strip() or not values["prompt"].strip():
        return None
    return form.request(values, card, Drawing())


def answer(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """What is painted for a message of the browser's: a PNG; nothing where there is nothing to paint, or it gave way.

    Raises:
        StudioError: as `request`, and as the studio's `easel.paint`.
    """
    if isinstance(message, dict) and message.get("again"):
        studio.easel.turn_page(asker.who)
    asked = request(studio, message)
    made = studio.easel.paint(asked, asker.who, asker.place) if asked is not None else None
    if made is None:
        return None
    file = io.BytesIO()
    made.picture.save(file, "PNG", compress_level=1)
    headers = {"Cache-Control": "no-store", "X-Seed": str(made.seed), "X-Seconds": f"{made.seconds:.3f}"}
    return Response(file.getvalue(), 200, headers, "image/png")


def read(message: Any) -> dict[str, Any]:
    """The fields by name, from the names that they have on the page; what is not sent is empty.

    Raises:
        StudioError: bad_message, where it is not what the page sends.
    """
    sent = message.get("fields") if isinstance(message, dict) else None
    if not isinstance(sent, dict):
        raise StudioError("bad_message")
    found = dict(_FIELDS)
    for name, empty in _FIELDS.items():
        value = sent.get(id_of(name))
        if value is None:
            continue
        good = isinstance(value, type(empty))
        if not good or (isinstance(value, list) and not all(isinstance(one, str) for one in value)):
            raise StudioError("bad_message")
        found[name] = value
    return found


def id_of(name: str) -> str:
    """A field's id on the page."""
    return f"{TASK}-{name.replace('_', '-')}"
