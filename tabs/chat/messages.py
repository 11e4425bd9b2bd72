"""A conversation as the page shows it: HTML of our own, with what can be done with each message.

The page's script (assets/page/chat.js) turns presses into orders: what, at which message, with which text.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from studio.catalog import variants as models
from studio.errors import StudioError
from studio.i18n import text
from studio.results import Update
from studio.tasks.chat.conversation import Chat, Entry
from tabs.chat import answers, versions
from tabs.shared import job_progress, prose

_LABELS = {"delete": "delete_message"}


def draw(
    chat: Chat, spoken: str, *, running: bool = False, beside: int = -1, others: Sequence[tuple[str, str]] = (),
    files: Callable[[Entry], str] = lambda _: "", visiting: bool = False,
) -> str:  # fmt: skip
    """The whole conversation. While an answer is being written nothing in it can be changed.

    Args:
        beside: the message whose versions are shown side by side.
        others: (id, title) of further models that could answer the last question.
        files: what draws those of a message.
        visiting: this machine is not the reader's.
    """
    last = len(chat.messages) - 1
    rows = "".join(
        versions.draw(chat, place, spoken)
        if place == beside and not running
        else _row(chat, place, entry, spoken, last=place == last, running=running, others=others, files=files(entry))
        for place, entry in enumerate(chat.messages)
    )
    if not running:
        rows += _end(chat, spoken)
    note = _said("empty_note_visiting" if visiting else "empty_note", spoken)
    hint = "" if chat.messages else f'<div class="a-talk-hint"><h2>{_said("empty", spoken)}</h2><p>{note}</p></div>'
    shown = chat.id if chat.messages or chat.former else ""
    labels = "".join(
        f' data-{name}="{_said(name, spoken)}"' for name in ("submit", "reword", "save_answer", "cancel", "field")
    )
    return f'<div class="a-talk-rows" data-chat="{shown}" data-mark="{chat.mark}"{labels}>{rows or hint}</div>'


def live(said: str, spoken: str) -> str:
    """The answer that is being written."""
    body = answers.answer(said, spoken, over=False) if said.strip() else '<p class="a-waiting">…</p>'
    return f'<div class="a-message bot-row">{_body(body)}</div>'


def progress(update: Update, spoken: str) -> str:
    """The line below the talk: speed while it writes; tokens, speed and model when it is done; else what happens."""
    artifact = update.artifact
    if update.kind == "done" and artifact is not None:
        tokens, rate = (round(artifact.stats.get(name, 0)) for name in ("tokens", "tokens_per_second"))
        model = artifact.recipe["model"]
        called = models.called(model["id"], model["title"], spoken)
        figures = job_progress.note(text("chat.figures", spoken, count=tokens, rate=rate, model=called))
        return job_progress.misread(update, spoken) + figures
    if update.kind == "running" and update.step and not update.stopping:
        seconds = f"{max(update.elapsed, 0.1):.0f}"
        return job_progress.note(text("chat.writing", spoken, count=update.step, seconds=seconds))
    return job_progress.progress(update, spoken)


def _row(
    chat: Chat, place: int, entry: Entry, spoken: str, *,
    last: bool, running: bool, others: Sequence[tuple[str, str]], files: str,
) -> str:  # fmt: skip
    mine = entry.role == "user"
    drawn = prose.raw(entry.content) if mine else answers.answer(entry.content, spoken)
    body = files + (_body(drawn) if entry.content or not files else "")
    buttons = _button("copy", place, spoken)
    if not running:
        buttons += _button("edit", place, spoken)
        if last and not mine:
            buttons += "".join(_button(what, place, spoken) for what in ("continue", "retry", "undo"))
        buttons += _ways(chat, place, spoken) + _further(place, spoken, others if last and not mine else ())
    kind = "user-row" if mine else "bot-row"
    said = html.escape(entry.content, quote=True)
    return (
        f'<div class="a-message {kind}" data-place="{place}" data-said="{said}">{body}{_notes(entry, spoken)}'
        f'<div class="a-message-tools">{buttons}</div></div>'
    )


def _body(inner: str) -> str:
    return f'<div class="prose">{inner}</div>'


def _end(chat: Chat, spoken: str) -> str:
    """What can be done at the end: answer the question that has no answer, bring back what was taken away."""
    place, buttons = len(chat.messages), ""
    if chat.open:
        buttons += _button("answer", place - 1, spoken) + _button("undo", place - 1, spoken)
    if chat.versions(place)[1] > 1:
        buttons += _button("back", place, spoken)
    return f'<div class="a-message-tools a-talk-end">{buttons}</div>' if buttons else ""


def _ways(chat: Chat, place: int, spoken: str) -> str:
    """Which of several versions this is, and a step to the one before and after."""
    shown, count = chat.versions(place)
    if count == 1:
        return ""
    step = {
        what: f'<button type="button" data-chat-do="{what}" data-at="{place}" aria-label="{_said(what, spoken)}"'
        f"{'' if possible else ' disabled'}>{sign}</button>"
        for what, sign, possible in (("earlier", "‹", shown > 1), ("later", "›", shown < count))
    }
    which = _said("version", spoken, shown=shown, count=count)
    beside = _button("beside", place, spoken) if count <= versions.MOST else ""
    return f'<span class="a-ways">{step["earlier"]}<span>{which}</span>{step["later"]}</span>{beside}'


def _further(place: int, spoken: str, others: Sequence[tuple[str, str]]) -> str:
    """What is rarely done with a message."""
    id, buttons = f"chat-message-{place}", _button("branch", place, spoken) + _button("delete", place, spoken)
    for model, title in others:
        label = _said("retry_with", spoken, model=title)
        buttons += (
            f'<button type="button" data-chat-do="retry" data-at="{place}" '
            f'data-words="{html.escape(model, quote=True)}" aria-label="{label}">{label}</button>'
        )
    label = _said("further", spoken)
    return (
        f'<span class="a-menu"><button type="button" class="a-menu-button" id="{id}-menu" aria-label="{label}">'
        f'{label}</button><span class="a-menu-list" id="{id}">{buttons}</span></span>'
    )


def _said(key: str, spoken: str, **params: object) -> str:
    return html.escape(text(f"chat.{key}", spoken, **params), quote=True)


def _button(what: str, place: int, spoken: str) -> str:
    label = _said(_LABELS.get(what, what), spoken)
    if what == "copy":
        return f'<button type="button" data-copy="message" aria-label="{label}">{label}</button>'
    return f'<button type="button" data-chat-do="{what}" data-at="{place}" aria-label="{label}">{label}</button>'


def _notes(entry: Entry, spoken: str) -> str:
    """What is to be known about a message, as it was when it was made."""
    said = [job_progress.note(text(f"note.{key}", spoken, **params)) for key, params in entry.notes]
    if entry.role == "assistant" and entry.finish in ("length", "cancelled"):
        said.append(job_progress.note(text(f"chat.finish_{entry.finish}", spoken)))
    if entry.error is not None:
        error = StudioError(entry.error[0], **entry.error[1])
        key = "chat.unanswered" if entry.role == "user" else "chat.broken_off"
        said.append(job_progress.note(text(key, spoken, why=f"{error.what(spoken)} {error.next(spoken)}")))
    return f'<div class="a-message-notes">{"".join(said)}</div>' if said else ""
