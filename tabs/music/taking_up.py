"""What the music tab takes up of the library: a piece with how it was made, or a sound to go on from or to follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.requests import MusicRequest, SoundUse
from tabs.music.fields import TASK, Fields
from tabs.music.result import Result
from tabs.shared.context import Page
from tabs.shared.taking import Taken, Taker


def register(page: Page, fields: Fields, result: Result) -> None:
    """Name them to the library."""

    def again(taken: Taken, spoken: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
        changes = result.beside(taken.artifact, spoken, values[result.shown] or ()) if taken.artifact else {}
        return changes | (fields.filled(taken.recipe, spoken) if taken.recipe is not None else {})

    def hearing(use: SoundUse) -> Taker:
        def put(taken: Taken, spoken: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
            chosen = fields.sound.going_on(taken.file, 0.0) | {fields.of["sound_use"]: use}
            model = hearer(page, use, str(values[fields.of["model"]] or ""))
            if model and model != values[fields.of["model"]]:
                choices, _ = fields.picker.choices(spoken, model)
                chosen[fields.of["model"]] = gr.update(choices=choices, value=model)
            return chosen

        return Taker(
            {"continue": "music.sound", "follow": "music.melody"}[use], TASK, ("sound",), put,
            (*fields.sound.inputs, fields.of["model"]), (fields.of["model"],), able=lambda: bool(hearer(page, use)),
            after="() => atelier.unfold('music-hear')",
        )  # fmt: skip

    outputs = tuple(dict.fromkeys((*result.outputs, *fields.restoring)))
    page.takers += [
        Taker("music.open", TASK, ("sound", "notes"), again, outputs, (result.shown,)),
        hearing("continue"),
        hearing("follow"),
    ]


def hearer(page: Page, use: SoundUse, chosen: str = "") -> str:
    """A model that does with a sound what is wanted: the chosen one where it does, else the first; "" where none is."""
    if use in page.studio.hears(chosen):
        return chosen
    first = page.studio.default_model(TASK, MusicRequest(prompt="", sound=b"\0", sound_use=use)).id
    return first if use in page.studio.hears(first) else ""
