"""The adaptations as cards with pictures: searched in the browser, put into the fields with one press.

Below the list of the part "Detail" (tabs.image.fields); the rest of it is assets/page/shelf.js. Not on a public studio,
which has none.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import gradio as gr

from studio.i18n import text
from studio.own import Notes, family_name
from tabs.image import form, prompt_tools
from tabs.image.fields import Fields
from tabs.image.missing import NAMED, Missing, reweighed
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t

PICTURE = "/atelier/adaptation"
"""Where the browser gets the pictures (tabs.door.adaptation_pictures)."""
_WORDS_SHOWN = 90


def wire(page: Page, fields: Fields, missing: Missing) -> None:
    """The cards are read when the part is opened; a press on one fills the fields."""
    t("image.shelf_nothing")  # said by assets/page/shelf.js
    of = fields.of
    raw: dict[str, Any] = quick() | {"preprocess": False}
    opened = gr.State(False)
    opening = gr.Button(visible="hidden", elem_id="image-shelf-open", elem_classes="a-hidden")
    chosen = gr.Textbox(visible="hidden", elem_classes="a-hidden")
    taking = gr.Button(visible="hidden", elem_id="image-shelf-take", elem_classes="a-hidden")
    fits = gr.HTML(elem_id="image-shelf-model", elem_classes="a-hidden")

    def cards(spoken: str) -> str:
        return shelf(page.studio.adaptations.notes(), str(page.studio.home.loras), spoken)

    def show(model: str, request: gr.Request) -> tuple[str, str, bool]:
        spoken = language(request)
        return cards(spoken), _for(page, model, spoken), True

    def follow(model: str, shown: bool, request: gr.Request) -> Any:
        return _for(page, model, language(request)) if shown else gr.skip()

    def again(model: str, shown: bool, request: gr.Request) -> tuple[Any, Any]:
        return show(model, request)[:2] if shown else (gr.skip(), gr.skip())

    opening.click(show, of["model"], [fields.shelf, fits, opened], **raw)
    of["model"].change(follow, [of["model"], opened], fits, **raw)
    page.localised(again, [of["model"], opened], [fields.shelf, fits], on_opening=False, preprocess=False)

    def take(
        name: str, styles: Any, loras: Any, scheduler: Any, vae: Any, refiner: Any, weights: str, request: gr.Request
    ) -> dict[Any, Any]:  # fmt: skip
        notes = page.studio.adaptations.one(name or "")
        if notes is None and name not in (loras or ()):
            return {}
        names, typed = taken(name, notes.weight if notes else None, loras or (), weights or "")
        values: dict[str, Any] = dict(zip(NAMED, (styles, names, scheduler, vae, refiner), strict=True))
        return {**missing.shown(values, language(request)), of["lora_weights"]: typed}

    inputs = [chosen, *missing.parts, of["lora_weights"]]
    named = "(_, styles, loras, ...rest) => [atelier.taken(loras ?? []), styles, loras, ...rest]"
    taking.click(take, inputs, [*missing.outputs, of["lora_weights"]], js=named, **raw)


def taken(name: str, weight: float | None, names: Sequence[str], typed: str) -> tuple[list[str], str]:
    """The list of adaptations and the weights typed for them, with `name` put in, or taken out where it is in."""
    if name in names:
        left = [one for one in names if one != name]
        return left, reweighed(typed, names, left)
    parts = [part.strip() for part in typed.replace(";", ",").split(",")] if typed.strip() else []
    parts = [*parts[: len(names)], *[""] * (len(names) - len(parts))]
    parts.append("" if weight in (None, 1.0) else form.plain(weight))
    while parts and not parts[-1]:
        parts.pop()
    return [*names, name], ", ".join(parts)


def shelf(notes: Mapping[str, Notes], folder: str, spoken: str) -> str:
    """The search field and the cards as HTML."""
    if not notes:
        return f'<p class="a-note">{html.escape(text("image.shelf_none", spoken, folder=folder))}</p>'
    search = html.escape(text("image.shelf_search", spoken), quote=True)
    drawn = "".join(_card(name, one, spoken) for name, one in notes.items())
    count = html.escape(text("image.shelf_count", spoken, count=len(notes)))
    label = html.escape(text("image.browse_loras", spoken), quote=True)
    return (
        f'<input type="search" class="a-shelf-search" placeholder="{search}" aria-label="{search}" autocomplete="off">'
        f'<p class="a-note a-shelf-count" role="status" data-all="{count}">{count}</p>'
        f'<div class="a-shelf" role="group" aria-label="{label}">{drawn}</div>'
    )


def _card(name: str, notes: Notes, spoken: str) -> str:
    folder, _, bare = name.rpartition("/")
    found = " ".join((name, notes.title, *notes.words, *notes.tags, notes.base)).casefold()
    weight = "" if notes.weight in (None, 1.0) else text("image.shelf_weight", spoken, weight=form.plain(notes.weight))
    facts = " · ".join(filter(None, (folder, notes.base, weight)))
    words = ", ".join(notes.words)
    shown = words if len(words) <= _WORDS_SHOWN else words[: _WORDS_SHOWN - 1].rstrip() + "…"
    told = {
        "data-lora": name, "data-family": notes.family, "data-base": notes.base or family_name(notes.family),
        "data-words": json.dumps(notes.words, ensure_ascii=False), "data-find": found, "title": notes.title,
    }  # fmt: skip
    given = "".join(f' {key}="{html.escape(value, quote=True)}"' for key, value in told.items() if value)
    return (
        f'<button type="button" class="a-shelf-card" tabindex="-1" aria-pressed="false"{given}>{_picture(name, notes)}'
        f"<b>{html.escape(bare)}</b>"
        + (f"<small>{html.escape(facts)}</small>" if facts else "")
        + (f'<small class="a-shelf-words">{html.escape(shown)}</small>' if shown else "")
        + '<small class="a-shelf-not"></small></button>'
    )


def _picture(name: str, notes: Notes) -> str:
    if not notes.preview:
        return f'<span class="a-shelf-picture" aria-hidden="true">{html.escape(name.rpartition("/")[2][:1])}</span>'
    mark = hashlib.sha256(notes.stamp.encode()).hexdigest()[:12]
    address = html.escape(f"{PICTURE}?name={quote(name, safe='')}&v={mark}", quote=True)
    # the browser's script completes it: the page may be mounted below another address
    image = f'<img alt="" loading="lazy" width="256" height="256" data-src="{address}">'
    return f'<span class="a-shelf-picture">{image}</span>'


def _for(page: Page, model: str, spoken: str) -> str:
    """What the chosen model is, for the cards that do not fit it."""
    card = prompt_tools.card(page, model)
    said = text("image.shelf_not_for", spoken, base="{base}", model=page.title(card.id, spoken))
    family = html.escape(page.studio.own.family(card.id), quote=True)
    return f'<span data-family="{family}" data-says="{html.escape(said, quote=True)}"></span>'
