"""The API behind the page's own doors: the same address, the same guard, and nothing of Gradio's between."""

import base64
import json
import time

import httpx
import openai
from playwright.sync_api import expect

from e2e.conftest import Gate, Serve, Visit
from studio.service import Studio

HELLO = {"model": "demo-chat", "messages": [{"role": "user", "content": "Hello there"}]}


def test_programs_and_the_page_share_an_address(url: str, studio: Studio, visit: Visit) -> None:
    client = openai.OpenAI(base_url=f"{url}v1", api_key="any", max_retries=0)
    assert {"demo-chat", "demo-image"} <= {one.id for one in client.models.list()}
    found = client.images.generate(model="demo-image", prompt="an owl that a program asked for", size="64x64")
    assert found.data is not None
    assert base64.b64decode(found.data[0].b64_json or "")[:4] == b"\x89PNG"
    desk = visit(url)
    desk.page.locator("[data-queue]").click()
    expect(desk.page.locator("#queue")).to_contain_text("an owl that a program asked for", timeout=20_000)


def test_what_a_program_asks_comes_as_it_is_written_and_ends_with_it(url: str, studio: Studio, gate: Gate) -> None:
    gate.shut(after=2)
    with httpx.stream("POST", f"{url}v1/chat/completions", json={**HELLO, "stream": True}, timeout=20) as answer:
        lines = (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {"))
        said = ""
        while "You" not in said:  # while the model waits at its third step
            said += next(lines)["choices"][0]["delta"].get("content", "")
        assert not studio.jobs()[-1].done
    end = time.monotonic() + 2
    while not studio.jobs()[-1].done and time.monotonic() < end:
        list(zip(range(1), studio.jobs()[-1].events(0.05), strict=False))
    assert studio.jobs()[-1].cancelled
    assert studio.jobs()[-1].done


def test_other_sites_are_refused_and_large_pictures_are_not(url: str, studio: Studio) -> None:
    assert (
        httpx.post(f"{url}v1/chat/completions", json=HELLO, headers={"Origin": "http://evil.example"}).status_code
        == 403
    )
    assert httpx.get(f"{url}v1/models", headers={"Host": "evil.example"}).status_code == 400
    assert httpx.get(f"{url}v1/models", headers={"Origin": url.rstrip("/")}).status_code == 200
    large = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20_000_000)).decode()
    answer = httpx.post(f"{url}v1/captions", json={"image": large}, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_image")
    assert httpx.get(f"{url}openapi.json").status_code == 404


def test_with_a_password_the_api_asks_too(serve: Serve) -> None:
    _, url = serve(profile="lan", password="a long sentence", demo=True)
    assert httpx.get(f"{url}config").status_code == 401
    assert httpx.get(f"{url}v1/models").status_code == 401
    assert httpx.get(f"{url}v1/models", headers={"Authorization": "Bearer a long sentence"}).status_code == 200
