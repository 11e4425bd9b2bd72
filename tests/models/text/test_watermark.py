"""A watermark in answers of transformers' models: it is there, by transformers' own count too, and only where drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Recorder, load
from transformers import SynthIDTextWatermarkingConfig

from studio.engines.text import watermark
from studio.engines.text.transformers_lm import TextEngine
from studio.errors import StudioError
from studio.request_parts import Message
from studio.requests import ChatRequest

KEYS = tuple(range(3, 3 + 30 * 7919, 7919))
OTHERS = tuple(range(5, 5 + 30 * 6121, 6121))
ASK = ChatRequest(
    messages=(Message("user", "hello"),), max_tokens=120, temperature=1.0, top_p=1.0, top_k=0, min_p=0.0,
    repetition_penalty=1.0, seed=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def plain(chat_folder: Path) -> Iterator[Any]:
    yield from loaded(chat_folder, {})


@pytest.fixture(scope="module")
def marked(chat_folder: Path) -> Iterator[Any]:
    yield from loaded(chat_folder, {watermark.OPTION: list(KEYS)})


def loaded(folder: Path, options: dict[str, Any]) -> Iterator[Any]:
    model = load(TextEngine(), folder, options={"dtype": "float32", **options})
    yield model
    model.close()


def drawn(model: Any, request: ChatRequest = ASK) -> list[int]:
    """The tokens of an answer, as the model wrote them."""
    result = model.run(request, Recorder())
    count = int(result.stats["tokens"])
    return model._cached[int(result.stats["prompt_tokens"]) :][:count]


def by_transformers(ids: list[int], keys: tuple[int, ...]) -> float:
    """The mean of the g-values of tokens whose context is new, counted with transformers alone."""
    processor = theirs(keys)
    tokens = torch.tensor([ids])
    told, once = processor.compute_g_values(tokens), processor.compute_context_repetition_mask(tokens)
    return float((told * once[..., None]).sum() / (once.sum() * told.shape[-1]))


def theirs(keys: tuple[int, ...]) -> Any:
    return SynthIDTextWatermarkingConfig(ngram_len=5, keys=list(keys)).construct_processor(300, "cpu")


@pytest.mark.parametrize("left", [300, 40, 1])
def test_scores_are_those_of_transformers_where_tokens_can_be_drawn_at_all(left: int) -> None:
    ours, others = watermark.config(KEYS).construct_processor(300, "cpu"), theirs(KEYS)
    ids = torch.tensor([[7, 8, 9]])
    for step in range(8):
        scores = torch.randn(1, 300, generator=torch.Generator().manual_seed(step))
        scores[scores < scores.topk(left).values.min()] = -torch.inf
        got, wanted = ours(ids, scores).softmax(-1), others(ids, scores).softmax(-1)
        assert torch.allclose(got, wanted, atol=1e-6)
        ids = torch.cat([ids, got.argmax(-1, keepdim=True)], dim=1)


def test_answers_carry_it_and_are_told_from_those_without(plain: Any, marked: Any) -> None:
    with_it, without = drawn(marked), drawn(plain)
    assert len(with_it) > 60
    found = watermark.score(with_it, KEYS)
    assert found.found
    assert found.mean == pytest.approx(by_transformers(with_it, KEYS), abs=1e-6)
    assert not watermark.score(without, KEYS).found
    assert not watermark.score(with_it, OTHERS).found, "other keys find nothing"
    assert abs(watermark.score(without, KEYS).mean - 0.5) < found.mean - 0.5


def test_a_seed_repeats_its_answer_and_what_is_not_drawn_is_as_without(plain: Any, marked: Any) -> None:
    assert drawn(marked) == drawn(marked)
    greedy = replace(ASK, temperature=0.0, max_tokens=20)
    assert drawn(marked, greedy) == drawn(plain, greedy)
    assert watermark.carried("text", "chat", {"temperature": 0.7})
    for engine, task, temperature in (("llama", "chat", 0.7), ("text", "chat", 0.0), ("text", "code", 1)):
        assert not watermark.carried(engine, task, {"temperature": temperature})


def test_a_text_is_counted_by_its_words_alone(marked: Any, chat_folder: Path) -> None:
    said = marked.run(replace(ASK, max_tokens=300), Recorder()).text
    found = watermark.score(watermark.tokens(chat_folder, said), KEYS)
    assert found.mean > 0.5
    assert found.tokens > 20


def test_of_a_few_words_nothing_is_said() -> None:
    for ids in ([], [1], [1, 2, 3, 4, 5], [1] * 200):
        assert not watermark.score(ids, KEYS).found


def test_keys_are_made_once_for_their_owner_alone_and_read_again(tmp_path: Path) -> None:
    assert watermark.keys(tmp_path, make=False) == ()
    first = watermark.keys(tmp_path)
    assert len(set(first)) == 30
    assert watermark.keys(tmp_path) == first
    assert (tmp_path / watermark.FILE).stat().st_mode & 0o777 == 0o600
    for broken in ("", "[]", '{"keys": []}', '{"keys": ["a"]}', '{"keys": [1.5]}'):
        (tmp_path / watermark.FILE).write_text(broken)
        with pytest.raises(StudioError) as error:
            watermark.keys(tmp_path)
        assert error.value.code == "bad_file"
