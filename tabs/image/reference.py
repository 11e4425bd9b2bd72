"""The part of the image tab for reference pictures: up to four, opened one by one."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from studio.i18n import text
from studio.request_parts import REFERENCE_USES, Reference
from tabs.image import shown, slots
from tabs.image.shown import SLOTS, name_of
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import fold, number


class References:
    """The fields of all slots, put among those of the tab, and what stands round them."""

    def __init__(self, page: Page, of: dict[str, Any]) -> None:
        self._page, self._of = page, of
        with fold("image-reference", "image.fold_reference"):
            self._folder = gr.HTML(elem_id="image-reference-folder", elem_classes="a-under")
            with gr.Column(visible=False, min_width=0, elem_id="image-reference-slots") as self._all:
                gr.Markdown(t("image.reference_help"), elem_classes="a-under")
                self._slots = [self._slot(slot) for slot in range(1, SLOTS + 1)]
                self._more = gr.Button(
                    t("image.reference_more"), size="sm", elem_id="image-reference-more", min_width=0
                )
        self._open = gr.State(1)

    @property
    def outputs(self) -> list[Any]:
        """What `restored` changes."""
        return [*[self._of[name] for name in shown.EMPTY], *self._opening]

    def restored(
        self, references: Sequence[Reference], files: Sequence[tuple[str | None, str | None]]
    ) -> dict[Any, Any]:
        """Updates that put references into the slots, and open as many as these are."""
        changes: dict[Any, Any] = {}
        names = self._page.studio.ipadapters()
        for name, value in shown.fields(references, files).items():
            if name.endswith("_model"):
                changes[self._of[name]] = gr.update(value=value, choices=slots.choices(names, value))
            else:
                changes[self._of[name]] = gr.update(value=value)
        return changes | self._opened(len(references))

    @property
    def inputs(self) -> list[Any]:
        """What `taken` and `masked` ask for: the pictures, the masks and the models of all slots."""
        return [self._of[name_of(slot, part)] for part in ("picture", "mask", "model") for slot in range(1, SLOTS + 1)]

    @property
    def taking(self) -> list[Any]:
        """What `taken` and `masked` change."""
        return [*self.inputs, *self._opening]

    def taken(self, values: Mapping[Any, Any], file: str) -> dict[Any, Any]:
        """Updates that put one more picture into a slot, with an IP-Adapter where the slot has none."""
        pictures, _, models = self._held(values)
        slot, names = slots.free(pictures), self._page.studio.ipadapters()
        model = slots.model_for(slot, models, names)
        return {
            self._of[name_of(slot, "picture")]: file,
            self._of[name_of(slot, "model")]: gr.update(value=model, choices=slots.choices(names, model)),
            **self._opened(max(slot, *(place for place, one in enumerate(pictures, 1) if one), 1)),
        }

    def masked(self, values: Mapping[Any, Any], file: str) -> dict[Any, Any]:
        """Updates that say with a picture where a reference has a say: of the first that has no such mask yet."""
        pictures, masks, _ = self._held(values)
        waiting = [slot for slot in range(1, SLOTS + 1) if pictures[slot - 1] and not masks[slot - 1]]
        slot = waiting[0] if waiting else slots.free(masks)
        return {
            self._of[name_of(slot, "mask")]: file,
            **self._opened(max(slot, *(place for place, one in enumerate(pictures, 1) if one), 1)),
        }

    def wire(self) -> None:
        """The lists are filled when the page opens."""
        page, of = self._page, self._of
        models = [of[name_of(slot, "model")] for slot in range(1, SLOTS + 1)]
        asked, filled = [*models, self._open], [self._folder, self._all, *models, *self._opening]
        page.localised(self._lists, asked, filled, on_opening=False, preprocess=False)
        # A list drops a name before it knows it: what was chosen is asked of what the browser keeps.
        names = [part.elem_id for part in models]
        left = f"(...now) => [...atelier.left('image', {names!r}, now.slice(0, {SLOTS})), now[{SLOTS}]]"
        page.after_recall("image", fn=self._lists, inputs=asked, outputs=filled, preprocess=False, js=left, **quick())
        self._more.click(lambda count: self._opened(count + 1), self._open, self._opening, **quick())

    @property
    def _opening(self) -> list[Any]:
        return [*self._slots, self._more, self._open]

    def _held(self, values: Mapping[Any, Any]) -> tuple[list[Any], list[Any], list[Any]]:
        held = [values[part] for part in self.inputs]
        return held[:SLOTS], held[SLOTS : 2 * SLOTS], held[2 * SLOTS :]

    def _opened(self, count: int) -> dict[Any, Any]:
        count = min(max(count, 1), SLOTS)
        changes: dict[Any, Any] = {slot: gr.update(visible=place < count) for place, slot in enumerate(self._slots)}
        return {**changes, self._more: gr.update(visible=count < SLOTS), self._open: count}

    def _lists(
        self, first: Any, second: Any, third: Any, fourth: Any, count: Any, request: gr.Request
    ) -> dict[Any, Any]:
        """The IP-Adapters that there are, or where to put one. Slots that something is chosen in stand open."""
        chosen = first, second, third, fourth
        names = self._page.studio.ipadapters()
        folder = self._page.studio.home.ipadapters
        line = "" if names else f"<p>{html.escape(text('image.reference_none', language(request), folder=folder))}</p>"
        changes: dict[Any, Any] = {self._folder: line, self._all: gr.update(visible=bool(names))}
        for slot, value in enumerate(chosen, 1):
            changes[self._of[name_of(slot, "model")]] = gr.update(
                choices=slots.choices(names, value or ""), value=value or ""
            )
        last = max((slot for slot, value in enumerate(chosen, 1) if value), default=1)
        return changes | self._opened(max(last, count if isinstance(count, int) else 1))

    def _slot(self, slot: int) -> Any:
        """One slot's fields; returns its column."""
        of = self._of
        with gr.Column(
            visible=slot == 1, min_width=0, elem_id=f"image-reference-{slot}", elem_classes="a-slot"
        ) as column:
            of[name_of(slot, "model")] = gr.Dropdown(
                [("–", "")], value="", label=t("label.reference_model"), elem_id=_id(slot, "model"), min_width=120,
            )  # fmt: skip
            with gr.Row():
                for part in ("picture", "mask"):
                    of[name_of(slot, part)] = gr.Image(
                        type="filepath", sources=["upload", "clipboard"], height=200, min_width=120,
                        label=t(f"label.reference_{part}"), elem_id=_id(slot, part),
                        scale=2 if part == "picture" else 1,
                    )  # fmt: skip
            with gr.Row():
                for part, placeholder in (("weight", "page.one"), ("start", "page.zero"), ("end", "page.one")):
                    of[name_of(slot, part)] = number(
                        "image", f"reference_{part}", placeholder=placeholder, help=None, elem_id=_id(slot, part),
                        min_width=60,
                    )  # fmt: skip
            of[name_of(slot, "use")] = gr.Radio(
                [(t(f"image.use_{name or 'all'}"), name) for name in REFERENCE_USES], value="",
                label=t("label.reference_use"), elem_id=_id(slot, "use"), elem_classes="a-segments",
            )  # fmt: skip
        return column


def _id(slot: int, part: str) -> str:
    return f"image-reference-{slot}-{part}"
