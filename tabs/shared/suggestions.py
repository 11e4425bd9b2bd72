"""One button for each thing that may help where memory did not suffice, under the error, in every tab.

The buttons are part of the error's own HTML (tabs.shared.job_progress). A click sets the tab's fields, where they stay
to be seen and are kept with the result, and runs again. Where the fields are not what was asked with, the job itself is
asked once more. Which offer a place stands for, the server knows from the job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr

from studio.jobs.job import Job
from studio.requests import Task
from studio.results import Offer
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language
from tabs.shared.model_picker import ModelPicker

_TAKEN = "() => [String(atelier.offered ?? '')]"

Filled = Callable[[Mapping[str, Any], str], dict[str, Any]]
"""What the fields of a tab become for changes to a request, given the model that it will be asked for, by name."""

Repeat = Callable[[Job, Mapping[str, Any], gr.Request], Iterator[dict[Any, Any]]]
"""Runs a job that failed once more, with changes to its request, and drives the tab."""


class Offers:
    """The hidden parts that hear a click.

    Args:
        of: the tab's fields by name; those of the request have its names.
        filled: what becomes of other fields than numbers, switches and the model.
        apart: whether a job was asked for with other things than the tab's fields.
        repeat: runs such a job again.
    """

    def __init__(
        self,
        page: Page,
        task: Task,
        picker: ModelPicker,
        of: Mapping[str, Any],
        filled: Filled | None = None,
        apart: Callable[[Job], bool] = lambda _: False,
        repeat: Repeat | None = None,
    ) -> None:
        self._page, self._picker, self._of, self._filled = page, picker, of, filled
        self._apart, self._repeat = apart, repeat
        self._task: Task = task
        self._place = gr.Textbox(visible="hidden", elem_classes="a-hidden")
        self._due = gr.Textbox(visible="hidden", elem_classes="a-hidden")  # "JOB PLACE", where a job is repeated
        self._take = gr.Button(visible="hidden", elem_id=f"{task}-offer", elem_classes="a-hidden")

    def wire(self, **run: Any) -> Any:
        """Let a click set the fields and then do what the run button does, the arguments of whose `click` these are.

        Returns the event, for what follows a run. Where jobs can be repeated, `fn` takes its inputs by component.
        """
        if (repeat := self._repeat) is not None:
            fill = run["fn"]

            def again(values: dict[Any, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
                id, _, place = (values.pop(self._due) or "").partition(" ")
                if (found := self._offered(place, request)) is not None and found[0].id == id:
                    yield from repeat(found[0], found[1].changes, request)
                else:
                    yield from fill(values, request)

            run = {**run, "fn": again, "inputs": {*run["inputs"], self._due}}
        changed = [self._picker.list, self._due, *[part for name, part in self._of.items() if name != "model"]]
        return self._take.click(self._taken, self._place, changed, js=_TAKEN, **quick()).then(**run)

    def _offered(self, place: str, request: gr.Request) -> tuple[Job, Offer] | None:
        """The newest job of the tab and what it offers in a place."""
        jobs = self._page.jobs(request, self._task)
        offers = jobs[-1].snapshot().offers if jobs else ()
        return (jobs[-1], offers[int(place)]) if place.isdecimal() and int(place) < len(offers) else None

    def _taken(self, place: str, request: gr.Request) -> dict[Any, Any]:
        found: dict[Any, Any] = {self._picker.list: gr.skip(), self._due: ""}
        if (offered := self._offered(place or "", request)) is None:
            return found
        job, offer = offered
        apart = self._apart(job)
        if apart:
            found[self._due] = f"{job.id} {place}"
        if not offer.changes:
            self._page.studio.try_again(job.model)
        changes = dict(offer.changes)
        if apart and job.task != self._task:
            return found
        if wanted := changes.pop("model", ""):
            choices, _ = self._picker.choices(language(request), wanted)
            found[self._picker.list] = gr.update(choices=choices, value=wanted)
        special = self._filled(changes, wanted or job.model) if self._filled else {}
        plain = {name: _typed(value) for name, value in changes.items()}
        named = {name: value for name, value in {**plain, **special}.items() if name in self._of}
        return found | {self._of[name]: gr.update(value=value) for name, value in named.items()}


def _typed(value: Any) -> Any:
    """A value as a field has it: numbers are texts, and what is left to the model is empty."""
    if value is None or isinstance(value, bool | str):
        return "" if value is None else value
    return f"{value:g}"
