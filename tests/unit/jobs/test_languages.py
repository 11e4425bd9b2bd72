"""Who is offered where a model does not read the language that it was asked in."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.jobs.languages import chinese, reader
from studio.request_parts import Message
from studio.requests import CaptionRequest, ChatRequest, CodeRequest, ImageRequest, Request
from studio.service import Studio
from studio.settings import Settings


def card(id: str, *languages: str, size: int = 1, gated: bool = False) -> Card:
    return tiny_card(Source("bundled"), size, id=id, title=id, languages=languages, gated=gated)


def say(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message("user", text),))


HERE, LARGE, SMALL = (card("here", "en", "zh"), card("large", "zh", size=9), card("small", "zh", size=5))


@pytest.mark.parametrize(("text", "expected"), [
    ("法国的首都是哪里？", True), ("用 Python 写一个快速排序", True), ("What does 你好 mean in English?", False),
    ("The painter 齐", False), ("", False), ("Où est la gare ?", False), ("画一只猫, cartoon", True),
])  # fmt: skip
def test_what_is_chinese(text: str, expected: bool) -> None:
    assert chinese(text) is expected


@pytest.mark.parametrize("request_", [
    say("法国的首都是哪里？"), ImageRequest(prompt="一只红色的狐狸"), CaptionRequest(image=b"", prompt="有几只猫？"),
])  # fmt: skip
def test_one_that_reads_it_is_offered(request_: Request) -> None:
    (offer,) = reader(card("mine", "en"), (request_,), [LARGE, SMALL, HERE], lambda one: one is HERE)
    assert offer.changes == {"model": "here"}
    (offer,) = reader(card("mine", "en"), (request_,), [LARGE, SMALL], lambda _: False)
    assert offer.changes == {"model": "small"}
    assert offer.said("en") == "Ask small, which reads Chinese"


@pytest.mark.parametrize(("asked", "request_"), [
    (("en",), say("Where is Paris?")), (("en", "zh"), say("法国的首都是哪里？")), ((), say("法国的首都是哪里？")),
    (("en",), CodeRequest(prefix="# 快速排序的实现代码")),
])  # fmt: skip
def test_nobody_is_offered_where_it_is_understood_or_not_known(asked: tuple[str, ...], request_: Request) -> None:
    assert reader(card("mine", *asked), (request_,), [HERE], lambda _: True) == ()


def test_nobody_is_offered_who_cannot_be_had() -> None:
    others = [card("mine@int8", "zh"), card("gated", "zh", gated=True), card("english", "en")]
    assert reader(card("mine", "en"), (say("法国的首都是哪里？"),), others, lambda _: False) == ()


@pytest.mark.parametrize("model", ["demo-chat", "english"])
def test_a_job_that_is_done_says_it(settings: Settings, model: str) -> None:
    with Studio(settings) as studio:
        cards = dict(studio.catalog.cards)
        cards["english"] = replace(cards["demo-chat"], id="english", title="Anglo", languages=("en",))
        object.__setattr__(studio.catalog, "cards", MappingProxyType(cards))
        *_, last = studio.submit(replace(say("法国的首都是哪里？"), model=model)).events()
        assert last.kind == "done"
        expected = [] if model == "demo-chat" else ["demo-chat"]  # that one reads it
        assert [offer.changes["model"] for offer in last.offers] == expected
