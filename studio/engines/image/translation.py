"""A request as a small model reads it, by the glossary beside its files, and what the person should know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from studio.requests import ImageRequest
from studio.tasks.image import glossary

Notes = list[tuple[str, dict[str, Any]]]


def translate_request(request: ImageRequest, table: Mapping[str, str]) -> tuple[ImageRequest, Notes]:
    """The request with its texts in English; unchanged where there is nothing to translate."""
    texts = (request.prompt, request.negative_prompt, *request.prompts)
    readings = [glossary.read_prompt(text, table) for text in texts]
    prompt, negative, *prompts = (reading.prompt for reading in readings)
    if (prompt, negative, *prompts) == texts:
        return request, []
    notes: Notes = []
    if (first := prompts[0] if prompts else prompt) and first not in texts:
        given = request.prompts[0] if prompts else request.prompt
        notes.append(("read_as" if glossary.chinese(given) else "known_as", {"prompt": first}))
    if unknown := dict.fromkeys(word for reading in readings for word in reading.unknown):
        notes.append(("unknown_words", {"words": "、".join(unknown)}))
    return replace(request, prompt=prompt, negative_prompt=negative, prompts=tuple(prompts)), notes
