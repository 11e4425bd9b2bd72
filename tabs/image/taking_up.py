"""What the image tab takes up of the library: a picture as it was made, as the start, or to be edited with words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import StudioError
from tabs.image.fields import TASK, Fields
from tabs.image.import_settings import MAX_BYTES, Restoring
from tabs.image.result import Result, editor
from tabs.shared.context import Page
from tabs.shared.taking import Taken, Taker

_OPEN_START = "() => atelier.unfold('image-start')"


def register(page: Page, fields: Fields, result: Result, restoring: Restoring) -> None:
    """Name them to the library."""

    def again(taken: Taken, spoken: str, _: Mapping[Any, Any]) -> dict[Any, Any]:
        shown = result.put(taken.artifact, spoken) if taken.artifact is not None else {}
        if taken.recipe is not None:
            return shown | restoring.take_recipe(taken.recipe, spoken)
        if taken.item.size > MAX_BYTES:
            raise StudioError("nothing_to_restore")
        return shown | restoring.take(taken.file.read_bytes(), spoken)

    def start(taken: Taken, _: str, __: Mapping[Any, Any]) -> dict[Any, Any]:
        return fields.started(editor(page.publish(taken.file)))

    def edit(taken: Taken, spoken: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
        return fields.editing.added(dict(values), page.publish(taken.file), spoken)

    both = tuple(dict.fromkeys((*result.outputs, *restoring.outputs)))
    page.takers += [
        Taker("image.open", TASK, ("picture",), again, both, queued=True),
        Taker("image.start", TASK, ("picture",), start, (fields.begin,), queued=True, after=_OPEN_START),
        Taker(
            "image.edit", TASK, ("picture",), edit, tuple(fields.editing.adding), tuple(fields.editing.inputs),
            after=_OPEN_START,
        ),
    ]  # fmt: skip
