"""The versions of a message side by side, each with who wrote it, and a button that keeps it."""

from __future__ import annotations

import html

from studio.catalog import variants
from studio.i18n import text
from studio.tasks.chat.conversation import Chat, Entry
from tabs.chat import answers
from tabs.shared import prose

MOST = 4
"""More stand too narrow to be read."""


def draw(chat: Chat, place: int, spoken: str) -> str:
    """The row of one message, with all its versions."""
    ways, (shown, _) = chat.ways(place), chat.versions(place)
    columns = "".join(_column(way[0], place, number, number == shown, spoken) for number, way in enumerate(ways, 1))
    return f'<div class="a-message a-beside" data-place="{place}">{columns}</div>'


def _column(entry: Entry, place: int, number: int, shown: bool, spoken: str) -> str:
    mine = entry.role == "user"
    body = prose.raw(entry.content) if mine else answers.answer(entry.content, spoken)
    kept = html.escape(text("chat.keep_shown" if shown else "chat.keep", spoken), quote=True)
    here = " aria-current=true" if shown else ""
    return (
        f'<section class="a-version"{here}><p class="a-note">{_maker(entry, spoken)}</p>'
        f'<div class="prose">{body}</div><div class="a-message-tools"><button type="button" data-chat-do="keep" '
        f'data-at="{place}" data-words="{number}" aria-label="{kept}">{kept}</button></div></section>'
    )


def _maker(entry: Entry, spoken: str) -> str:
    """Model and tokens a second of an answer, as far as its recipe tells."""
    recipe = entry.recipe if isinstance(entry.recipe, dict) else {}
    model = recipe.get("model")
    if not isinstance(model, dict) or not all(isinstance(model.get(key), str) for key in ("id", "title")):
        return ""
    return html.escape(variants.called(model["id"], model["title"], spoken))
