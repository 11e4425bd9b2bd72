"""Panel of the queue: what its script is told (assets/page/queue.js), what it may order, and the button that opens it.

It asks by itself once a second while it is open (tabs.door.answering). On one's own machine it shows the jobs of all
browsers, elsewhere each person's own; of what others have in front it tells the number and the time.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import gradio as gr
from starlette.responses import JSONResponse, Response

from studio.catalog import variants
from studio.errors import StudioError
from studio.i18n import table, text
from studio.jobs.board import Board, Row
from studio.jobs.durable import Earlier
from studio.jobs.job import Job
from studio.service import Studio
from studio.status import Status
from tabs import TABS
from tabs.shared import job_progress
from tabs.shared.asker import Asker, table_of
from tabs.shared.context import TAB_OF, Page
from tabs.shared.events import quick
from tabs.shared.failing import explained
from tabs.shared.i18n import language, t

MINUTE = 90.0
"""Seconds from which on it is told in minutes."""
_KINDS = {"download": "page.downloading_model", "load": "page.loading_model"}


def build(page: Page) -> None:
    """The hidden button that asks for something once more: a stranger's job then counts as any other of theirs."""
    for key in table("en"):
        if key.startswith("queue."):
            t(key)  # said by the page's script
    again = gr.Button(visible="hidden", elem_id="queue-again", elem_classes="a-hidden")
    asked, told = (gr.Textbox(visible="hidden", elem_classes="a-hidden") for _ in range(2))

    def repeat(id: str, request: gr.Request) -> str:
        studio = page.studio
        try:
            page.begin(request, lambda who: studio.queue.repeat(id or "", seen(studio, who), who))
        except (StudioError, OSError) as error:
            known, spoken = explained(error), language(request)
            return f"{known.what(spoken)} {known.next(spoken)}"
        return ""

    event = again.click(repeat, asked, told, js="() => atelier.queue.again()", **quick())
    event.then(None, told, None, js="(said) => atelier.queue.repeated(said)", **quick())


def seen(studio: Studio, who: str) -> str | None:
    """Whose jobs somebody sees and steers: everybody's at their own machine, else their own."""
    return None if studio.settings.profile == "local" else who


def button(status: Status, studio: Studio, language: str) -> str:
    """The button in the strip: how many wait, or were left from before."""
    earlier = len(studio.queue.earlier()) if studio.settings.profile == "local" else 0
    key, count = ("queue.left", earlier) if earlier else ("page.waiting", status.waiting)
    label = text(key, language, count=count) if count else text("queue.open", language)
    title = html.escape(text("queue.title", language), quote=True)
    marked = " a-strip-left" if earlier else ""
    return (
        f'<button type="button" class="a-strip-queue{marked}" data-queue aria-haspopup="dialog" title="{title}">'
        f"{html.escape(label)}</button>"
    )


def answer(studio: Studio, message: Any, asker: Asker) -> Response:
    """What a message orders, done, and the queue as it is then.

    Raises:
        StudioError: bad_message; unknown_job; queue_at_work; as submit.
    """
    do, id, ids = table_of(message, do=str, id=str, ids=list)
    board, mine = studio.queue, seen(studio, asker.who)
    wanted = [one for one in ids if isinstance(one, str)]
    match do:
        case "look":
            pass
        case "up" | "down" | "front":
            board.move(id, mine, do)
        case "hold" | "resume":
            if studio.settings.public:  # places are few, and one that is kept for nothing is taken from somebody
                raise StudioError("not_for_public")
            board.hold(id, mine, do == "hold")
        case "cancel":
            board.cancel(id, mine)
        case "go_on" | "drop":
            if studio.settings.profile != "local":
                raise StudioError("not_for_public")
            (board.drop if do == "drop" else lambda ids: board.go_on(ids, asker.who))(wanted)
        case _:
            raise StudioError("bad_message")
    return JSONResponse(_told(studio, board, mine, asker.language), headers={"Cache-Control": "no-store"})


