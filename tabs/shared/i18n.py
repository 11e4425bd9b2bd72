"""Texts on the page. Labels are looked up by the browser, what the server says is looked up here.

The language is the one that the person chose on the page (a cookie), else the browser's own.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from studio import i18n

COOKIE = "atelier_language"


_LABELS: set[str] = set()
"""Keys of the texts that the browser looks up."""


def t(key: str) -> Any:
    """The text for `key` as a label: the browser shows it in its language."""
    if key not in i18n.table("en"):
        raise KeyError(key)
    _LABELS.add(key)
    return I18nData(key)


def said(key: str, tag: str = "span", classes: str = "") -> str:
    """An element of HTML with the text for `key`, which the browser puts into it in its language (page.js)."""
    t(key)
    named = f' class="{classes}"' if classes else ""
    return f'<{tag}{named} data-say="{key}"></{tag}>'


def labels() -> gr.I18n:
    """The texts that the page built so far has as labels, in the form that `launch` hands to the browser."""
    tables = {"en": i18n.table("en"), "zh-CN": i18n.table("en") | i18n.table("zh-CN")}
    return gr.I18n(**{name: {key: table[key] for key in sorted(_LABELS)} for name, table in tables.items()})


def language(request: gr.Request | None) -> str:
    """The language of the person who asks."""
    if request is None:
        return "en"
    chosen = cookies(request).get(COOKIE)
    return i18n.best(chosen or request.headers.get("accept-language", ""))


def cookies(request: gr.Request) -> dict[str, str]:
    """The cookies of a request; Gradio keeps them where it was called over HTTP only."""
    return dict(getattr(request, "cookies", None) or {})
