"""Presets of conversations: three of ours, and how the fields become one and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.library.presets import Preset
from studio.tasks.chat.conversation import Chat
from tabs.shared.preset_row import OWN, Form

OURS = {
    **OWN,
    "precise": Preset("precise", {"temperature": 0.2, "top_p": 0.9}),
    "inventive": Preset("inventive", {"temperature": 1.0, "top_p": 1.0, "min_p": 0.05}),
}
"""What every person has. The first gives everything back to the model."""


def form(settings: Any) -> Form:
    """The fields of a conversation but for its model, which is the conversation's own (tabs.chat.settings)."""
    fields = [part for part in settings.fields if part is not settings.model]

    def read(values: Sequence[Any]) -> Mapping[str, Any]:
        chat = settings.keep(Chat(id=""), settings.read(tuple(values)))
        return {"system": chat.system, **chat.parameters}

    def fill(values: Mapping[str, Any], _: str) -> tuple[dict[Any, Any], str]:
        system = values.get("system", "")
        typed = settings.typed(system if isinstance(system, str) else "", values)
        return dict(zip(fields, typed, strict=True)), ""

    return Form(settings.fields, fields, read, fill)
