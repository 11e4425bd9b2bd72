"""The part of the image tab where pictures steer the painting: up to three, opened one by one."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.i18n import text
from studio.request_parts import CONTROL_FITS, PREPROCESSORS, Control
from tabs.image import slots, steering
from tabs.image.steering import SLOTS, name_of
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import fold, number

_ASKED = ("shape", "width", "height", "hires_scale")


class Steering:
    """The fields of all slots, put among those of the tab, and what stands round them."""

    def __init__(self, page: Page, of: dict[str, Any]) -> None:
        self._page, self._of = page, of
        with fold("image-control", "image.fold_control"):
            self._folder = gr.HTML(elem_id="image-control-folder", elem_classes="a-under")
            with gr.Column(visible=False, min_width=0, elem_id="image-control-slots") as self._all:
                gr.Markdown(t("image.control_help"), elem_classes="a-under")
                self._slots = [self._slot(slot) for slot in range(1, SLOTS + 1)]
                self._more = gr.Button(t("image.control_more"), size="sm", elem_id="image-control-more", min_width=0)
        self._open = gr.State(1)

    @property
    def outputs(self) -> list[Any]:
        """What `restored` changes."""
        parts = [self._of[name] for name in steering.EMPTY]
        return [*parts, *[slot[0] for slot in self._slots], self._more, self._open]

    def restored(self, controls: Sequence[Control], pictures: Sequence[str | None]) -> dict[Any, Any]:
        """Updates that put controls into the slots, and open as many as these are."""
        changes: dict[Any, Any] = {}
        names = self._page.studio.controlnets()
        for name, value in steering.fields(controls, pictures).items():
            if name.endswith("_model"):
                changes[self._of[name]] = gr.update(value=value, choices=slots.choices(names, value))
            else:
                changes[self._of[name]] = gr.update(value=value)
        return changes | self._opened(len(controls))

    @property
    def inputs(self) -> list[Any]:
        """What `taken` asks for: the pictures and the models of all slots."""
        return [self._of[name_of(slot, part)] for part in ("picture", "model") for slot in range(1, SLOTS + 1)]

    @property
    def taking(self) -> list[Any]:
        """What `taken` changes."""
        return [*self.inputs, *self._opening]

    def taken(self, values: Mapping[Any, Any], file: str) -> dict[Any, Any]:
        """Updates that put one more picture into a slot, with a ControlNet where the slot has none."""
        held = [values[part] for part in self.inputs]
        pictures, models = held[:SLOTS], held[SLOTS:]
        slot, names = slots.free(pictures), self._page.studio.controlnets()
        model = slots.model_for(slot, models, names)
        return {
            self._of[name_of(slot, "picture")]: file,
            self._of[name_of(slot, "model")]: gr.update(value=model, choices=slots.choices(names, model)),
            **self._opened(max(slot, *(place for place, one in enumerate(pictures, 1) if one), 1)),
        }

    def wire(self, model: Any, card: Any) -> None:
        """The lists are filled when the page opens; each button shows its slot's map.

        Args:
            model: the field of the model. card: gives the card of what it holds.
        """
        page, of = self._page, self._of
        models = [of[name_of(slot, "model")] for slot in range(1, SLOTS + 1)]
        asked, shown = [*models, self._open], [self._folder, self._all, *models, *self._opening]
        page.localised(self._lists, asked, shown, on_opening=False, preprocess=False)
        # A list drops a name before it knows it: what was chosen is asked of what the browser keeps.
        names = [part.elem_id for part in models]
        left = f"(...now) => [...atelier.left('image', {names!r}, now.slice(0, {SLOTS})), now[{SLOTS}]]"
        page.after_recall("image", fn=self._lists, inputs=asked, outputs=shown, preprocess=False, js=left, **quick())
        self._more.click(lambda count: self._opened(count + 1), self._open, self._opening, **quick())
        for slot, (_, button, shown, said) in enumerate(self._slots, 1):
            parts = {part: of[name_of(slot, part)] for part in ("picture", "preprocessor", "fit")}
            parts |= {name: of[name] for name in _ASKED} | {"model": model}
            button.click(
                self._shower(parts, card, shown, said), list(parts.values()), [shown, said], preprocess=False, **quick()
            )

    @property
    def _opening(self) -> list[Any]:
        return [*[slot[0] for slot in self._slots], self._more, self._open]

    def _opened(self, count: int) -> dict[Any, Any]:
        count = min(max(count, 1), SLOTS)
        changes: dict[Any, Any] = {
            slot[0]: gr.update(visible=place < count) for place, slot in enumerate(self._slots)
        }  # fmt: skip
        return {**changes, self._more: gr.update(visible=count < SLOTS), self._open: count}

    def _lists(self, first: Any, second: Any, third: Any, count: Any, request: gr.Request) -> dict[Any, Any]:
        """The ControlNets that there are, or where to put one. Slots that something is chosen in stand open."""
        chosen = first, second, third
        names = self._page.studio.controlnets()
        line = "" if names else _where(self._page, language(request))
        changes: dict[Any, Any] = {self._folder: line, self._all: gr.update(visible=bool(names))}
        for slot, value in enumerate(chosen, 1):
            changes[self._of[name_of(slot, "model")]] = gr.update(
                choices=slots.choices(names, value or ""), value=value or ""
            )
        last = max((slot for slot, value in enumerate(chosen, 1) if value), default=1)
        return changes | self._opened(max(last, count if isinstance(count, int) else 1))

    def _shower(self, parts: Mapping[str, Any], card: Any, shown: Any, said: Any) -> Any:
        def show(
            picture: Any, preprocessor: Any, fit: Any, shape: Any, width: Any, height: Any, scale: Any, model: Any,
            request: gr.Request,
        ) -> dict[Any, Any]:  # fmt: skip
            values = (picture, preprocessor, fit, shape, width, height, scale, model)
            held = dict(zip(parts, values, strict=True))
            try:
                made = self._made(held, card(model))
            except StudioError as error:
                return {shown: gr.update(visible=False), said: job_progress.failure(error, language(request))}
            return {shown: gr.update(value=made, visible=True), said: ""}

        return show

    def _made(self, values: Mapping[str, Any], card: Card) -> str:
        with self._page.bench.place():
            data = steering.shown_map(values, card, self._page.studio.depth_map)
        return self._page.offer(data, "map.png")

    def _slot(self, slot: int) -> tuple[Any, Any, Any, Any]:
        """One slot's fields; returns its column, its button, the map and the line below."""
        of = self._of
        with gr.Column(
            visible=slot == 1, min_width=0, elem_id=f"image-control-{slot}", elem_classes="a-slot"
        ) as column:
            with gr.Row():
                of[name_of(slot, "model")] = gr.Dropdown(
                    [("–", "")], value="", label=t("label.control_model"), elem_id=_id(slot, "model"), min_width=120,
                )  # fmt: skip
                of[name_of(slot, "preprocessor")] = gr.Dropdown(
                    [(t(f"image.map_{name or 'none'}"), name) for name in PREPROCESSORS], value="",
                    label=t("label.preprocessor"), filterable=False, elem_id=_id(slot, "preprocessor"), min_width=120,
                )  # fmt: skip
            of[name_of(slot, "picture")] = gr.Image(
                type="filepath", sources=["upload", "clipboard"], height=200, label=t("label.control_picture"),
                elem_id=_id(slot, "picture"),
            )  # fmt: skip
            with gr.Row():
                for part, placeholder in (("weight", "page.one"), ("start", "page.zero"), ("end", "page.one")):
                    of[name_of(slot, part)] = number(
                        "image", f"control_{part}", placeholder=placeholder, help=None, elem_id=_id(slot, part),
                        min_width=60,
                    )  # fmt: skip
            of[name_of(slot, "fit")] = gr.Radio(
                [(t(f"image.fit_{name}"), name) for name in CONTROL_FITS], value="crop", label=t("label.control_fit"),
                elem_id=_id(slot, "fit"), elem_classes="a-segments",
            )  # fmt: skip
            button = gr.Button(t("image.control_show"), size="sm", elem_id=_id(slot, "show"), min_width=0)
            shown = gr.Image(
                interactive=False, visible=False, label=t("label.control_map"), elem_id=_id(slot, "map"), height=260,
                buttons=["download", "fullscreen"],
            )  # fmt: skip
            said = gr.HTML(elem_id=_id(slot, "said"), elem_classes="a-live")
        return column, button, shown, said


def _id(slot: int, part: str) -> str:
    return f"image-control-{slot}-{part}"


def _where(page: Page, spoken: str) -> str:
    folder = page.studio.home.controlnets
    return f"<p>{html.escape(text('image.control_none', spoken, folder=folder))}</p>"
