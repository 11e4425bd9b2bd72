"""Fields that stay as a person left them: after a reload, a restart, in another language.

One mechanism for every field of a tab, by its name on the page (assets/page/keep.js): a new field is remembered
without anybody thinking of it. What belongs to a moment or to a result, and not to the person's settings, is marked
PASSING. The code editor keeps its own text, since that may hold a suggestion (assets/page/editor.js), and the picture
editor its picture: asked for its value, it would send every stroke to the studio.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.widgets import FIELDS, lasting


def fields(tab: gr.Tab) -> list[Any]:
    """The fields of a tab that are remembered.

    Raises:
        ValueError: one has no name to remember it by.
    """
    found = list(_below(tab))
    if nameless := [type(field).__name__ for field in found if not field.elem_id]:
        raise ValueError(f"Without an elem_id nothing is remembered of: {', '.join(nameless)}.")
    return found


def wire(page: Page, name: str, tab: gr.Tab) -> None:
    """Keep a tab's fields in the browser, and fill them when the tab is opened."""
    parts = fields(tab)
    names = [part.elem_id for part in parts]
    # One event a field: Gradio looks up and copies every field that an event has, at each letter that is typed.
    for part in parts:
        part.change(None, part, None, js=f"(now) => atelier.keep({name!r}, {part.elem_id!r}, now)", **quick())
    recalled = page.blocks.load(
        None, parts, parts, js=f"(...now) => atelier.recall({name!r}, {names!r}, now)", **quick()
    )
    for event in page.recalled.pop(name, ()):
        recalled.then(**event)


def _below(block: Any) -> Iterator[Any]:
    for child in getattr(block, "children", ()):
        if not lasting(child):
            continue
        if isinstance(child, FIELDS) and child.interactive is not False:
            yield child
        yield from _below(child)
