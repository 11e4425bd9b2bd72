"""A change that a model proposes, line by line against what it would replace; and what is asked of a model in a chat.

The script keeps the selection that was handed over (assets/page/review.js); what comes back from the conversation is
shown against it, and taken or left.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import gradio as gr
from starlette.responses import JSONResponse, Response

from studio.errors import StudioError
from studio.service import Studio
from studio.tasks.code.habits import indentation, indented
from tabs.shared.asker import Asker, table_of
from tabs.shared.events import quick
from tabs.shared.i18n import t

WISHES = ("explain", "document", "fix", "test")
"""What can be asked about a selection."""
_LONGEST = 400_000
_MANY = 2_000
"""Lines beyond which those that are everywhere in a file are no signs of what stayed: all pairs would take minutes."""
_CONTEXT = 3
"""Lines that stay and are shown before and behind a change."""


def panel() -> None:
    """Where a change is shown; the script fills it."""
    for key in ("code.take_change", "code.leave_change", "code.change_title", "code.change_same", "code.replace_all"):
        t(key)
    gr.HTML('<div class="a-change" hidden></div>', elem_id="code-change")


def answer(studio: Studio, message: Any, asker: Asker) -> Response:
    """A text and what it becomes, as lines that go, come and stay.

    Raises:
        StudioError: bad_message.
    """
    del studio, asker
    before, after = table_of(message, before=str, after=str)
    if len(before) + len(after) > _LONGEST:
        raise StudioError("bad_message")
    fitted = fit(before, after)
    return JSONResponse(shown(before, fitted))


def shown(before: str, after: str) -> dict[str, Any]:
    """What the script is told of a change."""
    return {"html": "".join(_lines(before, after)), "text": after, "same": before == after}


def fit(before: str, after: str) -> str:
    """A listing as it stands in the place of a selection: as deep as that, and ended as that is."""
    depth = before[: len(before) - len(before.lstrip(" \t"))] if before.strip() else ""
    lines = after.replace("\r\n", "\n").strip("\n").split("\n")
    least = min((len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()), default=0)
    if depth and not least:
        lines = [depth + line if line.strip() else line for line in lines]
    made = "\n".join(lines)
    made = indented(made, indentation(before), True, True, 0) if indentation(before) else made
    return made + "\n" * (len(before) - len(before.rstrip("\n")))


def _lines(before: str, after: str) -> Iterator[str]:
    old, new = before.split("\n"), after.split("\n")
    matcher = SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > _MANY)
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if number:
            yield '<div class="a-gap">…</div>'
        for kind, start, end, first, last in group:
            if kind == "equal":
                yield from (_line(" ", line) for line in old[start:end])
            else:
                yield from (_line("-", line) for line in old[start:end])
                yield from (_line("+", line) for line in new[first:last])


def _line(sign: str, line: str) -> str:
    tag = {"-": "del", "+": "ins"}.get(sign, "span")
    return f'<{tag} class="a-line"><b aria-hidden="true">{sign}</b>{html.escape(line)}\n</{tag}>'


def wishes() -> None:
    """Buttons that hand the selection over to the chat, with a question about it in its field."""
    for name in WISHES:
        t(f"code.ask_{name}")
        button = gr.Button(t(f"code.{name}"), size="sm", elem_id=f"code-{name}", min_width=0)
        button.click(None, None, None, js=f"() => window.atelier.review.hand({name!r})", **quick())
