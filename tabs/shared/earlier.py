"""Earlier prompts of a tab, for the keys that walk through them (assets/page/fields.js)."""

from __future__ import annotations

import html
import json

from studio.requests import Task
from tabs.shared.context import Page

MOST = 50
_FIELDS = ("prompt", "negative_prompt")


def walked(page: Page, task: Task) -> str:
    """The prompts and negative prompts of earlier outputs, newest first, as HTML that nobody sees; none on a public
    studio."""
    return "".join(_one(f"{task}-{name.replace('_', '-')}", page.studio.prompts(MOST, task, name)) for name in _FIELDS)


def _one(field: str, known: tuple[str, ...]) -> str:
    packed = html.escape(json.dumps(known, ensure_ascii=False), quote=True)
    return f'<i hidden data-earlier="{field}" data-prompts="{packed}"></i>'
