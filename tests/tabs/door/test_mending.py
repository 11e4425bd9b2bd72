"""Gradio's script leaves mended where it is the one that is known, and as it is where it is another."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tabs.door import mending
from tabs.door.compression import Compression
from tabs.door.mending import CHANGES, Mending, mended


async def theirs(request: Any) -> PlainTextResponse:
    return PlainTextResponse("as it comes")


APP = Compression(Mending(Starlette(routes=[Route("/assets/{name}", theirs)])))


def get(path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://studio") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def script() -> str:
    found = mended()
    assert found is not None, "Gradio's script is another: look at tabs/door/mending.py again"
    return found[0]


def test_the_script_of_the_gradio_that_is_pinned_is_mended_and_nothing_else_of_it_is_changed() -> None:
    got = get(f"/assets/{script()}")
    text = got.text
    assert got.headers["content-type"].startswith("text/javascript")
    for old, new in CHANGES:
        assert text.count(new) == 1
        text = text.replace(new, old)
    assert text == (mending.SCRIPTS / script()).read_text(encoding="utf-8")


def test_a_browser_asks_again_after_a_day_and_is_told_that_it_has_it() -> None:
    first = get(f"/assets/{script()}")
    assert first.headers["cache-control"] == mending.A_DAY
    again = get(f"/assets/{script()}", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert get(f"/assets/{script()}", **{"If-None-Match": 'W/"older"'}).status_code == 200


def test_other_scripts_are_left_alone() -> None:
    assert get("/assets/index-abc.js").text == "as it comes"


@pytest.mark.parametrize("passage", [place for place, _ in enumerate(CHANGES)])
def test_a_script_that_lacks_a_passage_leaves_as_it_is(
    passage: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (mending.SCRIPTS / script()).read_text(encoding="utf-8").replace(CHANGES[passage][0], "")
    (tmp_path / script()).write_text(text, encoding="utf-8")
    name = script()
    monkeypatch.setattr(mending, "SCRIPTS", tmp_path)
    mended.cache_clear()
    try:
        assert mended() is None
        assert get(f"/assets/{name}").text == "as it comes"
    finally:
        mended.cache_clear()
