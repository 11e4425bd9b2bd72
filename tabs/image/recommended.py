"""Settings that suit the chosen model, one press each, and what of those that are set does not."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.i18n import text
from studio.tasks.image import advice
from tabs.image import form, prompt_tools, shapes
from tabs.image.fields import Fields
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language
from tabs.shared.widgets import read_number

_ASKED = ("model", "shape", "width", "height", "hires_scale", "steps", "guidance_scale", "scheduler")
_SET = ("shape", "width", "height", "steps", "guidance_scale", "scheduler", "clip_skip")


class Recommended:
    """The two lines: warnings below the run button, chips in the part with the settings. Placed where it is made."""

    def __init__(self) -> None:
        self.warnings = gr.HTML(elem_id="image-advice", elem_classes="a-live")
        self._chosen = gr.Textbox(visible="hidden", elem_classes="a-hidden")
        self._take = gr.Button(visible="hidden", elem_id="image-advised", elem_classes="a-hidden")

    def wire(self, page: Page, fields: Fields) -> None:
        """Follow the fields, and let a chip fill them."""
        parts = [fields.of[name] for name in _ASKED]
        outputs = [self.warnings, fields.advice]

        def follow(values: dict[Any, Any], request: gr.Request) -> tuple[str, str]:
            asked = {name: values[fields.of[name]] for name in _ASKED}
            card, spoken = prompt_tools.card(page, asked["model"]), language(request)
            return warned(card, asked, spoken), offered(card, spoken)

        last: dict[str, Any] = quick() | {"trigger_mode": "always_last", "preprocess": False}
        gr.on([part.change for part in parts], follow, set(parts), outputs, **last)
        page.after_recall("image", fn=follow, inputs=set(parts), outputs=outputs, preprocess=False, **quick())
        page.localised(follow, set(parts), outputs, on_opening=False, preprocess=False)

        def take(chosen: str, model: str) -> dict[Any, Any]:
            return fields.fill(settled(chosen, prompt_tools.card(page, model)))

        # The chip's own number says which one: what a browser sends is looked up and not believed.
        self._take.click(
            take, [self._chosen, fields.of["model"]], [fields.of[name] for name in _SET],
            js="(_, model) => [atelier.advised, model]", preprocess=False, **quick(),
        )  # fmt: skip


def offered(card: Card, spoken: str) -> str:
    """The chips of a model as HTML; nothing where its card gives no advice."""
    found = advice.chips(card)
    if not found:
        return ""
    buttons = "".join(
        f'<button type="button" class="a-example" data-advised="{number}">'
        f"{html.escape(text(f'advice.{chip.key}', spoken, **chip.params))}</button>"
        for number, chip in enumerate(found)
    )
    return f'<p class="a-under">{html.escape(text("advice.suits", spoken))}</p><div class="a-advised">{buttons}</div>'


def warned(card: Card, values: Mapping[str, Any], spoken: str) -> str:
    """What goes against the model's advice as HTML; nothing where a field cannot be read: that is said elsewhere."""
    try:
        wish: dict[str, Any] = {name: read_number(name, values[name]) for name in ("steps", "guidance_scale")}
        scale = read_number("hires_scale", values["hires_scale"]) or 1.0
        if values["shape"] == shapes.CUSTOM:
            # a picture that is enlarged and painted over again is first painted at a size that suits
            sides = [read_number(name, values[name]) for name in ("width", "height")]
            wish |= dict(zip(("width", "height"), [side and side / scale for side in sides], strict=True))
    except StudioError:
        return ""
    found = advice.warnings(card, {**wish, "scheduler": values["scheduler"]})
    lines = (text(f"advice.warn_{key}", spoken, model=card.title, **params) for key, params in found)
    return "".join(f'<p class="a-warn">{html.escape(line)}</p>' for line in lines)


def settled(chosen: str, card: Card) -> dict[str, Any]:
    """The fields' values for a chip, by its place among those of the model; nothing for a place that there is not."""
    found = advice.chips(card)
    try:
        number = json.loads(chosen or "null")
    except ValueError:
        return {}
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(found):
        return {}
    values = dict(found[number].fields)
    if "width" in values:
        return form.shape(int(values["width"]), int(values["height"]), card)
    return {name: value if isinstance(value, str) else form.plain(value) for name, value in values.items()}
