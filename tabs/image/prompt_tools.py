"""Tools round the prompt: how much of it the model reads, styles, earlier prompts, the size that comes out."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

import gradio as gr

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.i18n import text
from studio.tasks.image import grid_axes
from tabs.image import form, shapes, upscalers
from tabs.image.fields import Fields
from tabs.shared.context import Page
from tabs.shared.earlier import walked
from tabs.shared.events import quick
from tabs.shared.i18n import language
from tabs.shared.widgets import read_number

LONGEST_COUNTED = 20_000
_SETTINGS = re.compile(r"\bSteps: *\d+, |\bSeed: *\d+, |^\s*\{.*\"(?:sui_image_params|format|parameters)\"", re.DOTALL)


def wire(page: Page, fields: Fields, prompts: gr.HTML) -> None:
    """The lines under prompt, shape and grid follow what is typed; lists are filled when the page opens."""
    of = fields.of
    last: dict[str, Any] = quick() | {"trigger_mode": "always_last", "preprocess": False}

    def count(model: str, prompt: str, negative: str, request: gr.Request) -> tuple[str, Any]:
        line = token_line(page, model, prompt or "", language(request), negative or "")
        return line, gr.update(visible=looks_like_settings(prompt))

    counted = [of["model"], of["prompt"], of["negative_prompt"]]
    gr.on([part.change for part in counted], count, counted, [fields.tokens, fields.read], **last)
    page.localised(count, counted, [fields.tokens, fields.read], on_opening=False, preprocess=False)

    def size(model: str, shape: str, scale: str, request: gr.Request) -> str:
        return size_line(card(page, model), shape, scale, language(request))

    asked = [of["model"], of["shape"], of["hires_scale"]]
    gr.on([part.change for part in asked], size, asked, fields.size, **last)

    sides = [of[name] for name in ("x_field", "x_values", "y_field", "y_values", "z_field", "z_values")]
    gr.on([*[part.change for part in sides]], _cells, sides, fields.cells, **last)

    def lists(upscaler: str, request: gr.Request) -> dict[Any, Any]:
        return {
            fields.lora_folder: folder_line(page, language(request)),
            fields.upscaler: upscalers.listed(page, language(request)),
            **earlier(page, fields, prompts, language(request), upscaler),
        }

    def lines(
        model: str, shape: str, scale: str, x: str, xs: str, y: str, ys: str, z: str, zs: str, request: gr.Request
    ) -> tuple[str, str]:
        spoken = language(request)
        return size_line(card(page, model), shape, scale, spoken), cells_line(((x, xs), (y, ys), (z, zs)), spoken)

    filled = [fields.lora_folder, fields.upscaler, fields.history, prompts]
    # after what was chosen before has come back, or the buttons would be named by what nobody chose
    page.after_recall("image", fn=lists, inputs=[fields.upscaler], outputs=filled, preprocess=False, **quick())
    page.localised(lists, [fields.upscaler], filled, on_opening=False, preprocess=False)

    def upscaled(upscaler: str, request: gr.Request) -> dict[Any, Any]:
        return earlier(page, fields, prompts, language(request), upscaler)

    fields.upscaler.change(upscaled, fields.upscaler, [fields.history, prompts], **last)
    # After what was chosen before has come back, or they would speak of the fields as they were drawn.
    shown = [fields.size, fields.cells]
    page.after_recall("image", fn=lines, inputs=[*asked, *sides], outputs=shown, preprocess=False, **quick())
    page.localised(lines, [*asked, *sides], shown, on_opening=False, preprocess=False)
    fields.history.input(lambda prompt: (prompt or "", None), fields.history, [of["prompt"], fields.history], **quick())


def earlier(page: Page, fields: Fields, prompts: gr.HTML, spoken: str, upscaler: str = "") -> dict[Any, Any]:
    """The list of earlier prompts, as a choice and for the keys that walk through it; and what `upscaler` is called."""
    known = page.studio.prompts(50)
    choices = [(_short(prompt, 90), prompt) for prompt in known]
    called = [html.escape(upscalers.named(page, upscaler, scale, spoken), quote=True) for scale in (2, 4)]
    hidden = f'<span data-upscaler2="{called[0]}" data-upscaler4="{called[1]}"></span>' + walked(page, "image")
    return {fields.history: gr.update(choices=choices), prompts: hidden}


def card(page: Page, model: str | None) -> Card:
    """The model that is chosen. Raises StudioError where there is none."""
    return page.studio.catalog.get(model) if model else page.studio.default_model("image")


def looks_like_settings(prompt: str | None) -> bool:
    """Whether what stands in the prompt is another program's whole text rather than a prompt."""
    return bool(prompt and len(prompt) <= 200_000 and _SETTINGS.search(prompt))


