"""One button for each thing that may help where memory did not suffice, under the error, in every tab.

The buttons are part of the error's own HTML (tabs.pump). A click sets the tab's fields, where they stay to be seen and
are kept with the result, and runs again. Which offer a place stands for, the server knows from the job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from studio.requests import Task
from tabs.i18n import language
from tabs.picker import ModelPicker
from tabs.shared import Page, quick

_TAKEN = "() => [String(atelier.offered ?? '')]"

Filled = Callable[[Mapping[str, Any], str], dict[str, Any]]
"""What the fields of a tab become for changes to a request, given the model that it will be asked for, by name."""


class Offers:
    """The hidden parts that hear a click.

    Args:
        of: the tab's fields by name; those of the request have its names.
        filled: what becomes of other fields than numbers, switches and the model.
    """

    def __init__(
        self, page: Page, task: Task, picker: ModelPicker, of: Mapping[str, Any], filled: Filled | None = None
    ) -> None:
        self._page, self._picker, self._of, self._filled = page, picker, of, filled
        self._task: Task = task
        self._place = gr.Textbox(visible="hidden", elem_classes="a-hidden")
        self._take = gr.Button(visible="hidden", elem_id=f"{task}-offer", elem_classes="a-hidden")

    def wire(self, **run: Any) -> Any:
        """Let a click set the fields and then do what the run button does, the arguments of whose `click` these are.

        Returns the event, for what follows a run.
        """
        changed = [self._picker.list, *[part for name, part in self._of.items() if name != "model"]]
        return self._take.click(self._taken, self._place, changed, js=_TAKEN, **quick()).then(**run)

    def _taken(self, place: str, request: gr.Request) -> dict[Any, Any]:
        jobs = self._page.jobs(request, self._task)
        offers = jobs[-1].snapshot().offers if jobs else ()
        nothing = {self._picker.list: gr.skip()}
        if not (place or "").isdecimal() or int(place) >= len(offers):
            return nothing
        offer, model = offers[int(place)], jobs[-1].model
        if not offer.changes:
            self._page.studio.try_again(model)
            return nothing
        changes, found = dict(offer.changes), dict(nothing)
        if wanted := changes.pop("model", ""):
            choices, _ = self._picker.choices(language(request), wanted)
            found = {self._picker.list: gr.update(choices=choices, value=wanted)}
        special = self._filled(changes, wanted or model) if self._filled else {}
        plain = {name: _typed(value) for name, value in changes.items()}
        named = {name: value for name, value in {**plain, **special}.items() if name in self._of}
        return found | {self._of[name]: gr.update(value=value) for name, value in named.items()}


def _typed(value: Any) -> Any:
    """A value as a field has it: numbers are texts, and what is left to the model is empty."""
    if value is None or isinstance(value, bool | str):
        return "" if value is None else value
    return f"{value:g}"
