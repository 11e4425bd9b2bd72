"""The part of the image tab where regions are drawn, each with a prompt and a weight.

The drawing is a canvas of our own (assets/page/regions.js): cells of a region's number, in a hidden field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from studio.request_parts import Region
from tabs.image import region_map, slots
from tabs.image.region_map import SLOTS, name_of
from tabs.shared.i18n import said, t
from tabs.shared.widgets import fold, number

_TOOLS = ("box", "brush", "rub", "clear")


class Regions:
    """The fields of all regions, put among those of the tab."""

    def __init__(self, of: dict[str, Any]) -> None:
        self._of = of
        with fold("image-regions", "image.fold_regions"):
            gr.Markdown(t("image.regions_help"), elem_classes="a-under")
            t("image.regions_canvas")  # what the canvas is called to those who do not see it
            gr.HTML(_canvas(), elem_id="image-regions-canvas")
            of["region_map"] = gr.Textbox(
                "", label=t("image.fold_regions"), max_length=region_map.MAX_LETTERS, elem_id="image-region-map",
                elem_classes="a-hidden",
            )  # fmt: skip
            for slot in range(1, SLOTS + 1):
                with gr.Row(elem_classes=["a-region", f"a-region-{slot}"]):
                    of[name_of(slot, "prompt")] = gr.Textbox(
                        "", label=t(f"image.region_{slot}"), lines=1, max_lines=4, scale=4, min_width=140,
                        elem_id=f"image-region-{slot}-prompt",
                    )  # fmt: skip
                    of[name_of(slot, "weight")] = number(
                        "image", "region_weight", placeholder="page.one", help=None, min_width=60,
                        elem_id=f"image-region-{slot}-weight",
                    )  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        """What `restored` may change."""
        return [self._of[name] for name in region_map.fields((), ())]

    def restored(self, regions: Sequence[Region], files: Sequence[bytes | None]) -> dict[Any, Any]:
        """Updates that put regions into the fields."""
        return {
            self._of[name]: gr.update(value=value) for name, value in region_map.fields(regions, files).items()
        }  # fmt: skip

    @property
    def inputs(self) -> list[Any]:
        """What `taken` asks for: the drawing, and the prompts that say which regions are spoken for."""
        return [self._of["region_map"], *[self._of[name_of(slot, "prompt")] for slot in range(1, SLOTS + 1)]]

    def taken(self, values: Mapping[Any, Any], mask: bytes) -> dict[Any, Any]:
        """An update that draws a region from a mask, in the first colour that is neither drawn nor spoken for.

        Raises:
            StudioError: bad_image, image_too_large; mask_empty.
        """
        drawing, *prompts = [values[part] or "" for part in self.inputs]
        drawn = region_map.read(drawing)
        held: list[bytes | None] = [drawn.get(slot) for slot in range(1, SLOTS + 1)]
        waiting = [slot for slot, words in enumerate(prompts, 1) if words.strip() and not held[slot - 1]]
        slot = waiting[0] if waiting else slots.free(held)
        return {self._of["region_map"]: region_map.put(held, slot, mask)}


def _canvas() -> str:
    colours = "".join(
        f'<button type="button" class="a-region-colour a-region-{slot}" data-region="{slot}" '
        f'aria-pressed="{"true" if slot == 1 else "false"}">{said(f"image.region_{slot}")}</button>'
        for slot in range(1, SLOTS + 1)
    )
    tools = "".join(
        f'<button type="button" class="a-region-tool" data-tool="{tool}">{said(f"image.regions_{tool}")}</button>'
        for tool in _TOOLS
    )
    return (
        f'<div class="a-regions"><div class="a-region-bar">{colours}</div><div class="a-region-bar">{tools}</div>'
        f'<canvas width="{region_map.SIDE}" height="{region_map.SIDE}" role="img"></canvas></div>'
    )
