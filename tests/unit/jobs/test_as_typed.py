"""Completions as one types: short, soon, kept nowhere, and out of everybody's way."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from held import Held

from studio.engines.demo.fake import FakeModel
from studio.errors import StudioError
from studio.jobs import as_typed
from studio.jobs.as_typed import Written, whole
from studio.jobs.planner import Intake
from studio.requests import CodeRequest
from studio.service import Studio

AREA = CodeRequest(prefix="def area(r):", language="python")


def test_it_is_what_a_job_would_write_and_nothing_is_kept_or_listed(studio: Studio) -> None:
    written = studio.scribe.write(replace(AREA, count=4), "me")
    assert isinstance(written, Written)
    assert studio.jobs() == ()
    assert not list(studio.home.outputs.rglob("*.*"))
    assert written.text == studio.submit(AREA).result().text == "\n    return 12"


def test_a_job_of_somebody_else_goes_before_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(studio.scribe.write(AREA, "me")))
    thread.start()
    assert held.came.wait(10)
    job = studio.submit(AREA, "somebody else")
    assert studio.scribe.write(AREA, "one more") is None  # none is begun meanwhile
    held.go.set()
    assert job.result().text
    thread.join(10)
    assert found == [None]


def test_a_newer_one_takes_the_place_of_the_one_in_work(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    found: dict[str, object] = {}

    def ask(name: str, prefix: str) -> threading.Thread:
        write = lambda: found.update({name: studio.scribe.write(replace(AREA, prefix=prefix), "me")})  # noqa: E731
        thread = threading.Thread(target=write)
        thread.start()
        return thread

    first = ask("first", "def a(r):")
    assert held.came.wait(10)
    line = studio.easel._live.line
    assert line is studio.scribe._live.line  # pictures and code share it: one thing at a time while people type
    second = ask("second", "def ab(r):")
    while line.newest["me"] is line.turns[0]:
        pass
    held.go.set()
    first.join(10)
    second.join(10)
    assert found["first"] is None
    assert isinstance(found["second"], Written)


def test_it_ends_in_time_and_offers_what_is_whole(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_typed, "SECONDS", 0.05)
    pause = FakeModel._step

    def slow(model: FakeModel, context: object, done: int, total: int = 0) -> None:
        model._pause = 0.04
        pause(model, context, done, total)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(FakeModel, "_step", slow)
    written = studio.scribe.write(replace(AREA, prefix="x = 1"), "me")
    assert written is not None
    assert written.seconds < 1
    assert "  # a stand-in".startswith(written.text)


@pytest.mark.parametrize(
    ("text", "ended", "offered"),
    [("a b\n  c(d", False, "a b"), ("ab cd ef", False, "ab cd"), ("abc", False, ""), ("\n  ret", False, ""),
     ("a b\n  c(d", True, "a b\n  c(d")],
)  # fmt: skip
def test_what_was_cut_ends_at_a_line_or_a_word(text: str, ended: bool, offered: str) -> None:
    assert whole(text, ended=ended) == offered


def test_what_cannot_be_written_is_said(studio: Studio) -> None:
    with pytest.raises(StudioError) as caught:
        studio.scribe.write(replace(AREA, max_tokens=0), "me")
    assert caught.value.code == "out_of_range"


def test_a_model_that_is_not_in_memory_is_not_loaded_for_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    card = studio.default_model("code")
    other = replace(card, id="other", starter=False)
    monkeypatch.setattr(studio._intake, "order", lambda request: replace(order, card=other))
    order = Intake.order(studio._intake, AREA)
    assert not studio.scribe.there(AREA)
    assert studio.scribe.write(AREA, "me") is None
    monkeypatch.undo()
    assert studio.scribe.there(AREA) is card.starter
