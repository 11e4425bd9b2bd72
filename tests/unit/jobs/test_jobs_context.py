"""What a run tells, and what it asks: the watchdog hears of life only where the run says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.engines.text.llama_answer import Answer
from studio.jobs.context import RunContext
from studio.jobs.job import Job


def heard(act: Callable[[RunContext], Any]) -> int:
    """How many signs of life the watchdog hears of."""
    signs: list[int] = []
    act(RunContext(Job("chat", "x"), beat=lambda: signs.append(1)))
    return len(signs)


@pytest.mark.parametrize(
    "act", [lambda context: context.alive(), lambda context: context.check(), lambda context: context.step(1, 2)]
)
def test_a_run_that_goes_on_is_alive(act) -> None:
    assert heard(act) == 1


def test_asking_whether_stop_was_pressed_changes_nothing() -> None:
    """Whoever watches a run from outside asks the same."""
    assert heard(lambda context: context.cancelled) == 0


def test_a_long_prompt_that_is_being_read_is_a_sign_of_life() -> None:
    def read(context: RunContext) -> None:
        answer = Answer(context, tiny_card(Source("local"), 1), show=lambda _: None)
        answer.read(lambda body, chunk: [chunk({"prompt_progress": {}}) for _ in range(3)], [1, 2, 3])

    assert heard(read) == 3
