"""Row of presets: how a tab is set, by names that a person gave: chosen, saved, renamed, deleted, and a step back."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.library.presets import Change, Preset, called
from studio.requests import Task
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import PASSING, fold, typed_number

_MARK = "="
"""Before the name of one of ours: a person may give the same name to another."""
OWN = {"own": Preset("own")}
"""Gives everything back to the model."""
SIDE = 112
"""Pixels of a picture, twice what it is shown at."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a tab's fields and a preset's values become each other.

    Attributes:
        inputs, outputs: the fields, and those that a preset fills.
        read: what the fields' values, in the order of `inputs`, are kept as. Raises StudioError: a number that is none.
        fill: what the values of a file, which anybody may have written, change in `outputs`, and a line to say with
            it as HTML, in a language.
        pictured: what a picture of it is made of, and how; empty where there is none.
    """

    inputs: Sequence[Any]
    outputs: Sequence[Any]
    read: Callable[[Sequence[Any]], Mapping[str, Any]]
    fill: Callable[[Mapping[str, Any], str], tuple[Mapping[Any, Any], str]]
    pictured: tuple[Sequence[Any], Callable[..., bytes]] = ((), lambda: b"")


class PresetRow:
    """A list in which one is chosen, and what keeps, renames and removes one. On a public studio only ours are there.

    Args:
        ours: presets that every person has, by the end of their texts' names (`preset.NAME`).
    """

    def __init__(self, page: Page, task: Task, ours: Mapping[str, Preset] = OWN) -> None:
        self._page, self._ours = page, ours
        self._task: Task = task
        self._kept = page.studio.presets.get(task)
        own, id = self._kept is not None, f"{task}-preset"
        with gr.Row(elem_classes="a-presets"):
            self.list = gr.Dropdown(
                self.choices("en"), value=None, label=t("label.preset"),
                info=t(("help.preset" if task == "chat" else "help.preset_settings") if own else "help.presets"),
                allow_custom_value=own, elem_id=id, elem_classes=PASSING, scale=3, min_width=200,
            )  # fmt: skip
            if own:
                self._buttons = {name: _button(id, name) for name in ("save", "rename", "delete")}
        with gr.Row(elem_classes="a-below a-preset-line"):
            self._told = gr.HTML(elem_id=f"{id}-told", elem_classes="a-live", min_width=0)
            if own:
                self._undo = _button(id, "undo", visible=False)
        self._cards = gr.HTML(elem_id=f"{id}-cards")
        self.chosen, self._step = gr.State(""), gr.State(None)
        self._listed = gr.State(self.choices("en"))

    def choices(self, spoken: str) -> list[tuple[str, str]]:
        """(what is shown, what is meant)."""
        ours = [(text(f"preset.{name}", spoken), _MARK + name) for name in self._ours]
        return [*ours, *((preset.name, preset.name) for preset in (self._kept.all() if self._kept else ()))]

    def wire(self, form: Form) -> Any:
        """Do what is pressed. The event that filled the fields, for what is to follow it."""
        outputs = [self._told, self.chosen, *form.outputs]

        def choose(name: Any, request: gr.Request) -> dict[Any, Any]:
            spoken = language(request)
            try:
                preset = self._find(name)
                if preset is None:
                    return {}
                changes, line = form.fill(preset.values, spoken)
                return {self._told: line, self.chosen: name, **changes}
            except StudioError as error:
                return {self._told: job_progress.failure(error, spoken)}

        chosen = self.list.input(choose, self.list, outputs, **quick())
        if self._kept is not None:
            self._wire_own(form, choose, outputs)
        return chosen

    def _wire_own(self, form: Form, choose: Callable[..., Any], outputs: list[Any]) -> None:
        id, kept, buttons = f"{self._task}-preset", self._page.studio.presets[self._task], self._buttons
        shown = [self.list, self._told, self._cards, self.chosen, self._step, self._undo]
        sources, paint = form.pictured

        def told(do: Callable[[str], tuple[Change | None, str, str, str]], request: gr.Request) -> dict[Any, Any]:
            """What a step changes on the page: `do` says what it did to the file, which is chosen now, and the
            words."""
            spoken = language(request)
            try:
                change, name, key, named = do(spoken)
            except StudioError as error:
                return {self._told: job_progress.failure(error, spoken)}
            if key == "preset.rename_how":
                return {self._told: job_progress.note(text(key, spoken))}
            return {
                self.list: gr.update(value=name or None), self.chosen: name,
                self._cards: self._drawn(spoken), self._step: change,
                self._told: job_progress.note(text(key, spoken, name=named)),
                self._undo: gr.update(visible=change is not None),
            }  # fmt: skip

        def save(name: Any, request: gr.Request, *values: Any) -> dict[Any, Any]:
            def do(_: str) -> tuple[Change | None, str, str, str]:
                given, rest = values[: len(form.inputs)], values[len(form.inputs) :]
                wanted = called(_typed(name))
                change = kept.save(Preset(wanted, form.read(given), paint(*rest)))
                replaced = change.before[wanted] is not None
                return change, wanted, "preset.replaced" if replaced else "preset.saved", wanted

            return told(do, request)

        def rename(name: Any, old: str, request: gr.Request) -> dict[Any, Any]:
            def do(_: str) -> tuple[Change | None, str, str, str]:
                new = _typed(name)
                if not old or not new or old.startswith(_MARK) or called(new) == old:
                    return None, old, "preset.rename_how", ""
                return kept.rename(old, new), called(new), "preset.renamed", called(new)

            return told(do, request)

        def delete(name: Any, request: gr.Request) -> dict[Any, Any]:
            def do(_: str) -> tuple[Change | None, str, str, str]:
                shown = called(_typed(name))
                change = kept.delete(name)
                if not change.after:
                    raise StudioError("preset_unknown", name=shown)
                return change, "", "preset.deleted", shown

            return told(do, request)

        def undo(step: Change | None, request: gr.Request) -> dict[Any, Any]:
            def do(_: str) -> tuple[Change | None, str, str, str]:
                if step is not None:
                    kept.undo(step)
                back = next((name for name, held in (step.before if step else {}).items() if held is not None), "")
                return None, back, "preset.undone", back

            return told(do, request)

        def relisted(before: list[tuple[str, str]], request: gr.Request) -> tuple[Any, list[tuple[str, str]]]:
            now = unshortened(self.choices(language(request)), before)
            return gr.update(choices=now), now

        back = {"js": f"() => document.querySelector('#{id} input')?.focus()", **quick()}
        steps = [
            buttons["save"].click(save, [self.list, *form.inputs, *sources], shown, preprocess=False, **quick()),
            buttons["rename"].click(rename, [self.list, self.chosen], shown, **quick()),
            buttons["delete"].click(delete, self.list, shown, **quick()),
            (undone := self._undo.click(undo, self._step, shown, **quick())),
        ]
        undone.then(None, None, None, **back)
        for step in steps:
            step.then(relisted, self._listed, [self.list, self._listed], **quick())

        card = gr.Textbox(visible="hidden", elem_classes="a-hidden")
        take = gr.Button(visible="hidden", elem_id=f"{id}-take", elem_classes="a-hidden")

        def taken(name: str, request: gr.Request) -> dict[Any, Any]:
            return {**choose(name, request), self.list: name}

        take.click(taken, card, [self.list, *outputs], js="() => [atelier.preset]", **quick())

        def listed(before: list[tuple[str, str]], request: gr.Request) -> dict[Any, Any]:
            spoken = language(request)
            now = unshortened(self.choices(spoken), before)
            try:
                kept.read()
                problem = ""
            except StudioError as error:
                problem = job_progress.failure(error, spoken)
            return {
                self.list: gr.update(choices=now), self._listed: now, self._cards: self._drawn(spoken),
                self._told: problem,
            }  # fmt: skip

        self._page.localised(listed, self._listed, [self.list, self._listed, self._cards, self._told])

    def _find(self, name: Any) -> Preset | None:
        if not isinstance(name, str):
            return None
        if name.startswith(_MARK) and (ours := self._ours.get(name.removeprefix(_MARK))):
            return ours
        return self._kept.find(name) if self._kept is not None else None

    def _drawn(self, spoken: str) -> str:
        """The pictures of those that have one, each a button that chooses it (assets/page/tries.js)."""
        found = [preset for preset in (self._kept.all() if self._kept else ()) if preset.picture]
        if not found:
            return ""
        named = html.escape(text("preset.pictures", spoken), quote=True)
        return f'<div class="a-preset-cards" role="group" aria-label="{named}">{"".join(map(_card, found))}</div>'


def unshortened(now: list[tuple[str, str]], before: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A list as it is now, with as many entries without a name at its end as keep it from becoming shorter.

    Gradio's list fails in the browser where entries are taken from under it. Those without a name are not shown
    (assets/page/presets.css) and mean nothing.
    """
    return [*now, *[("", "")] * max(len(before) - len(now), 0)]


