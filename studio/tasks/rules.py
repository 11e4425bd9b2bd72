"""Rules of a task: what it says of its requests, so that nobody else has to ask what kind one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from studio.catalog.card import Card
from studio.requests import Request
from studio.tasks.bounds import Bound, Letters

R = TypeVar("R", bound=Request)

Try = tuple[dict[str, Any], dict[str, Any]]
"""Changes to a request, and what the offer's text says of them."""
Kinds = Iterator[tuple[str, Iterator[Try]]]
"""Kinds of offers that keep the model, each with tries from the least change on."""
FEWEST_TOKENS = 32


@dataclass(frozen=True, kw_only=True)  # without slots: a generic class remembers what it was made for
class Rules(Generic[R]):
    """One task's answers. Cards are those of the model that is asked; `public` says that strangers ask.

    Attributes:
        numbers, texts: field -> what it may be.
        together: numbers that `check` judges itself, because what one may be depends on others.
        check: refuses, by StudioError, what is wrong beyond single numbers and texts.
        settled: fields that are made up or fixed, whatever the card says; takes a checked request.
        defaults: of numbers that nobody named, where the card says nothing either.
        admits: whether a model can do it at all.
        title: what people call it, before it is shortened.
        language: what is written in a language that the model has to read; empty for what is not, as code.
        sources: files that the output is made of or is about, the main one first.
        marks: what changes the memory that is needed and not every engine's estimate.
        lighter: requests that need less memory, for the same model; takes a resolved request.
    """

    numbers: Mapping[str, Bound]
    texts: Mapping[str, Letters]
    check: Callable[[R, Card, bool], None]
    title: Callable[[R], str]
    lighter: Callable[[R, Card, bool], Kinds]
    together: tuple[str, ...] = ()
    settled: Callable[[R, Card, bool], Mapping[str, Any]] = lambda _, __, ___: {}
    defaults: Callable[[R], Mapping[str, float]] = lambda _: {}
    admits: Callable[[R, Card], bool] = lambda _, __: True
    language: Callable[[R], str] = lambda _: ""
    sources: Callable[[R], tuple[bytes, ...]] = lambda _: ()
    marks: Callable[[R], tuple[str, ...]] = lambda _: ()


def briefer(request: Any, _: Card, __: bool) -> Kinds:
    """Shorter answers, each half of the one before. For every task that has `max_tokens`."""
    yield "brief", _fewer(int(request.max_tokens or 0))


def _fewer(tokens: int) -> Iterator[Try]:
    while (tokens := tokens // 2) >= FEWEST_TOKENS:
        yield {"max_tokens": tokens}, {"count": tokens}
