"""A caption that may be wrong, in words: that it is not certain, or that there is nothing in the picture to name.

For one picture that a person looks at. What goes into a training set has the caption alone, and is marked in the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from studio.errors import StudioError
from studio.i18n import text
from studio.requests import CaptionRequest
from studio.tasks.caption.styles import language_asked

UNSURE = "caption_unsure"
STRANGE = ("caption_blank", "caption_noise", "caption_text", "caption_chart", "caption_screenshot")
"""Notes of a picture with no thing in it that could be named; errors of these names say so of one in a folder."""

Notes = Iterable[tuple[str, dict[str, Any]]]
_ZH = re.compile(r"[\u3400-\u9fff]")
_SPOKEN = ("plain",)
"""Styles in which a person is spoken to; tags, prompts and alt text are for machines, or for others to read."""


def strange(notes: Notes) -> str:
    """The note that there is nothing to name, where there is one."""
    return next((code for code, _ in notes if code in STRANGE), "")


def error(notes: Notes) -> StudioError | None:
    """Why a picture of a folder gets no caption."""
    return StudioError(code) if (code := strange(notes)) else None


def confidence(notes: Notes) -> int:
    """In percent, where a caption is not certain; else 0."""
    return next((max(1, int(params.get("percent", 1))) for code, params in notes if code == UNSURE), 0)


def spoken(caption: str, notes: Notes, request: CaptionRequest) -> str:
    """The caption as a person hears it, in the caption's own language."""
    notes = tuple(notes)
    chinese = _ZH.search(caption + request.prompt + request.opening) or language_asked(request.prompt) == "zh"
    language = "zh-CN" if chinese and language_asked(request.prompt) != "en" else "en"
    plain = request.style in _SPOKEN
    if code := strange(notes):
        return text(f"caption.said_{code.removeprefix('caption_')}{'' if plain else '_short'}", language)
    if plain and confidence(notes) and caption and not request.opening:
        first = caption[:1].lower() + caption[1:] if re.match(r"An? |The ", caption) else caption
        return text("caption.said_unsure", language, caption=first.rstrip(".。"))
    return caption
