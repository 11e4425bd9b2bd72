"""An answer as the page shows it: what was thought aloud folded away, the rest as Markdown."""

from __future__ import annotations

import html

from studio.i18n import text
from studio.tasks.chat import thoughts
from tabs.shared import prose


def answer(said: str, spoken: str, *, over: bool = True) -> str:
    """The HTML of an answer; `over`: nothing more comes of it."""
    drawn = prose.prose if over else prose.draft
    thought, rest = thoughts.split(said)
    if not thought:
        return drawn(rest, spoken)
    title = html.escape(text(f"chat.{'thoughts' if over or rest else 'thinking'}", spoken))
    opened = "" if rest.strip() else " open"
    return (
        f'<details class="a-thoughts"{opened}><summary>{title}</summary>{drawn(thought, spoken)}</details>'
        f"{drawn(rest, spoken)}"
    )