def _told(studio: Studio, board: Board, mine: str | None, language: str) -> dict[str, Any]:
    say = _sayer(language)
    rows, over = board.rows(mine), board.over(mine)
    earlier = board.earlier() if studio.settings.profile == "local" else ()
    waiting = [row.job for row in rows if row.waits and not row.job.held]
    return {
        "open": [_row(studio, row, say, language, waiting) for row in rows],
        "over": [_over(studio, row, say, language) for row in over],
        "earlier": [_earlier(studio, one, say, language) for one in earlier],
    }


def _row(studio: Studio, row: Row, say: Callable[..., str], language: str, waiting: list[Job]) -> dict[str, Any]:
    job, update = row.job, row.job.snapshot()
    own = [other for other in waiting if other.session == job.session]  # among which it can be moved
    if update.held:
        words = say("held")
    elif row.waits:
        front = say("front", count=row.front) if row.front else say("next")
        words = " · ".join([front, *([_about(row.front_seconds, say)] if row.front_seconds else [])])
    else:
        words = job_progress.stage(update, language)[0]
        if update.seconds_left is None and row.left_seconds:
            words += " · " + _about(row.left_seconds, say)
    return {
        **_named(studio, job, language), "words": words, "held": update.held, "waits": row.waits,
        "share": None if row.waits else job_progress.stage(update, language)[1],
        "place": waiting.index(job) + 1 if job in waiting else 0,
        "first": job in own[:1], "last": job in own[-1:],
        "holds": not studio.settings.public and (update.held or update.kind in ("queued", "loading")),
        "stopping": update.stopping,
        "why": say("why", count=max(round(row.saved), 1)) if row.saved else "",
    }  # fmt: skip


def _over(studio: Studio, row: Row, say: Callable[..., str], language: str) -> dict[str, Any]:
    job, update = row.job, row.job.snapshot()
    words = update.error.what(language) if update.error is not None else say(update.kind)
    found = update.artifact
    known = found is not None and not studio.settings.public and job.task in TABS and bool(found.files)
    item = studio.library.id(found.files[0]) if found is not None and known else ""
    return {
        **_named(studio, job, language), "words": words, "failed": update.kind == "failed", "again": row.again,
        "item": item if job.task != "chat" else "", "chat": job.tag if job.task == "chat" else "",
        "opens": bool(item) or row.newest or (job.task == "chat" and bool(job.tag)),
    }  # fmt: skip


def _earlier(studio: Studio, one: Earlier, say: Callable[..., str], language: str) -> dict[str, Any]:
    tab = TAB_OF.get(one.task, one.task)
    return {
        "id": one.id, "tab": tab, "task": _task(one.task, language), "title": one.title,
        "model": _model(studio, one.model, language), "ran": one.ran, "words": say("ran" if one.ran else "waited"),
    }  # fmt: skip


def _named(studio: Studio, job: Job, language: str) -> dict[str, Any]:
    tab = TAB_OF.get(job.task, job.task)
    title = variants.called(job.model, job.title, language) if job.task in _KINDS else job.title
    model = "" if job.task in _KINDS else _model(studio, job.model, language)
    return {
        "id": job.id, "tab": tab if tab in TABS else "", "task": _task(job.task, language), "title": title,
        "model": model,
    }  # fmt: skip


def _task(task: str, language: str) -> str:
    return text(_KINDS.get(task, f"tab.{task}"), language)


def _model(studio: Studio, model: str, language: str) -> str:
    card = studio.catalog.find(model)
    return variants.title(card, language) if card else model


def _about(seconds: float, say: Callable[..., str]) -> str:
    if seconds < MINUTE:
        return say("seconds", count=max(round(seconds), 1))
    return say("minutes", count=round(seconds / 60))


def _sayer(language: str) -> Callable[..., str]:
    def say(key: str, **params: object) -> str:
        return text(f"queue.{key}", language, **params)

    return say
