"""What leaves compressed is what went in, for those who can read it; what is no text, or goes on, is left alone."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tabs.door import compression
from tabs.door.compression import Compression

LONG = b"the same again and again " * 400


def app(**answers: Response) -> Compression:
    def route(name: str) -> Route:
        async def give(request: Any) -> Response:
            return answers[name]

        return Route(f"/{name.replace('__', '/')}", give)

    return Compression(Starlette(routes=[route(name) for name in answers]))


def get(app: Compression, path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://studio") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("kind", compression.KINDS)
def test_text_comes_out_as_it_went_in(kind: str) -> None:
    answer = get(app(a=Response(LONG, media_type=kind)), "/a")
    assert answer.content == LONG  # httpx reads gzip by itself
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(LONG) / 20
    assert "accept-encoding" in answer.headers["vary"].lower()


def test_an_answer_that_is_not_to_be_stored_is_not_given_to_the_next_who_asks() -> None:
    """The library is one address for every question."""
    answers = iter((LONG, LONG[::-1]))

    async def give(request: Any) -> Response:
        return Response(next(answers), headers={"Cache-Control": "no-store"}, media_type="application/json")

    door = Compression(Starlette(routes=[Route("/atelier/library", give)]))
    assert [get(door, f"/atelier/library?{place}").content for place in (1, 2)] == [LONG, LONG[::-1]]


@pytest.mark.parametrize(
    ("answer", "headers"),
    [
        (Response(LONG, media_type="image/png"), {}),
        (Response(b"short", media_type="text/html"), {}),
        (Response(LONG, 500, media_type="text/html"), {}),
        (Response(LONG, media_type="text/html"), {"Accept-Encoding": "identity"}),
        (StreamingResponse(iter([LONG]), media_type="text/event-stream"), {}),
    ],
    ids=["picture", "short", "failure", "who cannot read it", "stream"],
)
def test_the_rest_is_left_alone(answer: Response, headers: dict[str, str]) -> None:
    got = get(app(a=answer), "/a", **headers)
    assert "content-encoding" not in got.headers
    assert got.content in (LONG, b"short")


def test_what_is_compressed_already_is_not_compressed_again() -> None:
    once = Response(gzip.compress(LONG), media_type="text/html", headers={"Content-Encoding": "gzip"})
    assert get(app(a=once), "/a").content == LONG


def test_a_file_named_by_its_hash_is_compressed_once_and_kept_by_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = gzip.compress
    monkeypatch.setattr(gzip, "compress", lambda data, *more, **named: made.append(1) or real(data, *more, **named))
    door = app(assets__a=PlainTextResponse(LONG, media_type="text/javascript", headers={"ETag": '"1"'}))
    for _ in range(2):
        answer = get(door, "/assets/a")
        assert answer.content == LONG
        assert "immutable" in answer.headers["cache-control"]
    assert made == [1]


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "KEPT", 200)
    door = app(**{f"assets__{i}": Response(LONG + bytes([48 + i]), media_type="text/css") for i in range(9)})
    for i in range(9):
        assert get(door, f"/assets/{i}").content.endswith(bytes([48 + i]))
    assert 0 < sum(map(len, door._kept.values())) <= 200


def test_what_an_address_answers_anew_each_time_is_never_what_it_answered_before() -> None:
    """Two files that are opened one after another at the same address."""
    first, second = ({"text": letter * 2_000} for letter in "ab")
    answers = iter((first, second))

    async def give(request: Any) -> Response:
        return JSONResponse(next(answers), headers={"Cache-Control": "no-store"})

    door = Compression(Starlette(routes=[Route("/atelier/project/read", give)]))
    assert [get(door, "/atelier/project/read").json() for _ in range(2)] == [first, second]
    assert not door._kept
