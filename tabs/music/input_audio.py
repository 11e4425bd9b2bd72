"""The sound that a piece starts from: a file or a recording, and what the model is to do with it.

Stands on the page only while a model is chosen that hears. Gradio stores the file; the studio decodes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.media import recordings
from studio.recipes import recipe
from studio.requests import SoundUse
from tabs.shared import uploaded
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.widgets import fold, number, typed_number

NAMES = ("sound", "sound_use", "sound_keep")


class SoundFields:
    """The parts, by the name of the request's field."""

    def __init__(self, page: Page, picker: ModelPicker) -> None:
        self._page, self._picker = page, picker
        uses = page.studio.hears(picker.choices("en")[1] or "")
        with gr.Column(visible=bool(uses), min_width=0, elem_classes="a-plain") as self._whole, \
                fold("music-hear", "music.from_sound"):  # fmt: skip
            self.of: dict[str, Any] = {
                "sound": gr.Audio(
                    label=t("label.sound"), sources=["upload", "microphone"], type="filepath", editable=False,
                    elem_id="music-sound", buttons=[],
                ),
                "sound_use": gr.Radio(
                    _choices(uses or ("continue",)), value=(uses or ("continue",))[0], label=t("label.sound_use"),
                    elem_id="music-sound-use",
                ),
                "sound_keep": number("music", "sound_keep", placeholder="music.all_of_it"),
            }  # fmt: skip

    @property
    def inputs(self) -> list[Any]:
        return list(self.of.values())

    def wire(self) -> None:
        """Show the parts for models that hear, and of them what each can do."""

        def changed(model: str | None, use: str | None) -> tuple[Any, Any]:
            uses = self._page.studio.hears(model or "")
            if not uses:
                return gr.update(visible=False), gr.update()
            kept = use if use in uses else uses[0]
            return gr.update(visible=True), gr.update(choices=_choices(uses), value=kept)

        asked, drawn = [self._picker.list, self.of["sound_use"]], [self._whole, self.of["sound_use"]]
        self._picker.list.change(changed, asked, drawn, preprocess=False, **quick())

    def filled(self, made: Mapping[str, Any]) -> tuple[dict[Any, Any], bool]:
        """The parts as a piece had them, and whether its sound is still here where it had one."""
        given = made["parameters"]
        hash = recipe.sources(made).get("sound")
        data = self._page.studio.source(hash) if hash else None
        file = self._page.offer(data, f"sound{recordings.ending(data)}") if data else None
        keep = given.get("sound_keep")
        number = isinstance(keep, int | float) and not isinstance(keep, bool) and keep > 0
        changes: dict[Any, Any] = {
            self.of["sound"]: file, self.of["sound_keep"]: typed_number(keep) if file and number else ""
        }  # fmt: skip
        if file and given.get("sound_use") in ("continue", "follow"):
            changes[self.of["sound_use"]] = given["sound_use"]
        return changes, not hash or data is not None

    def going_on(self, file: Path, seconds: float) -> dict[Any, Any]:
        """The parts for going on from a moment of a piece; from its end where no moment was chosen."""
        kept = f"{seconds:.2f}" if seconds >= 0.1 else ""
        return {
            self.of["sound"]: self._page.publish(file), self.of["sound_use"]: "continue", self.of["sound_keep"]: kept
        }  # fmt: skip


def taken_sound(page: Page, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the request takes of the parts' values; nothing for a model that does not hear.

    Raises:
        StudioError: the file is gone, or there is nothing in it.
    """
    file, uses = values.get("sound"), page.studio.hears(values.get("model") or "")
    if not file or not uses:
        return {}
    if not (data := uploaded.read_upload(file)):
        raise StudioError("file_empty", path=Path(file).name)
    return {"sound": data, "sound_use": values.get("sound_use") or uses[0]}


def _choices(uses: tuple[SoundUse, ...]) -> list[tuple[Any, str]]:
    return [(t(f"music.sound_{use}"), use) for use in uses]
