"""The real Gradio behind the doors: what a program that sends anything it likes is answered."""

import io
import re
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Gate, Serve, Visit, Watched
from e2e.desk import Desk
from studio.i18n import text
from studio.models import Models
from studio.service import Studio
from tabs.serve import free_port


class Program:
    """A program that speaks to a studio as its page does, with whatever it wants to say."""

    def __init__(self, url: str, login: dict[str, str] | None = None, **headers: str) -> None:
        self.http = httpx.Client(base_url=url, headers=headers, timeout=20)
        if login is not None:
            self.http.post("login", data=login).raise_for_status()
        self.config = self.http.get("config").json()
        self.ids = {part["props"].get("elem_id"): part["id"] for part in self.config["components"]}

    def event(self, part: str, event: str = "click") -> dict[str, Any]:
        target = [self.ids[part], event]
        return next(each for each in self.config["dependencies"] if target in [list(t) for t in each["targets"]])

    def send(self, event: dict[str, Any], session: str = "s1", **fields: Any) -> str:
        """The answer to an event, as it came; fields that are not named are empty."""
        shown = {part["id"]: part["props"].get("value") for part in self.config["components"]}
        by_id = shown | {self.ids[name.replace("_", "-")]: value for name, value in fields.items()}
        data = [by_id.get(id) for id in event["inputs"]]
        body = {"data": data, "fn_index": event["id"], "session_hash": session}
        if event.get("queue") is False:
            return self.http.post("gradio_api/run/predict", json=body).text
        self.http.post("gradio_api/queue/join", json=body)
        return self.http.get("gradio_api/queue/data", params={"session_hash": session}).text


