"""Wiring of the library to the tabs: a hidden button for each taker (tabs.shared.taking), for the page's script.

The library itself is drawn by assets/page/library.js, which talks to tabs.door.library_desk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import table
from studio.library import scan
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.taking import Taken, Taker
from tabs.shared.widgets import FIELDS, PASSING, typed_number

_TAKING = "(_, ...rest) => [atelier.library.taking(), ...rest]"
_TOOK = "() => atelier.library.took()"
_NUMBERS = ("max_tokens", "temperature", "top_p")
MOST = 500
"""Pictures that are given to the caption tab at once."""


def build(page: Page) -> None:
    """Add what the library presses to the tabs that were built. Nothing on a public studio, which has none."""
    if page.studio.archive is None:
        return
    for key in table("en"):
        if key.startswith("library."):
            t(key)  # said by the page's scripts
    for taker in (*page.takers, _code(page)):
        with _part(page, f"tab-{taker.tab}"):  # a tab that comes when it is first opened brings its own along
            asked = gr.Textbox(visible="hidden", elem_classes="a-hidden")
            button = gr.Button(visible="hidden", elem_id=button_id(taker.name), elem_classes="a-hidden")
            how: dict[str, Any] = quick() | ({"queue": True} if taker.queued else {})
            event = button.click(
                _handler(page, taker), [asked, *taker.inputs], list(taker.outputs), js=_TAKING, preprocess=False, **how
            )
            for after in filter(None, (taker.after, _TOOK)):
                event = event.then(None, None, None, js=after, **quick())
            _undoing(taker)
    _captions(page)


def _undoing(taker: Taker) -> None:
    """A button that puts the fields which a taker changes back to what the browser knows they held before."""
    parts = [part for part in taker.outputs if isinstance(part, FIELDS) and part.elem_id and _stands(part)]
    if not parts:
        return
    names = [part.elem_id for part in parts]
    one = "[0]" if len(parts) == 1 else ""  # Gradio takes the value of a single output as it is
    button = gr.Button(visible="hidden", elem_id=f"{button_id(taker.name)}-back", elem_classes="a-hidden")
    button.click(None, None, parts, js=f"() => atelier.library.held({names!r}){one}", **quick())


def _stands(part: Any) -> bool:
    """Whether the browser knows what a field holds: one that is remembered, or that a drawing is written into."""
    return part.visible != "hidden" and PASSING not in " ".join(part.elem_classes or ()).split()


def _captions(page: Page) -> None:
    """Several pictures of the library into the list of many of the caption tab."""
    if page.many is None:
        return
    with _part(page, "tab-caption"):
        asked = gr.Textbox(visible="hidden", elem_classes="a-hidden")
        button = gr.Button(visible="hidden", elem_id="library-caption-many", elem_classes="a-hidden")
        button.click(partial(_many, page), asked, list(page.many), js=_TAKING, preprocess=False, **quick()).then(
            None, None, None, js=_TOOK, **quick()
        )  # fmt: skip


def _many(page: Page, told: str) -> tuple[Any, Any]:
    archive = page.studio.archive
    try:
        ids = [str(id) for id in json.loads(told)][:MOST]
        files = [archive.file(id) for id in ids if archive.item(id).kind == "picture"] if archive is not None else []
    except (ValueError, TypeError, RecursionError):
        raise StudioError("bad_message") from None
    return [page.publish(file) for file in files], "many"


def button_id(name: str) -> str:
    """The id of the button that hands something to a taker."""
    return f"library-{name.replace('.', '-')}"


def taken(page: Page, id: str) -> Taken:
    """A thing of the library by its id. Raises StudioError: unknown_item."""
    archive = page.studio.archive
    if archive is None:
        raise StudioError("not_for_public")
    item, file = archive.item(id), archive.file(id)
    artifact = page.studio.library.named([id]) if item.kind != "chat" and not item.foreign else None
    return Taken(item, file, archive.recipe(id), artifact)


def code_of(file: Path) -> tuple[str, str]:
    """A completion in its place, and its language: what stood before it, itself, and what stood behind it."""
    made = scan.recipe_of(file, "code")
    given = made["parameters"] if made else {}
    parts = (given.get("prefix"), file.read_text(encoding="utf-8"), given.get("suffix"))
    return "".join(part for part in parts if isinstance(part, str)), str(given.get("language") or "")


def _handler(page: Page, taker: Taker) -> Callable[..., dict[Any, Any]]:
    def take(request: gr.Request, id: str, *values: Any) -> dict[Any, Any]:
        return taker.put(taken(page, id or ""), language(request), dict(zip(taker.inputs, values, strict=True)))

    return take


def _code(page: Page) -> Taker:
    """The settings of a completion, into the code tab's fields by their names on the page; its text goes by way of the
    editor's own script."""
    model, middle, seed = (_part(page, f"code-{name}") for name in ("model", "fill-in-middle", "seed"))
    count = _part(page, "code-count")
    numbers = {name: _part(page, f"code-{name.replace('_', '-')}") for name in _NUMBERS}

    def put(taken: Taken, _: str, __: Mapping[Any, Any]) -> dict[Any, Any]:
        if taken.recipe is None:
            return {}
        given = taken.recipe["parameters"]
        changes: dict[Any, Any] = {seed: str(taken.recipe["seed"]), middle: given.get("fill_in_middle") is not False}
        changes[count] = ""  # it was one of several
        for name, field in numbers.items():
            value = given.get(name)
            changes[field] = typed_number(value) if isinstance(value, int | float) else ""
        card = page.studio.catalog.find(taken.item.model)
        return changes | ({model: card.id} if card is not None and "code" in card.tasks else {})

    return Taker("code.open", "code", ("code",), put, (model, middle, seed, count, *numbers.values()))


def _part(page: Page, id: str) -> Any:
    return next(block for block in page.blocks.blocks.values() if getattr(block, "elem_id", "") == id)