def place(page: Page, task: Task) -> PresetRow | None:
    """The row in a part that opens; none on a public studio, where nothing is kept."""
    if page.studio.settings.public:
        return None
    with fold(f"{task}-presets", "preset.fold"):
        return PresetRow(page, task)


def model(page: Page, picker: Any, wanted: Any, spoken: str) -> tuple[dict[Any, Any], str]:
    """The update of a model list for the model of a preset, and a line where that is not here and the list stays."""
    if not isinstance(wanted, str) or not wanted:
        return {}, ""
    if page.studio.models.here(picker.task, wanted):
        return {picker.list: gr.update(choices=picker.choices(spoken, wanted)[0], value=wanted)}, ""
    line = text("preset.model_missing", spoken, model=page.title(wanted, spoken)[:100])
    return {}, job_progress.note(line)


def typed(value: object) -> str:
    """A value of a request as it is typed: nothing for none, words with commas between them."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return typed_number(value)


def _typed(name: Any) -> str:
    """The name that stands in the list, which is not to look like one of ours."""
    return name.lstrip(_MARK + " ") if isinstance(name, str) else ""


def _button(id: str, name: str, **more: Any) -> gr.Button:
    return gr.Button(t(f"preset.{name}"), size="sm", min_width=0, elem_id=f"{id}-{name}", scale=0, **more)


def _card(preset: Preset) -> str:
    name = html.escape(preset.name, quote=True)
    picture = base64.b64encode(preset.picture).decode()
    return (
        f'<button type="button" data-preset="{name}" title="{name}">'
        f'<img src="data:image/webp;base64,{picture}" alt=""><span>{name}</span></button>'
    )