def png(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def program(url: str) -> Program:
    return Program(url)


def test_the_guard_stands_before_gradio(program: Program) -> None:
    ask = program.http
    assert ask.get("config", headers={"host": "evil.example"}).status_code == 400
    assert ask.post("gradio_api/queue/join", json={}, headers={"origin": "http://[bad"}).status_code == 403
    assert "default-src 'self'" in ask.get("").headers["content-security-policy"]
    for path in ("atelier/nothing.js", "gradio_api/process_recording", "gradio_api/file=http://192.0.2.1/x"):
        assert ask.get(path).status_code == 404


def test_a_picture_that_was_not_uploaded_is_never_opened(program: Program, tmp_path: Path) -> None:
    private = tmp_path / "private.png"
    private.write_bytes(png("red"))
    sent = program.http.post("gradio_api/upload", files={"files": ("a.png", png("blue"))}).json()[0]
    run = program.event("caption-run")
    for name in (str(private), "/dev/zero", "/dev/ptmx"):
        assert "The file is not here" in program.send(run, caption_image={"path": name})
        for form in (name, [name], {"path": {"path": name}}, {"path": name, "meta": {"_type": "gradio.FileData"}}):
            assert "picture, mostly" not in program.send(run, caption_image=form)
    assert "picture, mostly" in program.send(run, caption_image={"path": sent})
    draw = program.event("image-run")
    zero = {"path": "/dev/zero", "meta": {"_type": "gradio.FileData"}}
    answer = program.send(draw, image_prompt="x", image_picture={"background": zero, "layers": [], "composite": None})
    assert "The file is not here" in answer


def test_a_file_that_is_too_large_is_refused(program: Program, studio: Studio) -> None:
    size = studio.settings.max_upload_mb * 1_000_000
    codes = [
        program.http.post("gradio_api/upload", files={"files": ("x", bytes(size + more))}).status_code
        for more in (0, 1)
    ]  # fmt: skip
    assert codes == [200, 413]


def test_a_fault_of_ours_tells_nothing(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Models, "list", lambda *_: 1 / 0)
    answer = program.send(program.event("chat-listed"))
    assert "division" not in answer
    assert "Something went wrong inside the studio" in answer  # with a number to find it by in the log


@pytest.fixture
def space(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a public studio."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "home of the owner" / "cache" / "gradio"))
    settings = {"home": tmp_path / "home of the owner", "port": free_port("127.0.0.1", 0)}
    _, url = serve(profile="space", demo=True, **settings)
    return url.replace("localhost", "127.0.0.1")


@pytest.fixture
def elsewhere() -> Iterator[Callable[[str], str]]:
    """A page of another site that shows one in a frame: its address."""
    shown = [""]

    class Framing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe id=frame src="{shown[0]}" width=1400 height=860></iframe>'.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Framing)
    Thread(target=server.serve_forever, daemon=True).start()

    def framing(url: str) -> str:
        shown[0] = url
        return f"http://localhost:{server.server_port}/"

    yield framing
    server.shutdown()


def test_in_another_sites_frame_a_conversation_goes_on(
    space: str, elsewhere: Callable[[str], str], watched: Watched
) -> None:
    page, outer = watched.context().new_page(), elsewhere(space)
    watched.hosts |= {space.split("/")[2], outer.split("/")[2]}
    cookies: set[str | None] = set()
    page.on("request", lambda asked: cookies.add(asked.headers.get("cookie")) if space in asked.url else None)
    page.goto(outer)
    framed = page.frame_locator("#frame")
    framed.locator("html[data-ready~=chat] #chat-prompt textarea").wait_for()
    for number, words in enumerate(("My name is Ada.", "What is my name?"), 1):
        framed.locator("#chat-prompt textarea").fill(words)
        framed.locator("#chat-run").click()
        expect(framed.locator("#chat-talk .bot-row")).to_have_count(number)
        expect(framed.locator("#chat-stop")).to_be_hidden()
    expect(framed.locator("#chat-talk .user-row")).to_have_count(2)
    page.reload()  # the same page, kept by its site's own storage
    expect(framed.locator("#chat-talk .user-row")).to_have_count(2)
    framed.get_by_role("button", name="中文").click()
    expect(framed.locator("#chat-talk .user-row")).to_have_count(2)
    expect(framed.locator("#chat-run")).to_have_text(text("chat.run", "zh-CN"))  # the browser's texts
    expect(framed.locator("#strip-text")).to_contain_text(text("page.idle", "zh-CN"))  # the server's
    assert cookies == {None}


def test_what_a_visitor_sees_is_their_own_and_tells_no_path(space: str, visit: Visit, tmp_path: Path) -> None:
    url = space
    program = Program(url)
    told = program.http.get("config").text + program.http.get("").text
    talk = program.event("chat-run")
    told += program.send(talk, chat_prompt="My secret is a grey heron")
    assert "a grey heron" in told
    program.http.cookies.clear()
    program.send(talk, session="frame", chat_prompt="and again")
    program.http.cookies.clear()  # none is kept, but it is one page: the conversation goes on
    last = program.send(talk, session="frame", chat_prompt="and again")
    assert last.count("You asked: and again") >= 2
    assert "a grey heron" not in last
    picture = program.send(program.event("image-run"), image_prompt="a house")
    (address, *_) = re.findall(r'gradio_api/file=[^"\\]+', picture)
    assert program.http.get(address).headers["content-type"].startswith("image/")
    sent = program.http.post("gradio_api/upload", files={"files": ("a.png", png("blue"))})
    assert "picture, mostly" in program.send(program.event("caption-run"), caption_image={"path": sent.json()[0]})
    told += picture + sent.text
    assert str(tmp_path) not in told.replace("%20", " ")
    desk = visit(url)
    desk.go("image").type("a boat").run()
    desk.page.locator("#image-gallery img").first.wait_for()
    assert desk.page.evaluate("document.querySelector('#image-gallery img').naturalWidth") > 0


def test_who_knows_the_password_comes_in_by_the_form(serve: Serve, watched: Watched) -> None:
    _, url = serve(profile="lan", demo=True, password="a long sentence")
    assert httpx.get(f"{url}gradio_api/heartbeat/x").status_code == 401
    page = watched.context().new_page()
    watched.hosts.add(url.split("/")[2])
    page.goto(url)
    for words in ("a guess", "a long sentence"):
        expect(page.locator("#chat-prompt")).to_have_count(0)
        page.locator("input[type=text]").fill("studio")
        page.locator("input[type=password]").fill(words)
        with page.expect_response(lambda answer: answer.url.endswith("/login")):
            page.get_by_role("button").last.click()
    page.locator("html[data-ready~=chat] #chat-prompt textarea").wait_for()
    Desk(page).type("hello").run()
    expect(page.locator("#chat-talk .bot-row")).to_have_count(1)


def test_the_page_opens_at_an_ipv6_address(serve: Serve) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))  # the machine has to have one
    _, url = serve(demo=True, host="::1")
    assert url.startswith("http://[::1]:")
    assert httpx.get(url + "config").status_code == 200


def test_without_cookies_stop_stops(program: Program, studio: Studio, gate: Gate) -> None:
    gate.shut(after=1)
    keyless = httpx.Client(base_url=program.http.base_url)
    run = program.event("image-run")
    body = {"data": [None] * len(run["inputs"]), "fn_index": run["id"], "session_hash": "no cookies"}
    shown = {part["id"]: part["props"].get("value") for part in program.config["components"]}
    body["data"] = ["x" if id == program.ids["image-prompt"] else shown.get(id) for id in run["inputs"]]
    keyless.post("gradio_api/queue/join", json=body)
    keyless.cookies.clear()
    for _ in range(200):
        if studio.jobs():
            break
        httpx.get(f"{program.http.base_url}config")
    stop = program.event("image-stop")
    body = {"data": [], "fn_index": stop["id"], "session_hash": "no cookies"}
    keyless.post("gradio_api/run/predict", json=body)
    (job,) = studio.jobs()
    assert job.cancelled
