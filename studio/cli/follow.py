"""Waiting for a job: progress on stderr, text as it comes, Ctrl+C that stops the job and not the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from studio.cli.console import Console, language
from studio.i18n import text
from studio.results import Update

if TYPE_CHECKING:
    from studio.jobs.job import Job
    from studio.service import Studio

HEARTBEAT = 0.1


@contextmanager
def opened() -> Iterator[Studio]:
    """The studio as the environment configures it, closed at the end."""
    from studio.service import Studio
    from studio.settings import load

    with Studio(load()) as studio:
        yield studio


def follow(
    console: Console,
    job: Job,
    title: str = "",
    on_text: Callable[[str], None] | None = None,
    *,
    lines: bool = False,
    step: str = "step",
) -> Update:
    """Read a job to its end. Ctrl+C asks it to stop and waits for that; a second one gives up waiting.

    Args:
        title: the model, for the progress line.
        on_text: gets new text; without it the text is left to the final update's artifact.
        lines: the text comes in whole lines, so that progress can stand between them.
        step: what the job's steps are called (see console.describe).

    Returns:
        The last update: done, or cancelled with whatever was kept.

    Raises:
        StudioError: the job failed. KeyboardInterrupt: it was stopped and there is nothing to keep.
    """
    last: Update | None = None
    with _interrupts() as stop:
        talking = False
        for update in job.events(HEARTBEAT):
            last = update
            if stop.is_set():
                job.cancel()
            if update.text and on_text is not None:
                talking = not lines
                on_text(update.text)
            if not talking:  # the text is the progress, and a line of ours would overwrite it
                console.progress(update, title, step)
    console.clear()
    if last is None:
        raise AssertionError("a job has a state")
    if last.error is not None:
        console.offers = tuple(offer for offer in last.offers if offer.changes)
        raise last.error
    for offer in last.offers:
        console.note(text("offer.misread", language(), **offer.params))
        console.note(f"{offer.said(language())}: --model {offer.changes['model']}")
    if last.kind == "cancelled" and last.artifact is None:
        raise KeyboardInterrupt
    return last


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that the first Ctrl+C sets. The second one is a KeyboardInterrupt as usual."""
    stop = threading.Event()

    def first(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, first)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
