"""Handlers that fail aloud.

Gradio says nothing to the page where a handler raises, because what an exception holds is not for everybody to read.
So every handler of the page is wrapped once: what a person can act on is said in their language, anything else is a
bug of ours and gets a number to find it by in the log.
"""

from __future__ import annotations

import functools
import html
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.context import LocalContext

from studio.errors import StudioError
from studio.jobs import failures
from studio.paths import disk_error
from tabs.shared.i18n import language

log = logging.getLogger("studio")


def speak(blocks: gr.Blocks) -> None:
    """Wrap every handler of a page that has been built, and what Gradio does with a message before one is called.

    Gradio writes a traceback for each message that fits no handler (too few values, a number for a text, no handler at
    all), so that any script could fill the log with what looks like bugs.
    """
    for event in blocks.fns.values():
        if event.fn is not None:
            event.fn = aloud(event.fn)
    for name in ("preprocess_data", "call_function"):
        setattr(blocks, name, understood(getattr(blocks, name)))


def understood(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A step of Gradio's whose failures are the message's fault: handlers that fail say so themselves."""

    @functools.wraps(step)
    async def run(event: BlockFunction, values: list[Any], *more: Any, **named: Any) -> Any:
        try:
            if step.__name__ == "preprocess_data":
                _check_texts(event, values)
            return await step(event, values, *more, **named)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            log.warning("A message that the page never sends: %s", type(error).__name__)
            raise _said(StudioError("bad_message")) from error

    return run


def _check_texts(event: BlockFunction, values: list[Any]) -> None:
    """Text fields hold text; Gradio hands on whatever comes for them."""
    for block, value in zip(event.inputs, values, strict=False):
        if isinstance(block, gr.Textbox | gr.Code) and not isinstance(value, str | None):
            raise TypeError


def aloud(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The same handler, a generator if it was one, whose errors reach the person."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def generate(*values: Any, **named: Any) -> Iterator[Any]:
            said = False
            try:
                for given in handler(*values, **named):
                    yield _changed(given)
                    said = True
                if not said:  # Gradio would empty every output
                    yield gr.skip()
            except Exception as error:
                raise _said(error) from error

        return generate

    @functools.wraps(handler)
    def run(*values: Any, **named: Any) -> Any:
        try:
            return _changed(handler(*values, **named))
        except Exception as error:
            raise _said(error) from error

    return run


def _changed(given: Any) -> Any:
    """What a handler gave. No changes at all are none: Gradio would take an empty dict for a value."""
    return gr.skip() if isinstance(given, dict) and not given else given


def explained(error: Exception) -> StudioError:
    """What people hear of an exception: a disk that refuses is theirs to mend, the rest is a bug."""
    if isinstance(error, StudioError):
        return error
    if isinstance(error, OSError) and error.errno is not None and isinstance(error.filename, str):
        return disk_error(error, Path(error.filename))
    return failures.internal(error)


def _said(error: Exception) -> gr.Error:
    if isinstance(error, gr.Error):
        return error
    known, spoken = explained(error), language(LocalContext.request.get(None))
    said = html.escape(f"{known.what(spoken)} {known.next(spoken)}".strip(), quote=False)  # Gradio reads it as HTML
    return gr.Error(said, print_exception=False)
