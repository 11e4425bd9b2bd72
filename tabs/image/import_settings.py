"""Settings out of a picture or a pasted text, into the fields: one line says what was found, or why nothing was."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from studio.catalog import variants
from studio.catalog.card import Card
from studio.errors import StudioError
from studio.i18n import text
from studio.recipes import inspect, origins
from studio.recipes.inspect import Restored
from studio.status import ModelInfo
from tabs.image import form, source
from tabs.image.fields import Fields, queued
from tabs.image.missing import Missing
from tabs.image.result import editor
from tabs.shared import job_progress, uploaded
from tabs.shared.context import Page
from tabs.shared.i18n import language

MAX_BYTES = 200_000_000


class Restoring:
    """Puts what a picture was made with into the fields."""

    def __init__(self, page: Page, fields: Fields, missing: Missing) -> None:
        self._page, self._fields, self._missing = page, fields, missing
        names = [*form.EMPTY, "model"]
        self.outputs = [
            fields.restored,
            fields.begin,
            *[fields.of[name] for name in names],
            fields.drop,
            missing.paired,
            *fields.editing.outputs,
            *fields.regions.outputs,
            *(fields.steering.outputs if fields.steering is not None else ()),
            *(fields.references.outputs if fields.references is not None else ()),
        ]

    def wire(self) -> None:
        fields = self._fields
        fields.restore.upload(self._file, fields.restore, [*self.outputs, fields.restore], **queued())
        fields.read.click(self._text, fields.of["prompt"], self.outputs, **queued())

    def _file(self, file: str | None, request: gr.Request) -> dict[Any, Any]:
        changes = self.take(self.content(file), language(request)) if file else {}
        return {**changes, self._fields.restore: None}  # so that the same file can be dropped again

    def _text(self, prompt: str, request: gr.Request) -> dict[Any, Any]:
        return self._put(inspect.from_text(prompt or ""), language(request))

    def take(self, data: bytes, spoken: str) -> dict[Any, Any]:
        """Changes to the fields for a file; only a message where it has nothing to tell."""
        return self._put(inspect.read_settings(data), spoken)

    def take_recipe(self, made: dict[str, Any], spoken: str) -> dict[Any, Any]:
        """The same for a recipe that is known already: that of a picture kept without metadata lies beside it."""
        return self._put(inspect.restore_recipe(made), spoken)

    @staticmethod
    def content(file: str) -> bytes:
        """The file as it came; nothing where it is too large or gone."""
        try:
            return uploaded.read_upload(file, MAX_BYTES)
        except StudioError:
            return b""

    def _put(self, found: Restored | None, spoken: str) -> dict[Any, Any]:
        line = self._fields.restored
        if found is None:
            return {line: job_progress.failure(StudioError("nothing_to_restore"), spoken)}
        if found.unread:
            return {
                line: job_progress.failure(StudioError("settings_not_read", program=_program(found, spoken)), spoken)
            }
        if not found.fields and found.recipe and found.recipe["task"] == "upscale":
            return {line: job_progress.failure(StudioError("only_enlarged"), spoken)}
        if not _usable(found):
            return {line: job_progress.failure(StudioError("broken_metadata"), spoken)}
        model, models = found.model, self._page.studio.models.list("image")
        known = _known(found, models, self._page.studio.own.hashed(found.model_hash) if found.model_hash else "")
        here = known is not None and (known.usable or known.card.starter)
        card = known.card if known is not None and here else self._page.studio.default_model("image")
        picture, missing = self._source(found)
        values = form.fields({**found.fields, "image": bool(picture)}, card)
        changes = self._fields.fill(values) | self._missing.shown(values, spoken)
        if known is not None and here:
            choices, _ = self._fields.picker.choices(spoken, card.id)
            changes[self._fields.of["model"]] = gr.update(choices=choices, value=card.id)
        changes |= self._fields.started(picture)
        missing = self._steered(found, changes) or missing
        missing = self._edited(found, card, changes, spoken) or missing
        missing = self._referred(found, changes) or missing
        missing = self._parted(found, changes) or missing
        ours = found.form in ("atelier", "a1111")
        words = [text(f"image.restored_{found.form if ours else 'by'}", spoken, program=_program(found, spoken))]
        if not found.fields.get("prompt"):
            del changes[self._fields.of["prompt"]]
            words.append(text("image.restored_no_prompt", spoken))
        if known is not None and here:
            words.append(text("image.restored_here", spoken, model=variants.title(known.card, spoken)))
        elif known is not None or model:
            named = variants.title(known.card, spoken) if known is not None else model
            words.append(text("image.restored_away", spoken, model=named))
        if found.recipe and (steps := origins.enlargements(found.recipe)):
            scale, by = form.plain(origins.factor(found.recipe)), ", ".join(name for _, name in steps)
            named = "image.restored_enlarged" if scale != "1" else "image.restored_cleaned_up"
            words.append(text(named, spoken, scale=scale, model=by))
        if missing:
            words.append(text("image.restored_no_source", spoken))
        if absent := self._missing.names(values):
            words.append(text("image.restored_missing", spoken, names=", ".join(absent)[:400]))
        if found.unknown:
            words.append(text("image.restored_unknown", spoken, names=", ".join(found.unknown)[:400]))
        if found.wrong:
            words.append(text("image.restored_wrong", spoken, names=", ".join(found.wrong)[:400]))
        if found.broken:
            words.append(text("image.restored_partly", spoken))
        changes[line] = f'<div class="a-note a-taken" role="status">{html.escape(" ".join(words))}</div>'
        return changes

    def _source(self, found: Restored) -> tuple[dict[str, Any] | None, bool]:
        """The editor's value for the picture that it started from, and whether there was one that is not here."""
        given = origins.painting(found.recipe)["parameters"] if found.recipe else {}
        image, mask = self._kept(given.get("image")), self._kept(given.get("mask"))
        if image is None:
            return None, bool(_size(given.get("image")))
        try:
            drawing = source.start(source.Drawing(image))
            layer = source.strokes(mask, (drawing.width, drawing.height)) if mask else b""
        except StudioError:
            return None, True
        paint = self._page.offer(layer, "mask.png") if layer else ""
        return editor(self._page.offer(image, "start.png"), paint), False

    def _steered(self, found: Restored, changes: dict[Any, Any]) -> bool:
        """Puts the controls into their slots; whether one of their pictures is not here, or none is told."""
        if self._fields.steering is None:
            return False
        controls = found.fields.get("controls", ())
        given = origins.painting(found.recipe)["parameters"].get("controls") if found.recipe else None
        named = [one.get("image") if isinstance(one, dict) else None for one in given or ()]
        kept = [self._kept(named[place]) if place < len(named) else None for place in range(len(controls))]
        files = [self._page.offer(data, "control.png") if data else None for data in kept]
        changes |= self._fields.steering.restored(controls, files)
        return None in files

    def _edited(self, found: Restored, card: Card, changes: dict[Any, Any], spoken: str) -> bool:
        """Puts the pictures that were edited into their slots; whether one of them is not here."""
        count = len(found.fields.get("pictures", ()))
        given = origins.painting(found.recipe)["parameters"].get("pictures") if found.recipe else None
        named = given if isinstance(given, list) else []
        kept = [self._kept(named[place]) if place < len(named) else None for place in range(count)]
        files = [self._page.offer(data, "picture.png") if data else None for data in kept]
        changes |= self._fields.editing.restored(files, card, spoken)
        return None in files

    def _referred(self, found: Restored, changes: dict[Any, Any]) -> bool:
        """The same of reference pictures; also whether one of their masks is not here."""
        if self._fields.references is None:
            return False
        references = found.fields.get("references", ())
        given = origins.painting(found.recipe)["parameters"].get("references") if found.recipe else None
        named = [one if isinstance(one, dict) else {} for one in given or ()]
        named = [*named, *[{}] * len(references)][: len(references)]
        kept = [(self._kept(one.get("image")), self._kept(one.get("mask"))) for one in named]
        names = ("reference.png", "mask.png")
        offered = [
            [self._page.offer(data, name) if data else None for data, name in zip(two, names, strict=True)]
            for two in kept
        ]
        changes |= self._fields.references.restored(references, [(picture, mask) for picture, mask in offered])
        lost = (bool(_size(one.get("mask"))) and mask is None for one, (_, mask) in zip(named, kept, strict=True))
        return any(image is None for image, _ in kept) or any(lost)

    def _parted(self, found: Restored, changes: dict[Any, Any]) -> bool:
        """Puts the regions into their fields; whether one of their masks is not here."""
        regions = found.fields.get("regions", ())
        given = origins.painting(found.recipe)["parameters"].get("regions") if found.recipe else None
        named = [one.get("mask") if isinstance(one, dict) else None for one in given or ()]
        files = [self._kept(named[place]) if place < len(named) else None for place in range(len(regions))]
        try:
            changes |= self._fields.regions.restored(regions, files)
        except StudioError:
            changes |= self._fields.regions.restored(regions, [None] * len(regions))
            return True
        return None in files

    def _kept(self, named: Any) -> bytes | None:
        if not _size(named):
            return None
        return self._page.studio.source(str(named.get("sha256", "")))


def _program(found: Restored, spoken: str) -> str:
    return found.program if found.form != "other" else text("image.other_program", spoken)


def _usable(found: Restored) -> bool:
    """Whether there is something in it; of a damaged text that may be a few words by chance."""
    return bool(found.fields) and (not found.broken or {"prompt", "seed"} <= found.fields.keys())


def _size(named: Any) -> int:
    size = named.get("bytes") if isinstance(named, dict) else 0
    return size if isinstance(size, int) else 0


def _known(found: Restored, models: tuple[ModelInfo, ...], hashed: str = "") -> ModelInfo | None:
    """The model of the catalogue that is meant: by its file's hash, its id, its title, or the end of its hub's name.

    Args:
        hashed: the id of the model whose file has the hash; "" where none has.
    """
    if (same := next((model for model in models if hashed and model.card.id == hashed), None)) is not None:
        return same
    wanted = _plain(found.model)
    if not wanted:
        return None
    for info in (one for model in models for one in (model, *model.variants)):
        card = info.card
        names = (card.id, card.title, card.source.repo, card.source.repo.rpartition("/")[2])
        if wanted in [_plain(name) for name in names if name]:
            return info
    return None


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())
