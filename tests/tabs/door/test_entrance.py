"""The password: what wrong ones cost, and what there is without it."""

import asyncio
import logging
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from through import Behind, ask

from studio.api import tries
from studio.api.tries import FREE, pause
from studio.settings import Settings
from tabs.door.password import Entrance

LAN = Settings(profile="lan", password="long enough", _env_file=None)  # pyright: ignore


class Login(Behind):
    """Gradio's login: the password is right where the body says so. `tokens` are those who are in."""

    tokens, cookie_id = {"t0k3n": "studio"}, "id"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start" and scope["path"] == "/login":
                message = {**message, "status": 200 if b"right" in self.bodies[-1] else 400}
            await send(message)

        await super().__call__(scope, receive, answer)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(tries, "monotonic", lambda: now[0])
    return now


def guess(door: Entrance, words: str = "wrong", client: str = "192.168.1.9") -> int:
    return ask(door, "POST", "/login", client, content=words).status_code


def test_each_wrong_password_makes_the_next_wait_longer(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    door = Entrance(Login(), LAN)
    with caplog.at_level(logging.WARNING):
        assert [guess(door) for _ in range(5)] == [400, 400, 400, 400, 429]
    assert sum("wrong password from 192.168.1.9" in line for line in caplog.messages) == 4
    assert "long enough" not in caplog.text
    assert guess(door, "right") == 429  # else the wait would tell nothing
    assert guess(door, client="192.168.1.10") == 400
    tried, day = 0, clock[0] + 24 * 3600
    while clock[0] < day:
        clock[0] += door._tries.wait("192.168.1.9")
        tried += guess(door) == 400
    assert tried < 400
    assert pause(10_000) == tries.LONGEST


def test_many_at_once_are_many_tries() -> None:
    async def run() -> list[int]:
        both = asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await both.wait()  # none is answered before all are there
            await Login()(scope, receive, send)

        transport = httpx.ASGITransport(Entrance(slow, LAN))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            asked = [asyncio.create_task(http.post("/login", content="wrong")) for _ in range(20)]
            await asyncio.sleep(0.05)
            both.set()
            return [(await each).status_code for each in asked]

    codes = asyncio.run(run())
    assert codes.count(429) == 20 - FREE


def test_who_knows_it_is_let_in_and_starts_anew(clock: list[float]) -> None:
    door = Entrance(Login(), LAN)
    assert [guess(door), guess(door), guess(door, "right")] == [400, 400, 200]
    assert [guess(door) for _ in range(4)] == [400, 400, 400, 400]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/heartbeat/x", "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/queue/data",
        "/gradio_api/upload", "/gradio_api/file=/x", "/gradio_api/queue/status", "/atelier/live/0123456789abcdef.wav",
    ],
)  # fmt: skip
def test_without_it_there_is_nothing_but_the_form(path: str) -> None:
    app = Login()

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        await Entrance(app, LAN)({**scope, "app": app}, receive, send)

    assert ask(inside, "GET", path).status_code == 401
    for cookie in ("access-token-id=wrong", "access-token-id=", "access-token-other=t0k3n"):
        assert ask(inside, "GET", path, headers={"cookie": cookie}).status_code == 401
    for cookie in ("access-token-id=t0k3n", 'prefs={"a":1}; access-token-unsecure-id=t0k3n'):
        assert ask(inside, "GET", path, headers={"cookie": cookie}).status_code == 200
    for shown in ("/", "/assets/x.js", "/theme.css", "/gradio_api/app_id", "/gradio_api/startup-events"):
        assert ask(inside, "GET", shown).status_code == 200
    assert ask(Entrance(app, Settings(_env_file=None)), "GET", path).status_code == 200  # pyright: ignore
