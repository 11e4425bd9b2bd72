"""Strip of a result's pictures, each with a box to tick, and the buttons for those that are ticked.

The ticks live in the browser (assets/page/picks.js); a press brings them along, and `picked` reads them.
"""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Sequence
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from tabs.shared.i18n import t
from tabs.shared.uploaded import address
from tabs.shared.widgets import fold

PICKED = "(_, ...rest) => [atelier.picks(), ...rest]"


class Strip:
    """The part of the column, there where a result has more than one picture."""

    def __init__(self) -> None:
        with gr.Column(visible=False, min_width=0, elem_id="image-picks-part") as self.part:
            with fold("image-picks", "image.fold_picks"):
                self.boxes = gr.HTML(elem_id="image-picks-row")
                with gr.Row(elem_classes="a-send"):
                    self.vary, self.twice, self.four, self.caption = map(
                        _button, ("picks_vary", "picks_twice", "picks_four", "picks_caption")
                    )
                self.told = gr.HTML(elem_id="image-picks-told", elem_classes="a-live")
        self.said = gr.Textbox(visible="hidden", elem_classes="a-hidden")

    @property
    def outputs(self) -> list[Any]:
        return [self.part, self.boxes, self.told]

    def put(self, files: Sequence[str], names: Sequence[str], spoken: str) -> dict[Any, Any]:
        """Show the pictures of a result."""
        several = len(files) > 1
        drawn = boxes(files, names, spoken) if several else ""
        return {self.part: gr.update(visible=several), self.boxes: drawn, self.told: ""}


def boxes(files: Sequence[str], names: Sequence[str], spoken: str) -> str:
    """The pictures with their boxes, as HTML.

    Args:
        names: what each is called; empty where they have no names.
    """
    inside = "".join(
        f'<label class="a-pick"><input type="checkbox" data-pick="{number}" aria-label="{_name(number, name, spoken)}">'
        f'<img src="{address(file)}" alt="" loading="lazy"><span aria-hidden="true">{number + 1}</span></label>'
        for number, (file, name) in enumerate(zip(files, names or [""] * len(files), strict=True))
    )
    legend = html.escape(text("image.picks_help", spoken))
    return f'<fieldset class="a-picks" data-drawn="{secrets.token_hex(4)}"><legend>{legend}</legend>{inside}</fieldset>'


def picked(said: object, most: int) -> list[int]:
    """The places of the pictures that are ticked, of so many. Raises StudioError: nothing_picked."""
    try:
        found = json.loads(said) if isinstance(said, str) else None
    except (ValueError, RecursionError):
        found = None
    places = {one for one in found if type(one) is int and 0 <= one < most} if isinstance(found, list) else set[int]()
    if not places:
        raise StudioError("nothing_picked")
    return sorted(places)


def _name(number: int, name: str, spoken: str) -> str:
    words = text("image.pick", spoken, number=number + 1)
    return html.escape(f"{words}: {name}" if name else words, quote=True)


def _button(name: str) -> gr.Button:
    return gr.Button(t(f"image.{name}"), size="sm", min_width=0, elem_id=f"image-{name.replace('_', '-')}")
