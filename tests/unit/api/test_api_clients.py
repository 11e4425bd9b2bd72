"""Programs that go away, come back, ask twice, ask all at once, and look at each other's jobs."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from typing import Any

import httpx
import openai
import pytest
from serving import Place, until

from studio.api import submitting
from studio.engines.demo.fake import FakeModel
from studio.results import Output

HELLO = [{"role": "user", "content": "Hello there, tell me something"}]


@pytest.fixture(autouse=True)
def _quiet(place: Place) -> Any:
    """Each test begins and ends with nothing at work."""
    yield
    for job in place.running():
        job.cancel()
    assert until(lambda: not place.running())


def chat(place: Place, **more: Any) -> dict[str, Any]:
    return {"model": place.slow("demo-chat"), "messages": HELLO, **more}


# Gone


def test_a_client_that_goes_in_mid_stream_ends_its_job_at_once(place: Place) -> None:
    with place.http.stream("POST", "/v1/chat/completions", json=chat(place, stream=True)) as answer:
        next(line for line in answer.iter_lines() if '"content":"You' in line)
        began = time.monotonic()
    assert until(lambda: not place.running(), 0.5)
    assert time.monotonic() - began < 0.5
    assert place.studio.jobs()[-1].kind in ("done", "cancelled")
    assert place.studio.jobs()[-1].cancelled
    quick = place.http.post("/v1/chat/completions", json={"messages": HELLO, "model": "demo-chat"})
    assert quick.status_code == 200  # the lane is free


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": HELLO, "model": "demo-chat"}),
        ("/v1/images/generations", {"prompt": "a fox", "model": "demo-image"}),
        ("/v1/completions", {"prompt": "def f():", "model": "demo-code"}),
        ("/infill", {"input_prefix": "def f():", "model": "demo-code"}),
        ("/v1/audio/music", {"prompt": "calm", "model": "demo-music"}),
    ],
)
def test_a_client_that_waits_no_longer_ends_its_job(place: Place, path: str, body: Any) -> None:
    known = {job.id for job in place.studio.jobs()}
    raw = json.dumps(body | {"model": place.slow(body["model"], 0.2)}).encode()
    port = int(place.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as line:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
        )
        line.sendall(head.encode() + raw)
        assert until(lambda: any(job.id not in known and job.kind == "running" for job in place.studio.jobs()))
    assert until(lambda: not place.running(), 1.0)
    assert place.studio.jobs()[-1].cancelled


def test_a_client_that_goes_while_its_job_waits_leaves_the_line(place: Place) -> None:
    with place.http.stream("POST", "/v1/chat/completions", json=chat(place, stream=True)):
        with pytest.raises(httpx.ReadTimeout):
            place.http.post("/v1/chat/completions", json=chat(place), timeout=0.2)
        assert until(lambda: len(place.running()) == 1, 0.5)


# Twice


def test_a_client_that_tries_again_has_one_job_at_work_at_a_time(place: Place) -> None:
    before = len(place.studio.jobs())
    client = openai.OpenAI(base_url=f"{place.url}/v1", api_key="x", max_retries=1, timeout=0.3)
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**chat(place))
    assert until(lambda: not place.running(), 1.0)
    mine = place.studio.jobs()[before:]
    assert len(mine) == 2
    assert all(job.cancelled for job in mine)


def test_with_an_idempotency_key_the_second_try_gets_the_first_ones_job(place: Place) -> None:
    before = len(place.studio.jobs())
    headers = {"Idempotency-Key": "try-1"}
    client = openai.OpenAI(base_url=f"{place.url}/v1", api_key="x", max_retries=3, timeout=1.0)
    found = client.chat.completions.create(**chat(place), extra_headers=headers)
    again = client.chat.completions.create(**chat(place), extra_headers=headers)
    assert found.choices[0].message.content == again.choices[0].message.content
    assert len(place.studio.jobs()) == before + 1


def test_two_at_once_with_one_key_are_one_job(place: Place) -> None:
    async def both() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key="x") as client:
            headers = {"Idempotency-Key": "twins"}
            asked = [client.chat.completions.create(**chat(place), extra_headers=headers) for _ in range(2)]
            return [one.id for one in await asyncio.gather(*asked)]

    assert len(set(asyncio.run(both()))) == 1


def test_a_key_for_another_message_is_refused(place: Place) -> None:
    headers = {"Idempotency-Key": "only-once"}
    body = {"messages": HELLO, "model": "demo-chat"}
    assert place.http.post("/v1/chat/completions", json=body, headers=headers).status_code == 200
    answer = place.http.post("/v1/chat/completions", json={**body, "seed": 1}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "api_another")


def test_nobody_who_comes_back_ends_a_job_that_waited_for_them(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "GRACE", 0.05)
    headers = {"Idempotency-Key": "forsaken"}
    with place.http.stream("POST", "/v1/chat/completions", json=chat(place, stream=True), headers=headers) as answer:
        next(answer.iter_lines())
    assert until(lambda: not place.running(), 1.5)
    found = place.http.post("/v1/chat/completions", json=chat(place, stream=True), headers=headers)
    assert "You asked" in "".join(json.loads(line[6:])["choices"][0]["delta"].get("content", "")
                                  for line in found.text.splitlines() if line.startswith("data: {"))  # fmt: skip


# Many


def test_thirty_stream_at_once_and_nobody_starves(place: Place) -> None:
    """Each gets the whole answer; no thread is theirs, and afterwards no memory."""
    name = place.slow("demo-chat", 0.002, places=8)

    async def one(client: httpx.AsyncClient) -> str:
        said = ""
        body = {"model": name, "messages": HELLO, "stream": True}
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    said += json.loads(line[6:])["choices"][0]["delta"].get("content", "")
        return said

    async def all_of_them() -> list[str]:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(base_url=place.url, timeout=60, limits=limits) as client:
            return await asyncio.gather(*(one(client) for _ in range(30)))

    asyncio.run(all_of_them())  # what is made once
    most = 0
    watching = threading.Event()

    def watch() -> None:
        nonlocal most
        while not watching.wait(0.01):
            most = max(most, threading.active_count())

    watcher = threading.Thread(target=watch)
    usual = threading.active_count()
    gc.collect()
    tracemalloc.start()
    watcher.start()
    begun = tracemalloc.get_traced_memory()[0]
    answers = asyncio.run(all_of_them())
    watching.set()
    watcher.join()
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] - begun
    tracemalloc.stop()
    assert {len(answer) for answer in answers} == {len(answers[0])}
    assert answers[0].startswith("You asked: Hello")
    assert most < usual + 15  # the lanes', the watcher, and the pool's for short calls: not one a client
    assert kept < 3_000_000


def test_a_full_queue_says_when_to_come_again(place: Place) -> None:
    limit = place.studio.settings.max_jobs_per_session
    object.__setattr__(place.studio.settings, "max_jobs_per_session", 1)
    try:
        with place.http.stream("POST", "/v1/chat/completions", json=chat(place, stream=True)):
            answer = place.http.post("/v1/chat/completions", json=chat(place))
            with pytest.raises(openai.RateLimitError):
                place.openai.chat.completions.create(**chat(place))
    finally:
        object.__setattr__(place.studio.settings, "max_jobs_per_session", limit)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "x-should-retry" not in answer.headers


def test_of_several_answers_none_is_begun_where_one_is_refused(place: Place) -> None:
    limit = place.studio.settings.max_jobs_per_session
    object.__setattr__(place.studio.settings, "max_jobs_per_session", 2)
    try:
        assert place.http.post("/v1/chat/completions", json=chat(place, n=3)).status_code == 429
        assert until(lambda: not place.running(), 1.0)
    finally:
        object.__setattr__(place.studio.settings, "max_jobs_per_session", limit)


# Others who look


def test_a_second_client_follows_a_job_and_stops_it(place: Place) -> None:
    said: list[str] = []
    body = {"prompt": "a fox", "model": place.slow("demo-image", 0.05), "size": "64x64", "n": 2}

    def paint() -> None:
        said.append(place.http.post("/v1/images/generations", json=body).text)

    first = threading.Thread(target=paint)
    first.start()
    assert until(place.running)
    id = place.running()[-1].id
    with httpx.stream("GET", f"{place.url}/v1/jobs/{id}/events", timeout=10) as events:
        kinds = []
        for line in events.iter_lines():
            if line.startswith("data: "):
                update = json.loads(line[6:])
                kinds.append(update["status"])
                if update.get("step", 0) >= 1 and len(kinds) < 100 and not update.get("stopping"):
                    assert httpx.delete(f"{place.url}/v1/jobs/{id}").json()["id"] == id
    first.join(10)
    assert kinds[-1] == "cancelled"
    assert "api_stopped" in said[0]


def test_somebody_who_only_looked_stops_nothing(place: Place) -> None:
    with place.http.stream("POST", "/v1/chat/completions", json=chat(place, stream=True)) as answer:
        lines = answer.iter_lines()
        next(lines)
        id = place.running()[-1].id
        with httpx.stream("GET", f"{place.url}/v1/jobs/{id}/events") as events:
            next(events.iter_lines())
        rest = "".join(lines)
    assert "[DONE]" in rest
    assert httpx.get(f"{place.url}/v1/jobs/{id}").json()["status"] == "done"


def test_the_events_of_a_job_that_is_over_are_its_end(place: Place) -> None:
    place.openai.images.generate(model="demo-image", prompt="a fox", size="64x64")
    id = place.studio.jobs()[-1].id
    said = place.http.get(f"/v1/jobs/{id}/events").text
    lines = [json.loads(line[6:]) for line in said.splitlines() if line.startswith("data: ")]
    assert [line["status"] for line in lines] == ["done"]
    assert place.http.get(lines[0]["result"]["files"][0]).headers["content-type"] == "image/png"
    assert lines[0]["result"]["seeds"]
    assert any(one["id"] == id for one in place.http.get("/v1/jobs").json()["data"])


def test_a_stream_that_says_nothing_shows_that_it_is_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def waits(model: FakeModel, request: Any, context: Any) -> Output:
        go.wait(5)
        return Output(text="done")

    monkeypatch.setattr(FakeModel, "run", waits)
    monkeypatch.setattr(submitting.Work.updates, "__defaults__", (0.02,))
    signs = 0
    with place.http.stream("POST", "/v1/chat/completions", json={"messages": HELLO, "stream": True}) as answer:
        for line in answer.iter_lines():
            signs += line.startswith(":")
            if signs:
                go.set()
    assert signs


def test_nothing_is_imported_before_somebody_asks() -> None:
    code = "import sys, studio.api.door; print(*(one for one in sys.modules if one.startswith('studio.api')))"
    found = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert sorted(found.split()) == ["studio.api", "studio.api.door", "studio.api.surfaces"]
