"""What comes next, by the model itself: the same log-probabilities, and beams token for token as transformers finds
them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny import CPU, Recorder, load

from studio.catalog.catalog import Catalog
from studio.engines.inside import TellsNext
from studio.engines.text.llama import LlamaEngine, LlamaModel
from studio.engines.text.transformers_lm import TextEngine
from studio.lab.writes import BEAMS, Bent, beam_search, bend, greedy
from studio.paths import Home
from studio.requests import CodeRequest
from studio.store import Store

TEXTS = ("The capital of", "def add(a, b):", "你好，世")


@pytest.fixture(scope="module")
def model(chat_folder: Path) -> Iterator[Any]:
    model = load(TextEngine(), chat_folder)
    yield model
    model.close()


@pytest.fixture(scope="module")
def llama(starter_home: Path) -> Iterator[LlamaModel]:
    home = Home.at(starter_home)
    card = Catalog.load(home).get("smollm2-135m")
    file = Store(home).path(card)
    model = LlamaEngine().load(card, file, CPU, lambda _: None, places=4)
    yield model
    model.close()


def ids(told: Any, text: str) -> list[int]:
    return [token.id for token in told.read(text)]


@pytest.mark.parametrize("text", TEXTS)
def test_the_odds_are_the_models_own(model: Any, text: str) -> None:
    import torch

    assert isinstance(model, TellsNext)
    told = model.next_tokens(Recorder())
    start = ids(told, text)
    with torch.inference_mode():
        own = torch.log_softmax(model._model(torch.tensor([start])).logits[0, -1].float(), dim=-1)
    (next,) = told.follow([start], told.vocabulary)
    assert len(next.tokens) == told.vocabulary == len(own)
    assert next.logprobs == pytest.approx([float(own[token.id]) for token in next.tokens], abs=1e-5)
    assert list(next.logprobs) == sorted(next.logprobs, reverse=True)
    assert next.rest == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("text", TEXTS)
def test_the_tokens_of_a_text_make_the_text(model: Any, text: str) -> None:
    assert b"".join(token.data for token in model.next_tokens(Recorder()).read(text)).decode() == text


def test_rows_that_go_on_are_computed_as_if_read_anew(model: Any) -> None:
    told = model.next_tokens(Recorder())
    start = ids(told, TEXTS[0])
    first = told.follow([start], 3)[0]
    rows = [[*start, token.id] for token in first.tokens]
    grown = told.follow(rows, 5)
    anew = [model.next_tokens(Recorder()).follow([row], 5)[0] for row in rows]
    for one, other in zip(grown, anew, strict=True):
        assert [token.id for token in one.tokens] == [token.id for token in other.tokens]
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("beams", [1, 2, BEAMS])
def test_beams_are_those_of_transformers(model: Any, text: str, beams: int) -> None:
    import torch

    told, length = model.next_tokens(Recorder()), 12
    start, ends = ids(told, text), sorted(told.ends)
    made = model._model.generate(
        torch.tensor([start]), num_beams=beams, num_return_sequences=beams, do_sample=False, max_new_tokens=length,
        eos_token_id=ends, pad_token_id=ends[0], return_dict_in_generate=True, output_scores=True,
        attention_mask=torch.ones(1, len(start), dtype=torch.long),
    )  # fmt: skip
    follow = lambda rows: told.follow(rows, beams * (1 + len(ends)))  # noqa: E731
    if beams == 1:
        assert [step.token.id for step in greedy(follow, start, length, told.ends)] == made.sequences[
            0, len(start) :
        ].tolist()
        return
    found = beam_search(follow, start, length, told.ends, beams)[1]
    for beam, sequence, score in zip(found, made.sequences, made.sequences_scores, strict=True):
        written = [step.token.id for step in beam.steps]
        assert sequence[len(start) :][: len(written)].tolist() == written
        assert beam.score == pytest.approx(float(score), abs=1e-4)


@pytest.mark.parametrize(
    "how", [Bent(0.7), Bent(1.6, 5), Bent(0.8, 0, 0.6), Bent(1.3, 0, 1, 0.2), Bent(0.9, 20, 0.9, 0.05)], ids=str
)
def test_bent_odds_are_those_that_transformers_draws_from(model: Any, how: Bent) -> None:
    import torch
    from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    told = model.next_tokens(Recorder())
    (next,) = told.follow([ids(told, TEXTS[0])], told.vocabulary)
    scores = torch.tensor([next.logprobs])
    warpers = [TemperatureLogitsWarper(how.temperature)]
    warpers += [TopKLogitsWarper(how.top_k)] if how.top_k else []
    warpers += [TopPLogitsWarper(how.top_p)] if how.top_p < 1 else []
    warpers += [MinPLogitsWarper(how.min_p)] if how.min_p else []
    for warper in warpers:
        scores = warper(torch.zeros(1, 1, dtype=torch.long), scores)
    assert bend(next, how, told.warms_first) == pytest.approx(scores.softmax(dim=-1)[0].tolist(), abs=1e-5)


def test_stop_is_heard(model: Any) -> None:
    from studio.errors import Cancelled

    told = model.next_tokens(Recorder(stop_after=2))
    with pytest.raises(Cancelled):
        greedy(lambda rows: told.follow(rows, 1), ids(told, TEXTS[0]), 10, frozenset())


def test_a_gguf_model_tells_the_same_as_it_writes(llama: LlamaModel) -> None:
    """Greedy by its odds is what it writes at temperature 0, with the log-probabilities that it gives there."""
    told = llama.next_tokens(Recorder())
    text = "The capital of France is"
    assert b"".join(token.data for token in told.read(text)).decode() == text
    steps = greedy(lambda rows: told.follow(rows, 5), ids(told, text), 6, told.ends)
    written = llama.run(
        CodeRequest(prefix=text, suffix="", max_tokens=6, temperature=0.0, top_p=1.0, seed=1, count=2), Recorder()
    )
    said = b"".join(step.token.data for step in steps).decode()
    assert "Paris" in said
    assert said.startswith(written.text) or written.text.startswith(said)
    assert written.stats["mean_logprob"] == pytest.approx(math.fsum(one.logprob for one in steps) / 6, abs=0.02)


def test_rows_of_a_gguf_model_are_asked_together(llama: LlamaModel) -> None:
    told = llama.next_tokens(Recorder())
    start = ids(told, "Once upon a")
    (first,) = told.follow([start], 512)
    assert first.tokens[0].data == b" time"
    assert math.fsum(map(math.exp, first.logprobs)) + first.rest == pytest.approx(1)
    rows = [[*start, token.id] for token in first.tokens[:5]]  # more than there are slots
    together = told.follow(rows, 4)
    for row, one in zip(rows, together, strict=True):
        (alone,) = told.follow([row], 4)
        assert alone.tokens[0] == one.tokens[0]
        assert alone.logprobs == pytest.approx(one.logprobs, abs=0.05)
