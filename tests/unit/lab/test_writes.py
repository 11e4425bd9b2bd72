"""How a language model writes: bent odds, three ways, and a look that is kept nowhere and in nobody's way."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from jobs.held import Held

from studio.engines.base import Apart
from studio.errors import StudioError
from studio.lab import looking, writes
from studio.lab.looking import Looker
from studio.lab.writes import Bent, beam_search, bend, greedy, sample
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest
from studio.results import Next, Token
from studio.service import Studio

ME = Looker("me")
SURE = Next(tuple(Token(id, bytes([97 + id])) for id in range(4)), tuple(map(math.log, (0.5, 0.25, 0.15, 0.1))), 0.0)


def test_bent_by_nothing_they_are_the_models_own() -> None:
    assert bend(SURE, Bent(), warms_first=True) == pytest.approx([0.5, 0.25, 0.15, 0.1])


@pytest.mark.parametrize(
    ("how", "odds"),
    [
        (Bent(top_k=2), [2 / 3, 1 / 3, 0, 0]),
        (Bent(top_p=0.5), [1, 0, 0, 0]),
        (Bent(top_p=0.51), [2 / 3, 1 / 3, 0, 0]),
        (Bent(min_p=0.3), [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0]),
        (Bent(temperature=0.5), [0.25 / 0.345, 0.0625 / 0.345, 0.0225 / 0.345, 0.01 / 0.345]),
    ],
)
def test_bent_odds(how: Bent, odds: list[float]) -> None:
    assert bend(SURE, how, warms_first=True) == pytest.approx(odds)


def test_what_is_warmed_first_is_cut_by_the_warm_odds() -> None:
    how = Bent(temperature=0.5, top_p=0.7)
    assert sum(map(bool, bend(SURE, how, warms_first=True))) == 1
    assert sum(map(bool, bend(SURE, how, warms_first=False))) == 2


def trap(rows: Sequence[Sequence[int]]) -> list[Next]:
    """A model whose likeliest first token leads nowhere: greedy walks into it, a search does not."""
    odds = {(): (0.6, 0.4), (0,): (0.5, 0.5), (1,): (0.95, 0.05)}
    return [
        Next((Token(0, b"a"), Token(1, b"b")), tuple(map(math.log, odds[tuple(row)])), 0.0)
        for row in rows
    ]  # fmt: skip


def test_greedy_walks_into_the_trap_and_a_search_does_not() -> None:
    assert [step.token.id for step in greedy(trap, [], 2, frozenset())] == [0, 0]
    levels, beams = beam_search(trap, [], 2, frozenset(), beams=2)
    assert [step.token.id for step in beams[0].steps] == [1, 0]
    assert beams[0].logprob == pytest.approx(math.log(0.4 * 0.95))
    assert [len(level) for level in levels] == [2, 2]


def test_a_seed_draws_the_same_and_a_cold_one_the_likeliest() -> None:
    ways = [sample(trap, [], 2, frozenset(), Bent(), True, seed) for seed in (1, 1)]
    assert ways[0] == ways[1]
    cold = sample(trap, [], 2, frozenset(), Bent(temperature=0.01), True, 3)
    assert cold[0].token.id == 0


def test_the_page_is_told_what_the_model_says(studio: Studio) -> None:
    found = writes.ahead(studio.lab, "hills", [], "", ME)
    assert found is not None
    again = writes.ahead(studio.lab, "hills", [found.next.tokens[0].id], "", ME)
    assert again is not None
    assert b"".join(token.data for token in found.text) == b"hills"
    assert again.text[:-1] == found.text
    total = math.fsum(map(math.exp, found.next.logprobs)) + found.next.rest
    assert total == pytest.approx(1)


@pytest.mark.parametrize("way", ["greedy", "sample", "beam"])
def test_every_way_comes_to_an_end(studio: Studio, way: writes.Way) -> None:
    found = writes.write(studio.lab, way, "hills", [], "", Bent(), 1, ME)
    assert found is not None
    last = found.steps[-1].token.id
    assert len(found.steps) == writes.LENGTH or last in found.ends
    assert bool(found.levels) == (way == "beam")


def test_nothing_of_a_look_is_kept(studio: Studio) -> None:
    writes.write(studio.lab, "beam", "hills", [], "", Bent(), 1, ME)
    assert studio.jobs() == ()
    assert not list(studio.home.outputs.rglob("*.*"))


def test_a_job_goes_first(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    job = studio.submit(ImageRequest(prompt="hills", steps=3, width=64, height=64))
    assert held.came.wait(10)
    assert writes.ahead(studio.lab, "hills", [], "", ME) is None
    held.go.set()
    job.result()
    assert writes.ahead(studio.lab, "hills", [], "", ME) is not None


def test_a_model_without_an_inside_says_so(studio: Studio) -> None:
    asked = ChatRequest(messages=(Message("user", "hills"),))
    with pytest.raises(StudioError) as error:
        studio.lab.look(asked, Apart, lambda *_: pytest.fail("It was asked all the same."), ME)
    assert error.value.code == "not_open_none"


def test_a_look_that_takes_too_long_is_ended_and_says_so(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SECONDS", 0.0)
    with pytest.raises(StudioError) as error:
        writes.ahead(studio.lab, "hills", [], "", ME)
    assert error.value.code == "look_too_long"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_words_of_a_model_that_is_not_open_name_one_that_is(language: str) -> None:
    assert "Icons" in StudioError("not_open", model="Big", other="Icons").next(language)
