"""Settings of a conversation: model, system prompt and sampling. Each conversation keeps its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.library.chats import Chats
from studio.requests import ChatRequest
from studio.tasks.chat.conversation import Chat, Note
from tabs.chat.presets import OURS
from tabs.shared.context import Page
from tabs.shared.i18n import t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.preset_row import PresetRow
from tabs.shared.widgets import fold, number, read_number, read_whole, seed_row, typed_number

NUMBERS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens", "seed", "thinking_budget")
NAMES = (*NUMBERS, "opening", "stop", "schema", "summarise")
MOST_OTHERS = 6
"""Models that are offered for another answer to the same question."""
_WHOLE = ("top_k", "max_tokens", "seed", "thinking_budget")


class ChatSettings:
    """The fields, and the way from them to a conversation and back."""

    def __init__(self, page: Page, picker: ModelPicker) -> None:
        self._page, self._picker = page, picker
        with fold("chat-more", "page.more"):
            self.presets = PresetRow(page, "chat", OURS)
            self.system = gr.Textbox(
                label=t("label.system"), info=t("help.system"), lines=2, max_lines=8, elem_id="chat-system"
            )
            of: dict[str, gr.Textbox] = {}
            for names in (NUMBERS[:3], NUMBERS[3:6]):
                with gr.Row():
                    for name in names:
                        of[name] = number("chat", name)
            with gr.Row():
                of["seed"] = seed_row("chat")
                of["thinking_budget"] = number("chat", "thinking_budget")
            with gr.Row():
                for name in ("opening", "stop", "schema"):
                    of[name] = gr.Textbox(
                        label=t(f"label.chat_{name}"), info=t(f"help.chat_{name}"), lines=1, max_lines=6,
                        elem_id=f"chat-{name}-words", min_width=160,
                    )  # fmt: skip
            self.summarise = gr.Checkbox(
                False, label=t("label.chat_summarise"), info=t("help.chat_summarise"), elem_id="chat-summarise"
            )
        self.of = of
        self.model = picker.list
        self.fields = [picker.list, self.system, *of.values(), self.summarise]

    def read(self, values: tuple[Any, ...]) -> ChatRequest:
        """What the fields ask for. Raises StudioError where a number is none."""
        model, system, *typed, opening, stop, schema, summarise = values
        numbers: dict[str, Any] = {
            name: (read_whole if name in _WHOLE else read_number)(name, value)
            for name, value in zip(NUMBERS, typed, strict=True)
        }
        return ChatRequest(
            messages=(), model=model or "", system=(system or "").strip(), opening=opening or "",
            schema=(schema or "").strip(), summarise=bool(summarise),
            stop=tuple(line for line in (stop or "").splitlines() if line), **numbers,
        )  # fmt: skip

    def keep(self, chat: Chat, asked: ChatRequest) -> Chat:
        """A conversation that is answered so from now on. What only other programs set stays."""
        said = {name: getattr(asked, name) for name in NAMES}
        given = {name: one for name, one in said.items() if one not in (None, "", ()) and one is not False}  # 0 is said
        others = {name: value for name, value in chat.parameters.items() if name not in NAMES}
        parameters = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return replace(chat, model=asked.model, system=asked.system, parameters={**others, **parameters})

    def store(self, chats: Chats, id: str, values: tuple[Any, ...], *, chosen: bool = False) -> None:
        """Keep the fields in a conversation that was begun; `chosen`: its model too, which may be one that is not here.

        A number that is none is told when something is sent.
        """

        def changed(chat: Chat) -> Chat:
            kept = self.keep(chat, asked)
            return kept if chosen else replace(kept, model=chat.model)

        try:
            asked = self.read(values)
            if id:
                chats.change(id, changed, quiet=True)
        except StudioError:
            return

    def show(self, chat: Chat, spoken: str) -> dict[Any, Any]:
        """Updates of the fields. A model that is not here leaves the one that is chosen."""
        fields = (part for part in self.fields if part is not self.model)
        shown: dict[Any, Any] = dict(zip(fields, self.typed(chat.system, chat.parameters), strict=True))
        shown[self.presets.list] = gr.update(choices=self.presets.choices(spoken), value=None)
        shown[self.presets.chosen] = ""
        if self.here(chat.model):
            choices, _ = self._picker.choices(spoken, chat.model)
            shown[self._picker.list] = gr.update(choices=choices, value=chat.model)
        return shown

    def typed(self, system: str, parameters: Mapping[str, Any]) -> list[str | bool]:
        """What stands in the fields after the model's, for a system prompt and parameters from a file."""
        words = (_typed(parameters.get(name)) for name in self.of)
        return [system, *words, parameters.get("summarise") is True]

    def here(self, model: str) -> bool:
        """Whether a model can answer at once."""
        return self._page.studio.models.here("chat", model)

    def others(self, chat: Chat, spoken: str) -> list[tuple[str, str]]:
        """(id, title) of models that are here, besides the one that answers in a conversation; the first few."""
        models = self._page.studio.models.list("chat")
        ready = [one.card for info in models for one in (info, *info.variants) if one.usable]
        title = self._page.title
        return [(card.id, title(card.id, spoken)) for card in ready if card.id != chat.model][:MOST_OTHERS]

    def missing(self, chat: Chat, used: str, spoken: str) -> Note | None:
        """That the model of a conversation is not here and another one answers; None where that is not so."""
        if not chat.model or chat.model == used or self.here(chat.model):
            return None
        title = self._page.title
        return "model_missing", {"model": title(chat.model, spoken), "used": title(used, spoken)}

    def notice(self, chat: Chat, used: str | None, spoken: str) -> str:
        """The same in words, for a conversation that was just opened."""
        note = self.missing(chat, used or "", spoken)
        return text(f"chat.{note[0]}", spoken, **note[1]) if note else ""


def _typed(value: object) -> str:
    """A value as it is typed."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return "\n".join(line for line in value if isinstance(line, str))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return typed_number(value)
