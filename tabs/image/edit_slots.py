"""The part of the image tab where pictures are edited with words: beside changing one, up to four in their order."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from studio.catalog import variants
from studio.catalog.card import Card
from studio.i18n import text
from studio.paths import gigabytes
from studio.tasks.image.editing import PICTURE_BYTES
from tabs.image import editing
from tabs.image.editing import EDIT, SLOTS, USE, name_of
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t

_HIDDEN = "a-hidden"
_NAMED = 4  # models that can, in the sentence that one cannot


class Editing:
    """The choice of what pictures are for and the slots, put among the tab's fields; `change` holds the other way.

    What is hidden stays on the page: what was drawn on the picture to start from would be lost with it.
    """

    def __init__(self, page: Page, of: dict[str, Any]) -> None:
        self._page, self._of = page, of
        with gr.Column(elem_id="image-start-uses", elem_classes=_HIDDEN, min_width=0) as self._uses:
            of[USE] = gr.Radio(
                [(t("image.use_change"), ""), (t("image.use_edit"), EDIT)], value="", label=t("label.start_use"),
                show_label=False, elem_id="image-start-use", elem_classes="a-segments",
            )  # fmt: skip
        with gr.Column(elem_id="image-edit", elem_classes=_HIDDEN, min_width=0) as self._edit:
            self._said = gr.HTML(elem_id="image-edit-said", elem_classes="a-under")
            with gr.Row():
                self._slots = [self._slot(slot) for slot in range(1, SLOTS + 1)]
        self._change: gr.Column | None = None

    def change(self) -> gr.Column:
        """The column for what changes a picture by painting over it, to be filled where it is called."""
        self._change = gr.Column(elem_id="image-change", min_width=0)
        return self._change

    @property
    def inputs(self) -> set[Any]:
        """What the events ask for: the model, what pictures are for, and the pictures."""
        return {self._of["model"], self._of[USE], *self._pictures}

    @property
    def outputs(self) -> list[Any]:
        """What `restored` changes."""
        return [self._uses, self._edit, self._change, self._said, *self._pictures, *[slot[0] for slot in self._slots]]

    @property
    def adding(self) -> list[Any]:
        """What `added` changes."""
        return [*self.outputs, self._of[USE], self._of["model"]]

    def restored(self, files: Sequence[str | None], card: Card, spoken: str) -> dict[Any, Any]:
        """Updates that put files into the slots; editing is chosen where there are some."""
        held = editing.closed([*files, *[None] * SLOTS][:SLOTS])
        return self._filled(held) | self._drawn(card, EDIT if files else "", held, spoken)

    def added(self, values: Mapping[Any, Any], file: str, spoken: str) -> dict[Any, Any]:
        """Updates that put one more picture into the slots and choose editing, by a model that can where one is here.

        Args:
            values: of `inputs`, by component, as the page sent them.
        """
        card = self._able(self._card(values[self._of["model"]]))
        held = editing.added(self._held(values), file, card.pictures[1])
        changes = self._filled(held) | self._drawn(card, EDIT, held, spoken)
        return {**changes, self._of[USE]: EDIT, self._of["model"]: gr.update(value=card.id)}

    def wire(self, card: Callable[[str], Card], begin: Any) -> None:
        """The part follows the model and the choice.

        Args:
            card: gives the card of what the field of the model holds.
            begin: the state by which a picture to start from is put into its editor.
        """
        self._card = card
        page, of = self._page, self._of

        def follow(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            asked = self._card(values[of["model"]])
            return self._drawn(asked, values[of[USE]], self._held(values), language(request))

        def tidy(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            held = self._held(values)
            whole = editing.closed(held)
            changes = self._filled(whole) if whole != held else {}
            asked = self._card(values[of["model"]])
            return changes | self._drawn(asked, values[of[USE]], whole, language(request))

        last: dict[str, Any] = quick() | {"trigger_mode": "always_last", "preprocess": False}
        gr.on([of["model"].change, of[USE].change], follow, self.inputs, self.outputs, **last)
        page.after_recall("image", fn=follow, inputs=self.inputs, outputs=self.outputs, preprocess=False, **quick())
        page.localised(follow, self.inputs, self.outputs, on_opening=False, preprocess=False)
        for place, (_, picture, button) in enumerate(self._slots):
            gr.on([picture.upload, picture.input, picture.clear], tidy, self.inputs, self.outputs, **last)
            button.click(self._mover(place), self.inputs, self.outputs, preprocess=False, **quick())
        begin.change(lambda begin: "" if begin[1] else gr.skip(), begin, of[USE], **quick())

    @property
    def _pictures(self) -> list[Any]:
        return [slot[1] for slot in self._slots]

    def _mover(self, place: int) -> Callable[..., dict[Any, Any]]:
        def move(values: dict[Any, Any]) -> dict[Any, Any]:
            return self._filled(editing.earlier(self._held(values), place))

        return move

    def _held(self, values: Mapping[Any, Any]) -> list[str | None]:
        return editing.files({name_of(slot): values[part] for slot, part in enumerate(self._pictures, 1)})

    def _filled(self, held: Sequence[str | None]) -> dict[Any, Any]:
        return {part: gr.update(value=file) for part, file in zip(self._pictures, held, strict=True)}

    def _drawn(self, card: Card, use: Any, held: Sequence[str | None], spoken: str) -> dict[Any, Any]:
        """What is to be seen for a model, a choice and what the slots hold."""
        count, most = sum(map(bool, held)), card.pictures[1]
        edits = use == EDIT and (most > 0 or count > 0)
        said = text("image.edit_help", spoken, size=gigabytes(PICTURE_BYTES)) if most else self._cannot(card, spoken)
        return {
            self._uses: _shown(most > 0 or edits),
            self._edit: _shown(edits),
            self._change: _shown(not edits),
            self._said: f"<p>{html.escape(said)}</p>",
            **{
                slot[0]: gr.update(visible=place < max(count, min(count + 1, most)))
                for place, slot in enumerate(self._slots)
            },
        }

    def _able(self, card: Card) -> Card:
        """The model itself where it edits, else the first here that does; itself where none is."""
        return card if card.pictures[1] else next((one for one in self._editors(ready=True)), card)

    def _editors(self, ready: bool) -> list[Card]:
        found = [one for one in self._page.studio.models.list("image") if one.card.pictures[1]]
        here = [one.card for one in found if one.usable or one.card.starter]
        return here if ready else [*here, *[one.card for one in found if one.card not in here]]

    def _cannot(self, card: Card, spoken: str) -> str:
        names = ", ".join(variants.title(one, spoken) for one in self._editors(ready=False)[:_NAMED]) or "–"
        return text("image.edit_cannot", spoken, model=variants.title(card, spoken), names=names)

    def _slot(self, slot: int) -> tuple[Any, Any, Any]:
        """One slot; returns its column, its picture and the button that moves it ahead."""
        with gr.Column(visible=slot == 1, min_width=180, elem_id=f"image-edit-slot-{slot}") as column:
            picture = gr.Image(
                type="filepath", sources=["upload", "clipboard"], height=160, label=t(f"label.edit_{slot}"),
                elem_id=f"image-edit-{slot}",
            )  # fmt: skip
            self._of[name_of(slot)] = picture
            button = gr.Button(
                t("image.edit_earlier"), size="sm", visible=slot > 1, elem_id=f"image-edit-{slot}-earlier",
                elem_classes="a-quiet-button", min_width=0,
            )  # fmt: skip
        return column, picture, button


def _shown(shown: bool) -> Any:
    return gr.update(elem_classes=[] if shown else [_HIDDEN])
