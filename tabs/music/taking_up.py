"""What the music tab takes up of the library: a piece with how it was made, or a sound to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabs.music.fields import TASK, Fields
from tabs.music.result import Result
from tabs.shared.context import Page
from tabs.shared.taking import Taken, Taker


def register(page: Page, fields: Fields, result: Result) -> None:
    """Name them to the library."""

    def again(taken: Taken, spoken: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
        changes = result.beside(taken.artifact, spoken, values[result.shown] or ()) if taken.artifact else {}
        return changes | (fields.filled(taken.recipe, spoken) if taken.recipe is not None else {})

    def sound(taken: Taken, _: str, __: Mapping[Any, Any]) -> dict[Any, Any]:
        return fields.sound.going_on(taken.file, 0.0)

    outputs = tuple(dict.fromkeys((*result.outputs, *fields.restoring)))
    page.takers += [
        Taker("music.open", TASK, ("sound",), again, outputs, (result.shown,)),
        Taker("music.sound", TASK, ("sound",), sound, tuple(fields.restoring)),
    ]
