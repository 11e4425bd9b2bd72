"""Texts on the page. Labels are looked up by the browser, what the server says is looked up here.

The language is the one that the person chose on the page (a cookie), else the browser's own.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import gradio as gr

from studio import i18n

COOKIE = "atelier_language"


@cache
def tables() -> gr.I18n:
    """All texts in the form that `launch` hands to the browser."""
    chinese = i18n.table("en") | i18n.table("zh-CN")
    return gr.I18n(en=i18n.table("en"), zh=chinese, **{"zh-CN": chinese})


def t(key: str) -> Any:
    """The text for `key` as a label: the browser shows it in its language."""
    if key not in i18n.table("en"):
        raise KeyError(key)
    return tables()(key)


def language(request: gr.Request | None) -> str:
    """The language of the person who asks."""
    if request is None:
        return "en"
    chosen = cookies(request).get(COOKIE)
    return i18n.best(chosen or request.headers.get("accept-language", ""))


def cookies(request: gr.Request) -> dict[str, str]:
    """The cookies of a request; Gradio keeps them where it was called over HTTP only."""
    return dict(getattr(request, "cookies", None) or {})
