"""Presets on the page: three of ours and those that a person saved under a name."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.library.presets import Preset
from studio.tasks.chat.conversation import Chat
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import PASSING

OURS = {
    "own": Preset("own"),
    "precise": Preset("precise", parameters={"temperature": 0.2, "top_p": 0.9}),
    "inventive": Preset("inventive", parameters={"temperature": 1.0, "top_p": 1.0, "min_p": 0.05}),
}
"""What every person has. The first gives everything back to the model."""
_MARK = "="
"""Before the name of one of ours: a person may give the same name to another."""


class PresetRow:
    """A list in which one is chosen, and, on one's own machine, what keeps and removes one."""

    def __init__(self, page: Page) -> None:
        self._page = page
        own = not page.studio.settings.public
        info = t("help.preset" if own else "help.presets")
        with gr.Row(elem_classes="a-presets"):
            self.list = gr.Dropdown(
                self.choices("en"), value=None, label=t("label.preset"), info=info,
                allow_custom_value=own, elem_id="chat-preset", elem_classes=PASSING, scale=3,
            )  # fmt: skip
            if own:
                self._save = gr.Button(t("chat.preset_save"), size="sm", min_width=0, elem_id="chat-preset-save")
                self._delete = gr.Button(t("chat.preset_delete"), size="sm", min_width=0, elem_id="chat-preset-delete")
        self._told = gr.HTML(elem_id="chat-preset-told", elem_classes="a-live")

    def choices(self, spoken: str) -> list[tuple[str, str]]:
        """(what is shown, what is meant)."""
        ours = [(text(f"chat.preset_{name}", spoken), _MARK + name) for name in OURS]
        own = () if self._page.studio.settings.public else self._page.studio.presets.all()
        return [*ours, *((preset.name, preset.name) for preset in own)]

    def wire(self, settings: Any, keep: Any, where: list[Any], here: str) -> None:
        """Fill the fields with what is chosen, and keep it in the conversation as if it had been typed.

        Args:
            settings: the fields (tabs.chat.settings). keep, where, here: the event that keeps them.
        """
        fields = [part for part in settings.fields if part is not settings.model]
        chosen = self.list.input(self._fill(settings), self.list, fields, **quick())
        chosen.then(keep, where, None, js=here, **quick())
        if self._page.studio.settings.public:
            return
        outputs = [self.list, self._told]

        def save(name: str | None, request: gr.Request, *values: Any) -> tuple[Any, Any]:
            spoken, name = language(request), (name or "").removeprefix(_MARK).strip()
            try:
                asked = settings.read(values)
                chat = settings.keep(Chat(id=""), asked)
                self._page.studio.presets.save(Preset(name, chat.system, chat.parameters))
            except StudioError as error:
                return gr.skip(), job_progress.failure(error, spoken)
            told = job_progress.note(text("chat.preset_saved", spoken, name=name))
            return gr.update(choices=self.choices(spoken), value=name), told

        def delete(name: str | None, request: gr.Request) -> tuple[Any, Any]:
            spoken = language(request)
            try:
                self._page.studio.presets.delete(name or "")
            except StudioError as error:
                return gr.skip(), job_progress.failure(error, spoken)
            return gr.update(choices=self.choices(spoken), value=None), ""

        self._save.click(save, [self.list, *settings.fields], outputs, **quick())
        self._delete.click(delete, self.list, outputs, **quick())

    def _fill(self, settings: Any) -> Any:
        def fill(name: str | None) -> list[Any]:
            presets = {_MARK + key: preset for key, preset in OURS.items()}
            presets |= {preset.name: preset for preset in self._page.studio.presets.all()}
            if (preset := presets.get(name or "")) is None:
                return [gr.skip()] * (len(settings.fields) - 1)
            return settings.typed(preset.system, preset.parameters)

        return fill
