"""What the image tab takes up of the library: a picture as it was made, or for any of the places that take one."""

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

    def region(taken: Taken, _: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
        return fields.regions.taken(values, taken.file.read_bytes())

    both = tuple(dict.fromkeys((*result.outputs, *restoring.outputs)))
    page.takers += [
        Taker("image.open", TASK, ("picture",), again, both, queued=True),
        Taker("image.start", TASK, ("picture",), start, (fields.begin,), queued=True, after=_OPEN_START),
        Taker(
            "image.edit", TASK, ("picture",), edit, tuple(fields.editing.adding), tuple(fields.editing.inputs),
            after=_OPEN_START,
        ),
        Taker(
            "image.region", TASK, ("picture",), region, (fields.of["region_map"],), tuple(fields.regions.inputs),
            after="() => atelier.unfold('image-regions')",
        ),
    ]  # fmt: skip
    _slots(page, fields)


def _slots(page: Page, fields: Fields) -> None:
    """Pictures that steer, and pictures that are shown to the model: into the first slot that is free."""
    steering, references = fields.steering, fields.references
    if steering is None or references is None:  # a public studio has neither, and no library
        return

    def control(taken: Taken, _: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
        return steering.taken(values, page.publish(taken.file))

    def reference(taken: Taken, _: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
        return references.taken(values, page.publish(taken.file))

    def mask(taken: Taken, _: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
        return references.masked(values, page.publish(taken.file))

    for name, put, part, of, fold in (
        ("control", control, steering, page.studio.controlnets, "image-control"),
        ("reference", reference, references, page.studio.ipadapters, "image-reference"),
        ("reference_mask", mask, references, page.studio.ipadapters, "image-reference"),
    ):
        page.takers.append(
            Taker(
                f"image.{name}", TASK, ("picture",), put, tuple(part.taking), tuple(part.inputs),
                able=lambda of=of: bool(of()), queued=True, after=f"() => atelier.unfold('{fold}')",
            )
        )  # fmt: skip
