"""Labels in another language without a reload.

Gradio puts labels into the language of the page when a component is drawn, and again when the language changes while it
stands there. One that was away meanwhile, as a Run button while something runs, comes back in the language it left
with. So every label is told anew, by one handler a tab (assets/page/language.js presses it).
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from tabs.shared.context import Page
from tabs.shell.lazy_tabs import below

_TEXTS = ("label", "info", "placeholder", "value")
MARK = "__i18n__{"
"""Begins what Gradio sends of a text that the browser looks up."""


def wire(page: Page, room: Any) -> None:
    """Have the labels of everything below `room`, a tab, told anew."""
    labels = {part: said for part in below(room) if (said := _said(part))}

    def tell() -> dict[Any, Any]:
        return {part: gr.update(**dict[str, Any](said)) for part, said in labels.items()}

    with room:
        page.localised(tell, None, list(labels), on_opening=False)


def _said(part: Any) -> dict[str, str]:
    found = {name: getattr(part, name, None) for name in _TEXTS}
    return {name: str(said) for name, said in found.items() if isinstance(said, str | I18nData) and MARK in str(said)}
