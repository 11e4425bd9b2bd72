"""Job progress on the page: from a job's updates to what it shows, the same way for every tab.

The handler of a tab is only a pump: the work goes on when the page closes, and a page that comes back pumps the
same job again. Text, bars and errors are HTML of our own, escaped here.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.jobs.queue import OUT_OF_TIME
from studio.paths import gigabytes
from studio.results import Update

HEARTBEAT = 0.25
MINUTE = 60
PACE = 0.08


def watch(job: Job, superseded: Callable[[], bool] = lambda: False) -> Iterator[Update]:
    """Updates that are worth sending to a browser: changes, at most one every PACE, else about one a second.

    A browser that draws every token would take from the processor what the model needs. After Stop the first update
    says so at once; what the job still keeps follows, unless the page has started something newer meanwhile
    (`superseded`).
    """
    last: tuple[Any, ...] | None = None
    sent, text, previews = 0.0, "", dict[int, bytes]()
    for update in job.events(HEARTBEAT):
        if update.stopping and superseded():
            return
        text, previews = text + update.text, {**previews, **update.previews}
        now = (update.kind, update.stopping, update.live)
        shown = (
            *now, update.held, update.position, update.step, update.steps, round(update.elapsed),
            update.fraction, update.bytes_done // 500_000, update.noted,
        )  # fmt: skip
        urgent = update.final or last is None or now != last[:3]
        if urgent or ((text or previews or shown != last) and time.monotonic() - sent >= PACE):
            yield replace(update, text=text, previews=previews)
            last, sent, text, previews = shown, time.monotonic(), "", {}


def progress(update: Update, language: str, step: str = "step") -> str:
    """The line above the result: what happens now, how far it is, how long it will take.

    It is no live region: what is told of it, and how often, assets/page/speak.js decides.

    Args:
        step: what the job's steps are called, a key below `progress.`.
    """
    if update.kind in ("queued", "downloading", "loading", "running"):
        return _bar(update.kind, *stage(update, language, step))
    match update.kind:
        case "failed" if update.error:
            return failure(update.error, language) + offers(update, language)
        case "cancelled":
            return note(text(f"progress.{OUT_OF_TIME if update.noted == OUT_OF_TIME else 'stopped'}", language))
        case "done":
            return misread(update, language)
        case _:
            return ""


def stage(update: Update, language: str, step: str = "step") -> tuple[str, float | None]:
    """What happens now with a job that is open, and how far it is, 0..1; None where that is not known."""
    say = _sayer(language)
    match update.kind:
        case "queued" if update.held:
            return say("held"), None
        case "queued":
            words = say("queued", position=update.position) if update.position else say("waiting")
            return words + _turn(update, say) + _lent(update, say), None
        case "downloading":
            done, total = gigabytes(update.bytes_done), gigabytes(update.bytes_total) if update.bytes_total else "?"
            words = say("downloading", done=done, total=total)
            if update.bytes_per_second:
                words += f" · {gigabytes(update.bytes_per_second)}/s"
            words += "".join(f" · {one}" for one in told(update, language)) or _left(update, language)
            return words, update.bytes_done / update.bytes_total if update.bytes_total else None
        case "loading":
            return say("loading", seconds=f"{update.elapsed:.0f}"), update.fraction
        case "running" if update.stopping:
            return say("stopping"), None
        case "running" if update.steps:
            words = say(step, step=update.step, steps=update.steps)
            return words + _left(update, language), update.step / update.steps
        case "running" if update.step:
            return say("tokens", count=update.step), None
        case "running":
            return say("starting") + _lent(update, say), None
        case _:
            return "", None


def _turn(update: Update, say: Callable[..., str]) -> str:
    if not update.turn or not update.position:
        return ""
    if update.turn < MINUTE:
        return " · " + say("turn_seconds", count=max(round(update.turn), 1))
    return " · " + say("turn_minutes", count=round(update.turn / MINUTE))


def _lent(update: Update, say: Callable[..., str]) -> str:
    return " · " + say("lent", seconds=f"{update.lent:.0f}") if update.lent else ""


def told(update: Update, language: str) -> list[str]:
    """What a download has to say beside its bytes."""
    say = _sayer(language)
    waits = [say("server_waits", seconds=f"{update.wait:.0f}")] if update.wait >= 1 else []
    return [*waits, *([say(update.noted)] if update.noted else [])]


def failure(error: StudioError, language: str) -> str:
    """What happened and what to do next, announced at once by screen readers."""
    what, then = html.escape(error.what(language)), html.escape(error.next(language))
    return f'<div class="a-error" role="alert"><p>{what}</p><p class="a-next">{then}</p></div>'


def offers(update: Update, language: str) -> str:
    """A button for each thing that may help; tabs.shared.suggestions hears them."""
    if not update.offers:
        return ""
    title = html.escape(text("offer.title", language), quote=True)
    buttons = "".join(
        f'<button type="button" class="a-offer" data-offer="{place}">{html.escape(offer.said(language))}</button>'
        for place, offer in enumerate(update.offers)
    )
    return f'<div class="a-offers" role="group" aria-label="{title}">{buttons}</div>'


def misread(update: Update, language: str) -> str:
    """That a model does not read the language in which it was asked, and one that does; nothing where it does."""
    first = next(iter(update.offers), None)
    if update.kind != "done" or first is None:
        return ""
    return note(text("offer.misread", language, **first.params)) + offers(update, language)


def chosen(id: str) -> str:
    """Which output the buttons beside it are for, unseen: by it the library is asked what takes it up."""
    return f'<i hidden data-chosen="{html.escape(id, quote=True)}"></i>'


def made(ids: Iterable[str]) -> str:
    """Which outputs are shown, unseen: the browser says it when the page is opened again (assets/page/jobs.js)."""
    return f'<i hidden data-made="{html.escape(json.dumps(list(ids)), quote=True)}"></i>'


def interrupted(language: str) -> str:
    """That a job ended with the studio, and a button that runs what the fields hold (assets/page/tries.js)."""
    said, again = text("page.interrupted", language), text("page.run_again", language)
    button = f'<button type="button" class="a-offer" data-again>{html.escape(again)}</button>'
    return f'<div class="a-note" role="status">{html.escape(said)}</div><div class="a-offers">{button}</div>'


def note(words: str) -> str:
    """A quiet line."""
    return f'<div class="a-note" role="status">{html.escape(words)}</div>'


def notes(update: Update, language: str, known: tuple[str, ...] = ()) -> str:
    """What the engine wants to be known about a finished result, but for what the page says already."""
    if update.artifact is None:
        return ""
    said = [(key, params) for key, params in update.artifact.notes if key not in known]
    return "".join(note(text(f"note.{key}", language, **params)) for key, params in said)


def running(on: bool) -> tuple[Any, Any]:
    """Updates for the run and the stop button, which share one place."""
    return gr.update(visible=not on), gr.update(visible=on)


def _sayer(language: str) -> Callable[..., str]:
    def say(key: str, **params: object) -> str:
        return text(f"progress.{key}", language, **params)

    return say


def left(update: Update, language: str) -> str:
    """How much longer it takes, where that is known."""
    seconds = update.seconds_left
    if seconds is None:
        return ""
    if seconds < 90:
        return text("progress.left_seconds", language, count=max(round(seconds), 1))
    return text("progress.left_minutes", language, count=round(seconds / 60))


def _left(update: Update, language: str) -> str:
    said = left(update, language)
    return f" · {said}" if said else ""


def _bar(kind: str, words: str, fraction: float | None) -> str:
    percent = "" if fraction is None else f' style="width:{min(max(fraction, 0), 1) * 100:.1f}%"'
    moving = " a-moving" if fraction is None else ""
    now = "" if fraction is None else f' aria-valuenow="{min(max(fraction, 0), 1) * 100:.0f}"'
    named = html.escape(words, quote=True)
    return (
        f'<div class="a-progress" role="progressbar" data-kind="{kind}" aria-label="{named}"{now}>'
        f'<span class="a-words">{html.escape(words)}</span>'
        f'<span class="a-track"><span class="a-fill{moving}"{percent}></span></span></div>'
    )
