"""MCP, asked by the client of the SDK."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import soundfile
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import AudioContent, CallToolResult, ImageContent, TextContent
from PIL import Image
from serving import Place, key, png, served, until

from studio.recipes import recipe

SMALL: dict[str, Any] = {"width": 64, "height": 64, "steps": 4}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served(tmp_path_factory.mktemp("home"), mcp=True, max_upload_mb=32) as found:
        yield found


@asynccontextmanager
async def connected(place: Place, told: str = "", **how: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {told}"} if told else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        async with Client(streamable_http_client(f"{place.url}/mcp", http_client=http), **how) as client:
            yield client


def ask(place: Place, talk: Callable[[Client], Awaitable[Any]], told: str = "", **how: Any) -> Any:
    async def run() -> Any:
        async with connected(place, told, **how) as client:
            return await talk(client)

    return asyncio.run(run())


def call(place: Place, name: str, **arguments: Any) -> CallToolResult:
    return ask(place, lambda client: client.call_tool(name, arguments))


def words(result: CallToolResult) -> str:
    assert not result.is_error, result
    (first,) = [one for one in result.content if isinstance(one, TextContent)][:1]
    return first.text


def sent(data: bytes) -> str:
    return base64.b64encode(data).decode()


def slowed(place: Place, model: str, seconds: float) -> str:
    name = place.slow(model, seconds)
    place.studio.models.unload()
    return name


def test_six_tools_are_found_with_what_each_takes(place: Place) -> None:
    found = {one.name: one for one in ask(place, lambda client: client.list_tools()).tools}
    assert set(found) == {"chat", "paint", "compose", "complete", "caption", "library_search"}
    assert found["paint"].input_schema["required"] == ["prompt"]
    assert {"width", "seed", "image", "mask"} <= set(found["paint"].input_schema["properties"])
    assert "ctx" not in json.dumps([one.input_schema for one in found.values()])
    assert all(one.description for one in found.values())
    assert found["library_search"].annotations is not None
    assert found["library_search"].annotations.read_only_hint


def test_pictures_come_byte_for_byte_with_their_recipe(place: Place) -> None:
    result = call(place, "paint", prompt="a lake", count=2, seed=5, **SMALL)
    pictures = [one for one in result.content if isinstance(one, ImageContent)]
    assert [one.mime_type for one in pictures] == ["image/png", "image/png"]
    kept = [file.read_bytes() for file in (place.studio.home.outputs / "image").rglob("*.png")]
    for one in pictures:
        data = base64.b64decode(one.data)
        assert data in kept
        made = recipe.read_recipe(data)
        assert made is not None
        assert made["parameters"]["prompt"] == "a lake"
    assert "seed 5" in words(result)
    assert "seed 6" in words(result)


def test_sound_comes_as_sound(place: Place) -> None:
    result = call(place, "compose", prompt="calm", duration=2)
    (piece,) = [one for one in result.content if isinstance(one, AudioContent)]
    assert piece.mime_type == "audio/wav"
    assert soundfile.info(io.BytesIO(base64.b64decode(piece.data))).duration == pytest.approx(2, abs=0.2)


def test_words_code_and_captions(place: Place) -> None:
    assert "hello there" in words(call(place, "chat", message="hello there", pictures=[sent(png())]))
    assert "a picture of 64 by 64" in words(call(place, "chat", message="x", pictures=[sent(png())]))
    assert words(call(place, "complete", prefix="def f(", language="python"))
    assert "red" in words(call(place, "caption", image="data:image/png;base64," + sent(png())))


def test_a_picture_is_painted_over(place: Place) -> None:
    result = call(place, "paint", prompt="x", image=sent(png()), strength=0.5, **SMALL)
    (picture,) = [one for one in result.content if isinstance(one, ImageContent)]
    made = recipe.read_recipe(base64.b64decode(picture.data))
    assert made is not None
    assert made["parameters"]["image"]["bytes"] == len(png())


def test_pictures_of_more_than_four_megabytes_arrive(place: Place) -> None:
    noise = Image.effect_noise((1400, 1400), 90).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG", compress_level=0)
    assert len(out.getvalue()) > 5_000_000
    assert "1400 by 1400" in words(call(place, "caption", image=sent(out.getvalue())))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_progress_has_a_total_and_rises(place: Place, mode: str) -> None:
    slow = slowed(place, "demo-image", 0.05)
    seen: list[tuple[float, float | None, str | None]] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    arguments = {"prompt": "x", "model": slow, "width": 64, "height": 64, "steps": 20}
    ask(place, lambda client: client.call_tool("paint", arguments, progress_callback=heard), mode=mode)
    assert len(seen) >= 2
    assert {total for _, total, _ in seen} == {20.0}
    assert [step for step, _, _ in seen] == sorted(step for step, _, _ in seen)
    assert seen[-1][2] == f"Step {seen[-1][0]:.0f} of 20"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_call_that_is_cancelled_stops_its_job(place: Place, mode: str) -> None:
    slow = slowed(place, "demo-image", 0.05)
    arguments = {"prompt": "x", "model": slow, "width": 64, "height": 64, "steps": 150}

    async def talk(client: Client) -> bool:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "paint", arguments)
            assert await anyio.to_thread.run_sync(until, lambda: any(job.kind == "running" for job in place.running()))
            group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            return await anyio.to_thread.run_sync(until, lambda: not place.running(), 3.0)

    assert ask(place, talk, mode=mode)
    assert place.studio.jobs()[-1].kind == "cancelled"


def test_a_program_that_dies_stops_its_job(place: Place) -> None:
    slow = slowed(place, "demo-image", 0.05)
    head = {"Accept": "application/json, text/event-stream"}
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
    begun = place.http.post("/mcp", headers=head, json=said("initialize", about, 1))
    head["Mcp-Session-Id"] = begun.headers["mcp-session-id"]
    place.http.post("/mcp", headers=head, json=said("notifications/initialized", {}))
    asked = {"prompt": "x", "model": slow, "width": 64, "height": 64, "steps": 150}
    body = said("tools/call", {"name": "paint", "arguments": asked}, 2)
    with place.http.stream("POST", "/mcp", headers=head, json=body):
        assert until(lambda: any(job.kind == "running" for job in place.running()))
    assert until(lambda: not place.running(), 3)
    assert place.studio.jobs()[-1].kind == "cancelled"


def said(method: str, params: dict[str, Any], number: int | None = None) -> dict[str, Any]:
    """A message of JSON-RPC; one without a number gets no answer."""
    return {"jsonrpc": "2.0", "method": method, "params": params, **({"id": number} if number else {})}


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("paint", {"prompt": ""}, "empty"),
        ("paint", {"prompt": "x", "width": 7}, "Width"),
        ("paint", {"prompt": "x", "model": "nothing"}, "no model called nothing"),
        ("paint", {"prompt": "x", "image": "http://127.0.0.1/a.png"}, "not fetched"),
        ("paint", {"prompt": "x", "count": 100}, "count"),
        ("paint", {}, "prompt"),
        ("caption", {"image": "%"}, "base64"),
        ("caption", {"image": sent(b"nothing")}, "picture"),
        ("caption", {"image": sent(png()), "style": "loud"}, "style"),
        ("chat", {"message": "x", "temperature": 99}, "Temperature"),
        ("chat", {"message": "x", "pictures": ["%"]}, "base64"),
    ],
)
def test_what_cannot_be_is_said_and_starts_nothing(
    place: Place, name: str, arguments: dict[str, Any], said: str
) -> None:
    before = len(place.studio.jobs())
    result = call(place, name, **arguments)
    assert result.is_error
    assert said in result.content[0].text  # pyright: ignore
    assert len(place.studio.jobs()) == before


def test_the_library_is_searched(place: Place) -> None:
    call(place, "paint", prompt="a quiet harbour", **SMALL)
    call(place, "paint", prompt="a loud market", **SMALL)
    found = words(call(place, "library_search", words="HARBOUR"))
    assert found.startswith("1 found.")
    assert "a quiet harbour" in found
    assert words(call(place, "library_search", task="music", words="harbour")).startswith("0 found.")
    assert len(words(call(place, "library_search", limit=1)).splitlines()) == 2


def test_in_a_network_it_asks_for_a_key(tmp_path: Path) -> None:
    with served(tmp_path, mcp=True, profile="lan", password="correct horse") as place:
        refused = place.http.post("/mcp", json={})
        assert (refused.status_code, list(refused.json())) == (401, ["error"])
        told = key(place, "agent")
        result = ask(place, lambda client: client.call_tool("chat", {"message": "hello"}), told)
        assert "hello" in words(result)
        assert place.studio.jobs()[-1].session == "key agent"


def test_it_is_off_and_not_imported_until_it_is_switched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "studio.api.mcp.serving", None)
    with served(tmp_path) as place:
        found = place.http.post("/mcp", json={})
        assert found.status_code == 404
        assert "STUDIO_MCP=1" in found.json()["error"]


def test_without_its_package_one_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "studio.api.mcp.serving", raising=False)
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    with served(tmp_path, mcp=True) as place:
        found = place.http.post("/mcp", json={})
        assert found.status_code == 501
        assert "python start.py mcp" in found.json()["error"]
