"""What a model or a foreign page may not do."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from e2e.conftest import Watched
from e2e.desk import Desk
from studio.service import Studio

HOSTILE = """Hello <img src=x onerror="window.__p=1"> <svg onload="window.__p=2"></svg>

<script>window.__p=3</script><style>body{display:none}</style><iframe srcdoc="<script>top.__p=4</script>"></iframe>

[press](javascript:window.__p=5) ![seen](http://192.0.2.1/picture.png?secret) <a href="javascript:window.__p=6">x</a>

<form action="http://192.0.2.1/"><input name=q><button>a trap</button></form>

<meta http-equiv="refresh" content="0;url=http://192.0.2.1/"><link rel=stylesheet href="http://192.0.2.1/a.css">

<details open ontoggle="window.__p=10">x</details>

<div style="position:fixed;inset:0;background:#f00" id=cover>cover</div>

```html
<img src=x onerror="window.__p=7">
```

$$\\href{javascript:window.__p=8}{x}$$ <math><mtext><img src=x onerror=window.__p=9></mtext></math>

The end."""

COVERED = "() => document.elementFromPoint(innerWidth - 20, 20)?.closest('.prose') !== null"


def test_nothing_that_a_model_writes_is_executed_or_fetched(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.engines.demo.fake._answer", lambda request: HOSTILE)
    desk.ask(HOSTILE)
    expect(desk.answers.last).to_contain_text("The end.")
    expect(desk.page.locator("#chat-talk")).to_be_visible()
    for link in desk.page.locator("#chat-talk .bot-row a").all():
        assert not (link.get_attribute("href") or "").startswith("javascript:")
        link.dispatch_event("click")
    assert desk.page.locator("#chat-talk .prose").locator("script, iframe, style, meta, link").count() == 0
    for trap in desk.page.get_by_role("button", name="a trap").all():
        trap.dispatch_event("click")
    assert desk.page.evaluate(COVERED) is False
    desk.page.reload()
    expect(desk.answers.last).to_contain_text("The end.")
    assert desk.page.evaluate("window.__p") is None


def test_a_caption_is_text(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.engines.demo.fake._answer", lambda request: "quiet")
    desk.ask("<b onmouseover=window.__p=1>title</b>")
    expect(desk.conversations.first).to_have_text("<b onmouseover=window.__p=1>title</b>")
    desk.go("image").type("<img src=x onerror=window.__p=1>").run()
    expect(desk.page.locator("#image-gallery img").first).to_be_visible()
    assert desk.page.evaluate("window.__p") is None


def test_a_model_that_a_picture_names_is_text(desk: Desk, tmp_path: Path) -> None:
    named = "*evil* [x](https://evil.example) <b>b</b> a_b_c"
    info = PngInfo()
    info.add_text("parameters", f"hills\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64, Model: {named}")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "named.png", pnginfo=info)
    desk.go("caption").find("image").locator("input[type=file]").first.set_input_files(tmp_path / "named.png")
    expect(desk.find("own-model")).to_contain_text(named)
    assert desk.find("own-model").locator("a, b, em").count() == 0


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A web page at another port of this machine."""

    class Blank(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>elsewhere</title>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


POST = """([url, path]) => fetch(url + path, {method: 'POST', mode: 'no-cors', credentials: 'include',
  body: JSON.stringify({fn_index: 0, data: [], session_hash: 'x'})}).then(() => null)"""
READ = "url => fetch(url + 'config').then((answer) => answer.status)"


def test_a_page_from_elsewhere_can_neither_post_nor_read(
    studio: Studio, url: str, elsewhere: str, desk: Desk, watched: Watched
) -> None:
    watched.hosts.add(elsewhere.split("/")[2])
    before = len(studio.jobs())
    page = desk.page.context.new_page()
    statuses: dict[str, int] = {}
    page.on("response", lambda response: statuses.update({response.url.removeprefix(url): response.status}))
    page.goto(elsewhere)
    paths = ["gradio_api/queue/join", "gradio_api/run/predict", "gradio_api/upload", "gradio_api/call/send", "login"]
    for path in paths:
        page.evaluate(POST, [url, path])
    assert {path: statuses.get(path) for path in paths} == dict.fromkeys(paths, 403)
    assert page.evaluate(READ, url) == 403
    assert len(studio.jobs()) == before
