"""What the caption tab takes up of the library: a picture, or a caption with the picture that it is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.recipes import recipe
from tabs.caption.fields import TASK, Fields
from tabs.caption.result import Result
from tabs.shared.context import Page
from tabs.shared.taking import Taken, Taker
from tabs.shared.widgets import typed_number

_TEXTS = ("prompt", "opening")
_LISTS = ("require", "forbid")
_NUMBERS = ("max_tokens", "temperature")
_CHOICES = ("style", "length", "count")


def register(page: Page, fields: Fields, result: Result) -> None:
    """Name them to the library."""

    def picture(taken: Taken, _: str, __: Mapping[Any, Any]) -> dict[Any, Any]:
        return {fields.of["picture"]: page.publish(taken.file), fields.of["what"]: "one"}

    def again(taken: Taken, spoken: str, _: Mapping[Any, Any]) -> dict[Any, Any]:
        if taken.recipe is None or taken.artifact is None:
            return {}
        data = page.studio.source(recipe.sources(taken.recipe).get("image", ""))
        file = page.offer(data, "picture") if data else None
        changes: dict[Any, Any] = {fields.of[name]: value for name, value in fields_of(taken.recipe, fields).items()}
        card = page.studio.catalog.find(taken.item.model)
        if card is not None and TASK in card.tasks:
            choices, __ = fields.picker.choices(spoken, card.id)
            changes[fields.of["model"]] = gr.update(choices=choices, value=card.id)
        return changes | {
            fields.of["picture"]: file, fields.of["what"]: "one",
            result.answer: gr.update(value=taken.artifact.text, visible=True),
            result.details: result.told(taken.artifact, spoken), result.send: gr.update(visible=True),
            result.empty: gr.update(visible=False), result.second: gr.update(visible=False),
            result.choices: gr.update(visible=False),
        }  # fmt: skip

    named = ("picture", "what", "model", *_TEXTS, *_LISTS, *_NUMBERS, *_CHOICES, "seed")
    outputs = tuple(dict.fromkeys((*(fields.of[name] for name in named), *result.outputs)))
    page.takers += [
        Taker("caption.picture", TASK, ("picture",), picture, (fields.of["picture"], fields.of["what"])),
        Taker("caption.open", TASK, ("text",), again, outputs),
    ]


def fields_of(made: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """The fields' values for what a caption was made with; what is not known is as at first."""
    given = made["parameters"]
    found: dict[str, Any] = {name: str(given.get(name) or "")[:10_000] for name in _TEXTS}
    for name in _LISTS:
        words = given.get(name)
        found[name] = ", ".join(str(word) for word in words)[:10_000] if isinstance(words, list) else ""
    for name in _NUMBERS:
        value = given.get(name)
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        found[name] = typed_number(value) if plain else ""
    for name in _CHOICES:
        widget = fields.of[name]
        known = [choice for _, choice in widget.choices]
        found[name] = given.get(name) if given.get(name) in known else widget.value
    return {**found, "seed": str(made["seed"])}
