"""No handler fails in silence: a full disk is said, a bug gets a number, and the tab can be used again."""

from __future__ import annotations

import asyncio
import errno
import inspect
import os
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.results import Update
from studio.service import Studio
from tabs import page
from tabs.shared import failing
from tabs.shared.context import Page


def full(*_: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/somebody/file.png")


def bug(*_: object) -> Any:
    raise ZeroDivisionError("secret")


def known(*_: object) -> Any:
    raise StudioError("unknown_job")


@pytest.mark.parametrize(
    ("handler", "said", "unsaid"),
    [(full, "disk", "Errno"), (bug, "went wrong", "secret"), (known, "", "unknown_job")],
)
def test_what_a_handler_raises_reaches_the_person_in_words(handler: Any, said: str, unsaid: str) -> None:
    with pytest.raises(gr.Error) as caught:
        failing.aloud(handler)()
    message = str(caught.value.message)
    assert message
    assert said in message
    assert unsaid not in message


def test_a_generator_stays_one_and_keeps_what_it_had_said() -> None:
    def handler(count: int, request: gr.Request) -> Iterator[int]:
        yield count
        full()

    wrapped = failing.aloud(handler)
    assert inspect.isgeneratorfunction(wrapped)
    assert list(inspect.signature(wrapped).parameters) == ["count", "request"]
    running = wrapped(3, None)
    assert next(running) == 3
    with pytest.raises(gr.Error):
        next(running)


def test_every_handler_of_the_page_is_wrapped(studio: Studio) -> None:
    handlers = [event.fn for event in page.build(studio).fns.values() if event.fn]
    assert handlers
    assert all(hasattr(handler, "__wrapped__") for handler in handlers)


def test_a_picture_that_cannot_be_shown_ends_with_the_reason_and_the_buttons(studio: Studio) -> None:
    shared, progress = Page(studio, None), gr.HTML()  # type: ignore[arg-type]

    def show(update: Update, _: str) -> dict[Any, Any]:
        if update.previews or update.artifact:
            full()
        return {"run": update.kind, progress: ""}

    request: Any = None
    job = studio.submit(ImageRequest(prompt="x", model="demo-image"), previews=True)
    *_, last = shared.follow(job, show, progress, request)
    assert last["run"] == "done"
    assert "disk" in last[progress]


def clicked(blocks: gr.Blocks, values: list[Any]) -> Any:
    """What the first event of a page answers to a message with these values."""
    return asyncio.run(blocks.process_api(next(iter(blocks.fns.values())), values, in_event_listener=True))


@pytest.mark.parametrize("values", [[], [1, 2], [{"a": [[]]}, None], [["x"], None], [None, "not in the list"]])
def test_a_message_that_fits_no_field_is_said_and_looks_like_no_bug(values: list[Any], caplog: Any) -> None:
    with gr.Blocks() as blocks:
        fields = [gr.Textbox(), gr.Dropdown(["a"])]
        gr.Button().click(lambda words, choice: words.strip() + choice, fields, fields[0])
        gr.Button().click(None, None, None, js="() => {}")
    failing.speak(blocks)
    with pytest.raises(gr.Error) as caught:
        clicked(blocks, values)
    assert not caught.value.print_exception, "Gradio would write a traceback"
    assert not [record for record in caplog.records if record.exc_info]
    with pytest.raises(gr.Error) as nobody:
        asyncio.run(blocks.process_api(list(blocks.fns.values())[1], []))
    assert not nobody.value.print_exception


def test_no_changes_are_none() -> None:
    with gr.Blocks() as blocks:
        fields = [gr.Textbox("a"), gr.Textbox("b")]
        gr.Button().click(lambda _: {}, fields[0], fields)
    failing.speak(blocks)
    assert clicked(blocks, ["x"])["data"] == [{"__type__": "update"}] * 2


def test_a_generator_that_has_nothing_to_say_changes_nothing() -> None:
    """Where a handler's first word is that it is over, Gradio empties all that it could have changed."""

    def handler() -> Iterator[Any]:
        yield from ()

    assert list(failing.aloud(handler)()) == [gr.skip()]
    with gr.Blocks() as blocks:
        first, second, button = gr.Textbox("a"), gr.Textbox("b"), gr.Button()
        button.click(handler, None, [first, second])
    failing.speak(blocks)
    (event,) = blocks.fns.values()
    given = asyncio.run(blocks.process_api(event, [], state=None))
    assert given["data"] == [gr.skip(), gr.skip()]