def token_line(page: Page, model: str, prompt: str, spoken: str, negative: str = "") -> str:
    """How many tokens the prompt has, and what of either prompt is not read; nothing where nobody can tell."""
    return _count_line(page, model, prompt, spoken) + _negative_line(page, model, negative, spoken)


def _negative_line(page: Page, model: str, negative: str, spoken: str) -> str:
    if not negative.strip() or len(negative) > LONGEST_COUNTED:
        return ""
    try:
        found = page.studio.tokens(card(page, model).id, negative)
    except StudioError:
        return ""
    if not found.cut:
        return ""
    cut = text("image.tokens_cut", spoken, cut=_short(found.cut, 160))
    return f'<p class="a-warn">{html.escape(text("label.negative_prompt", spoken))} · {html.escape(cut)}</p>'


def _count_line(page: Page, model: str, prompt: str, spoken: str) -> str:
    if not prompt.strip() or len(prompt) > LONGEST_COUNTED:
        return ""
    try:
        found = page.studio.tokens(card(page, model).id, prompt)
    except StudioError:  # no model, or a wildcard that does not exist: said when it is asked for
        return ""
    if not found.limit:
        return ""
    words = text("image.tokens", spoken, count=found.count, limit=found.limit)
    if not found.cut:
        return f"<p>{html.escape(words)}</p>"
    cut = text("image.tokens_cut", spoken, cut=_short(found.cut, 160))
    return f'<p class="a-warn">{html.escape(words)} · {html.escape(cut)}</p>'


def size_line(model: Card, shape: str, scale: str, spoken: str) -> str:
    """The size that the shape gives with this model, as HTML."""
    try:
        times = read_number("hires_scale", scale) or 1.0
    except StudioError:
        times = 1.0
    if shape == shapes.CUSTOM:
        return ""
    width, height = shapes.sized(shape, model, times)
    return f"<p>{html.escape(text('image.size', spoken, width=width, height=height))}</p>"


def folder_line(page: Page, spoken: str) -> str:
    """Where adaptations are looked for; a public studio tells nobody."""
    if page.studio.settings.public:
        return ""
    home = page.studio.home
    return f"<p>{html.escape(text('image.lora_folder', spoken, folder=home.loras, embeddings=home.embeddings))}</p>"


def cells_line(sides: Sequence[tuple[str, str]], spoken: str) -> str:
    """How many pictures the grid has, or how its fields are filled, as HTML."""
    try:
        counts = [len(grid_axes.values(axis)) for axis in (form.axis(*side) for side in sides) if axis]
    except StudioError:
        counts = []
    if not counts:
        return f"<p>{html.escape(text('image.axis_help', spoken))}</p>"
    across, down, deep = [*counts, 1, 1][:3]
    named = "image.cells_deep" if deep > 1 else "image.cells"
    words = text(named, spoken, across=across, down=down, deep=deep, count=across * down * deep)
    return f"<p>{html.escape(words)}</p>"


def _cells(x: str, xs: str, y: str, ys: str, z: str, zs: str, request: gr.Request) -> str:
    return cells_line(((x, xs), (y, ys), (z, zs)), language(request))


def _short(words: str, longest: int) -> str:
    flat = " ".join(words.split())
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"
