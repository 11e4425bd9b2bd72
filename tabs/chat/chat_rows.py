"""The list of conversations as the page shows it: HTML of our own, by day, with what can be done with each.

The page's script (assets/page/chats.js) turns presses into orders: what, with which conversation, with which words.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

from studio.i18n import text
from studio.library.chats import ChatInfo

_ACTIONS = ("pin", "rename", "markdown", "json", "delete")


def draw(found: Sequence[ChatInfo], current: str, spoken: str, today: date | None = None) -> str:
    """The rows of a list, `current` marked.

    Args:
        today: the day that is called so; by default this one.
    """
    day = today or datetime.now().astimezone().date()
    parts = []
    for name, rows in groupby(found, lambda info: _when(info, day, spoken)):
        parts.append(f'<h3>{html.escape(name)}</h3><ul aria-label="{html.escape(name, quote=True)}">')
        parts += [_row(info, info.id == current, spoken) for info in rows]
        parts.append("</ul>")
    actions = "".join(
        f'<button type="button" data-list-do="{what}">{_said(f"list_{what}", spoken)}</button>' for what in _ACTIONS
    )
    state = hashlib.sha256(repr(found).encode()).hexdigest()[:16]
    labels = f'data-state="{state}" data-name="{_said("name", spoken)}" data-pin="{_said("list_pin", spoken)}"'
    return (
        f'<div class="a-chats" {labels} data-unpin="{_said("unpin", spoken)}">{"".join(parts)}'
        f'<div class="a-menu-list" id="chat-row">{actions}</div></div>'
    )


def _row(info: ChatInfo, shown: bool, spoken: str) -> str:
    title = info.title or text("chat.untitled", spoken)
    here, pinned = (' aria-current="true"' if shown else ""), (" data-pinned" if info.pinned else "")
    return (
        f'<li data-id="{info.id}"{pinned}><button type="button" class="a-chat-open" data-list-do="open"{here}>'
        f'{html.escape(title)}</button><button type="button" class="a-menu-button" aria-expanded="false" '
        f'aria-controls="chat-row" aria-label="{_said("more_of", spoken, title=title)}">…</button></li>'
    )


def _when(info: ChatInfo, today: date, spoken: str) -> str:
    """The heading under which it stands."""
    if info.pinned:
        return text("chat.pinned", spoken)
    try:
        day = datetime.fromisoformat(info.updated).astimezone().date()
    except (ValueError, OverflowError):
        return text("chat.earlier_days", spoken)
    for days, key in ((0, "today"), (1, "yesterday"), (7, "week"), (30, "month")):
        if day >= today - timedelta(days):
            return text(f"chat.{key}", spoken)
    return text("chat.of_month", spoken, year=day.year, month=f"{day.month:02}")


def _said(key: str, spoken: str, **params: object) -> str:
    return html.escape(text(f"chat.{key}", spoken, **params), quote=True)
