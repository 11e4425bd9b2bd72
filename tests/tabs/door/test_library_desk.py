"""The address of the library: pages, pictures and orders for who may; nothing for strangers and for other sites."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.responses import PlainTextResponse

from studio.library.index import Query
from studio.recipes import recipe
from studio.results import Output
from studio.service import Studio
from studio.settings import Settings
from tabs.door.guard import Guard
from tabs.door.library_desk import ADDRESS, LibraryDesk
from tabs.door.password import Entrance

COLOURS = ("red", "green", "violet")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(_settings(tmp_path_factory.mktemp("home"))) as studio:
        for seed in range(3):
            made = {
                "format": recipe.FORMAT, "task": "image", "seed": seed, "made": "2026-01-31T12:00:00+00:00",
                "model": {"id": "m", "title": "M", "revision": "", "licence": "MIT", "licence_url": "",
                          "commercial": True},
                "parameters": {"prompt": f"hill {seed} 山 {COLOURS[seed]}"}, "software": {}, "device": "cpu",
                "finish": "stop", "seconds": 0.5,
            }  # fmt: skip
            studio.library.save("image", Output(images=(Image.new("RGB", (600, 400)),), seeds=(seed,)), made)
        yield studio


def _settings(home: Path, **more: Any) -> Settings:
    return Settings(demo=True, home=home, port=0, keep_free_gb=0, _env_file=None, **more)  # pyright: ignore


def ask(studio: Studio, path: str = "", order: Any = None, settings: Settings | None = None, **headers: str) -> Any:
    """One request through the doors that matter here."""
    known = settings or studio.settings
    app = Guard(Entrance(LibraryDesk(PlainTextResponse("beyond"), studio, ()), known), known)

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:7860") as client:
            if order is None:
                return await client.get(f"{ADDRESS}{path}", headers=headers)
            return await client.post(f"{ADDRESS}{path}", json=order, headers=headers)

    return asyncio.run(send())


def first(studio: Studio) -> str:
    assert studio.archive is not None
    return studio.archive.page(Query()).items[0].id


def test_a_page_with_what_its_filters_offer(studio: Studio) -> None:
    told = ask(studio, "?first=1&text=山").json()
    assert told["count"] == len(told["items"]) == 3
    assert told["tasks"]["image"] == 3
    assert ask(studio, "?text=hill GREEN").json()["items"][0]["title"] == "hill 1 山 green"
    assert ask(studio, "?task=music&first=1").json()["items"] == []
    assert ask(studio, "?until=2025-01-01").json()["items"] == []
    assert len(ask(studio, "?since=2026-01-31&until=2026-01-31").json()["items"]) == 3


def test_small_pictures_are_made_once_and_the_file_comes_whole(studio: Studio) -> None:
    id = first(studio)
    small = ask(studio, f"/small?id={id}")
    with Image.open(io.BytesIO(small.content)) as picture:
        assert picture.format == "WEBP"
        assert picture.size == (256, 171)
    (kept,) = studio.disk.thumbnails.rglob("*.webp")
    kept.write_bytes(b"as it was kept")
    assert ask(studio, f"/small?id={id}").content == b"as it was kept"
    assert studio.archive is not None
    whole = ask(studio, f"/file?id={id}")
    assert whole.content == studio.archive.file(id).read_bytes()
    assert whole.headers["content-type"] == "image/png"
    assert "attachment" in ask(studio, f"/file?id={id}&save=1").headers["content-disposition"]


def test_all_about_one_and_its_orders(studio: Studio) -> None:
    id = first(studio)
    assert ask(studio, "/do", {"do": "star", "ids": [id]}).json()["items"][0]["star"] is True
    ask(studio, "/do", {"do": "tag", "ids": [id], "names": ["best"]})
    ask(studio, "/do", {"do": "note", "ids": [id], "text": "备注"})
    told = ask(studio, f"/about?id={id}").json()
    assert (told["tags"], told["note"], told["restores"]) == (["best"], "备注", True)
    assert ["Seed", told["title"].split()[1]] in told["facts"]
    assert ask(studio, f"/about?id={id}", **{"Accept-Language": "zh-CN"}).json()["facts"] != told["facts"]
    token = ask(studio, "/do", {"do": "delete", "ids": [id]}).json()["token"]
    assert ask(studio, f"/about?id={id}").status_code == 404
    assert ask(studio, "/do", {"do": "restore", "token": token}).json()["ids"] == [id]
    assert ask(studio, "/space").json()["parts"][0]["part"] == "outputs"


@pytest.mark.parametrize(
    "order", [{}, [], {"do": "format"}, {"do": "room", "limit": "all"}, {"do": "export", "form": "x"}]
)
def test_what_no_page_sends_is_said_to_be_wrong(studio: Studio, order: Any) -> None:
    assert ask(studio, "/do", order).status_code == 422


@pytest.mark.parametrize("id", ["../models.toml", "..%2Fmodels.toml", "/etc/passwd", ".stars.txt", "chat/../x", "%00"])
@pytest.mark.parametrize("what", ["file", "small", "about"])
def test_no_id_leads_out_of_the_library(studio: Studio, what: str, id: str) -> None:
    (studio.home.root / "models.toml").write_text("")
    assert ask(studio, f"/{what}?id={id}").status_code in (404, 422)


def test_strangers_have_none(tmp_path: Path) -> None:
    with Studio(_settings(tmp_path, profile="space")) as public:
        for path in ("", "/space", "/about?id=image/x.png", "/small?id=x"):
            assert ask(public, path).status_code == 404
        assert ask(public, "/do", {"do": "delete", "ids": ["x"]}).status_code == 404


@pytest.mark.parametrize("path", ["", "/space", "/file?id=x", "/small?id=x"])
def test_nobody_without_the_password_reads_or_orders(studio: Studio, path: str) -> None:
    lan = _settings(studio.home.root, profile="lan", password="a long password")
    assert ask(studio, path, settings=lan).status_code == 401
    assert ask(studio, "/do", {"do": "delete", "ids": [first(studio)]}, settings=lan).status_code == 401


def test_the_pictures_of_adaptations_are_behind_the_password_as_well(studio: Studio) -> None:
    lan = _settings(studio.home.root, profile="lan", password="a long password")
    app = Entrance(PlainTextResponse("beyond"), lan)

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:7860") as client:
            return await client.get("/atelier/adaptation?name=x")

    assert asyncio.run(send()).status_code == 401


def test_another_site_can_neither_read_nor_order(studio: Studio) -> None:
    theirs = {"Origin": "http://localhost:9"}
    assert ask(studio, **theirs).status_code == 403
    assert ask(studio, "/do", {"do": "delete", "ids": [first(studio)]}, **theirs).status_code == 403
