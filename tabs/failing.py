"""Handlers that fail aloud.

Gradio says nothing to the page where a handler raises, because what an exception holds is not for everybody to read.
So every handler of the page is wrapped once: what a person can act on is said in their language, anything else is a
bug of ours and gets a number to find it by in the log.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from studio import failures
from studio.errors import StudioError
from studio.paths import disk_error
from tabs.i18n import language


def speak(blocks: gr.Blocks) -> None:
    """Wrap every handler of a page that has been built."""
    for event in blocks.fns.values():
        if event.fn is not None:
            event.fn = aloud(event.fn)


def aloud(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The same handler, a generator if it was one, whose errors reach the person."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def generate(*values: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from handler(*values, **named)
            except Exception as error:
                raise _said(error) from error

        return generate

    @functools.wraps(handler)
    def run(*values: Any, **named: Any) -> Any:
        try:
            return handler(*values, **named)
        except Exception as error:
            raise _said(error) from error

    return run


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
    return gr.Error(f"{known.what(spoken)} {known.next(spoken)}".strip(), print_exception=False)
