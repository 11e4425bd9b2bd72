"""What programs find by name, asked by the real client over a real server."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import gradio
import httpx
import httpx2
import mcp.client.client
import pytest
from gradio.components.api_component import Api
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp.client.streamable_http import streamable_http_client
from mido import MidiFile
from PIL import Image

from studio.recipes import recipe
from studio.service import Studio
from studio.settings import ROOT, Settings
from tabs import serve
from tabs.page import build
from tabs.shell.endpoints import ENDPOINTS
from tabs.shell.lazy_tabs import LazyBlocks

DATA = Path(__file__).resolve().parents[2] / "data"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, str]]:
    settings = Settings(
        demo=True, home=tmp_path_factory.mktemp("home"), device="cpu", keep_free_gb=0, port=0, profile="lan",
        password=PASSWORD, host="127.0.0.1", mcp=True,
    )  # fmt: skip
    with Studio(settings) as studio, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(studio.instance.shown))
        patch.setattr(serve, "build", lambda *how: _pages.append(build(*how)) or _pages[-1])
        yield studio, serve.open_page(studio)
        gradio.close_all(verbose=False)


_pages: list[gradio.Blocks] = []


@pytest.fixture
def page(served: tuple[Studio, str]) -> LazyBlocks:
    made = _pages[-1]
    assert isinstance(made, LazyBlocks)
    return made


@pytest.fixture(scope="module")
def client(served: tuple[Studio, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    made = Client(
        served[1], verbose=False, analytics_enabled=False, auth=("studio", PASSWORD),
        download_files=tmp_path_factory.mktemp("fetched"),
    )  # fmt: skip
    yield made
    made.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "a b.png"
    Image.new("RGB", (64, 48), (120, 30, 160)).save(file)
    return file


def test_programs_find_these_names_parameters_and_types(client: Client) -> None:
    told: Any = client.view_api(print_info=False, return_format="dict")
    assert told["unnamed_endpoints"] == {}
    found = {
        name: {
            "parameters": {
                one["parameter_name"]: [one["python_type"]["type"], one["parameter_default"]]
                if one["parameter_has_default"]
                else [one["python_type"]["type"]]
                for one in endpoint["parameters"]
            },
            "returns": {one["label"]: one["python_type"]["type"] for one in endpoint["returns"]},
        }
        for name, endpoint in told["named_endpoints"].items()
    }
    assert found == json.loads((DATA / "endpoints.json").read_text("utf-8"))
    assert all(told["named_endpoints"][f"/{name}"]["description"] == one.about for name, one in ENDPOINTS.items())


def test_whoever_has_no_password_finds_nothing(served: tuple[Studio, str]) -> None:
    asked = httpx.post(f"{served[1]}gradio_api/call/image", json={"data": ["x"]})
    assert asked.status_code == 401
    assert httpx.post(f"{served[1]}gradio_api/call/v2/image", json={"prompt": "x"}).status_code == 401


def test_pictures_come_byte_for_byte_with_their_recipe(served: tuple[Studio, str], client: Client) -> None:
    pictures, details = client.predict(
        prompt="a lake", count=2, seed=7, width=64, height=64, loras={}, api_name="/image"
    )  # fmt: skip
    assert details["seeds"] == [7, 8]
    for file, id in zip(pictures, details["library"], strict=True):
        data = Path(file).read_bytes()
        assert data == (served[0].home.outputs / id).read_bytes()
        made = recipe.read_recipe(data)
        assert made is not None
        assert made["parameters"]["prompt"] == "a lake"
    assert json.loads(details["recipe"])["seed"] == 7


def test_an_answer_comes_while_it_is_written(served: tuple[Studio, str], client: Client, slow_steps: Slow) -> None:
    slow_steps(0.02)
    said = [answer for answer, _ in client.submit(message="hello", api_name="/chat")]
    assert len(set(said)) > 2
    assert all(whole.startswith(begun) for begun, whole in pairwise(said))


def test_turns_before_a_message_and_files_with_it_reach_the_model(client: Client, picture: Path) -> None:
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    answer, details = client.predict(
        message="what is it?", history=history, files=[handle_file(picture)], seed=3, api_name="/chat"
    )  # fmt: skip
    assert "a b.png, a picture of 64 by 48" in answer
    assert "turn 2" in answer
    assert details["seeds"] == [3]


def test_a_picture_is_put_into_words_and_painted_over(client: Client, picture: Path) -> None:
    caption, _ = client.predict(image=handle_file(picture), style="tags", api_name="/caption")
    assert "64, 48 pixels" in caption
    (painted,), details = client.predict(prompt="x", image=handle_file(picture), strength=0.5, api_name="/image")
    assert Image.open(painted).size[0] > 0
    assert json.loads(details["recipe"])["parameters"]["image"]["bytes"] == picture.stat().st_size


def test_code_and_a_piece(client: Client) -> None:
    code, details = client.predict(prefix="def f(", path="a.py", language="python", api_name="/code")
    assert "stand-in" in code
    assert details["finish"] == "stop"
    pieces, notes, _ = client.predict(prompt="calm", duration=2, api_name="/music")
    assert recipe.read_recipe(Path(pieces[0]).read_bytes()) is not None
    assert all(MidiFile(file).tracks for file in notes)


def test_the_work_in_progress_is_shown_to_who_wants_it(client: Client, slow_steps: Slow) -> None:
    slow_steps(0.05)
    seen = list(client.submit(prompt="x", width=64, height=64, previews=True, api_name="/image"))
    shown = [pictures for pictures, details in seen if details["state"] == "running" and pictures]
    assert shown
    assert Image.open(shown[0][0]).format == "PNG"
    steps = [details["step"] for _, details in seen]
    assert steps == sorted(steps)


def test_who_cancels_stops_the_job(served: tuple[Studio, str], client: Client, slow_steps: Slow) -> None:
    slow_steps(0.1)
    asked = client.submit(prompt="slow", steps=100, api_name="/image")
    job = begun(served[0], asked)
    asked.cancel()
    assert until(lambda: job.done)
    assert job.kind == "cancelled"


def test_who_goes_away_stops_the_job(served: tuple[Studio, str], slow_steps: Slow, tmp_path: Path) -> None:
    slow_steps(0.1)
    with httpx.Client(base_url=served[1]) as http:
        http.post("/login", data={"username": "studio", "password": PASSWORD}).raise_for_status()
        event = http.post("/gradio_api/call/v2/image", json={"prompt": "slow", "steps": 100}).json()["event_id"]
        with http.stream("GET", f"/gradio_api/call/v2/image/{event}") as stream:
            next(stream.iter_lines())
            job = begun(served[0], None)
    assert until(lambda: job.done)
    assert job.kind == "cancelled"


def test_the_lines_of_the_guide_work(
    served: tuple[Studio, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "api-more.md").read_text("utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", text, re.S)
    how = {"auth": ("studio", PASSWORD), "analytics_enabled": False, "download_files": tmp_path}
    monkeypatch.setattr("gradio_client.Client", partial(Client, **how))
    exec(compile(script.replace("http://127.0.0.1:7860", served[1]), "docs", "exec"), {})
    said = capsys.readouterr().out
    assert "[7, 8]" in said
    assert "letters so far" in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt": 5}, "not text"),
        ({"prompt": ""}, "empty"),
        ({"prompt": "x", "width": "wide"}, "not a number"),
        ({"prompt": "x", "width": 1e300}, "must be from 64"),
        ({"prompt": "x", "styles": "a"}, "wrong kind"),
        ({"prompt": "x", "styles": [{}]}, "not text"),
        ({"prompt": "x", "loras": [1]}, "wrong kind"),
        ({"prompt": "x", "loras": {"a": "b"}}, "not a number"),
        ({"prompt": "x", "image": "/etc/passwd"}, "not here"),
        ({"prompt": "x", "image": {"path": "/etc/passwd"}}, "not here"),
        ({"prompt": "x", "image": ["a"]}, "not here"),
        ({"prompt": "x", "model": "no such"}, "no such"),
    ],
)
def test_what_cannot_be_is_said_and_starts_nothing(
    served: tuple[Studio, str], client: Client, asked: dict[str, Any], said: str
) -> None:
    before = len(served[0].jobs())
    with pytest.raises(AppError, match=said):
        client.predict(**asked, api_name="/image")
    assert len(served[0].jobs()) == before


@pytest.mark.parametrize(
    "history", ["a", ["a"], [{"role": "system", "content": "x"}], [{"role": "user", "content": 5}]]
)
def test_turns_that_are_none_are_refused(client: Client, history: object) -> None:
    with pytest.raises(AppError, match="history"):
        client.predict(message="x", history=history, api_name="/chat")


def test_the_other_surfaces_stand_behind_the_same_doors(served: tuple[Studio, str]) -> None:
    url = served[1]
    with httpx.Client(base_url=url, auth=("anybody", PASSWORD), timeout=60) as http:
        assert "atelier_jobs_total" in http.get("/metrics").text
        assert http.get("/sdapi/v1/options").json()["sd_model_checkpoint"]
        large = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20_000_000)).decode()
        refused = http.post("/sdapi/v1/img2img", json={"prompt": "x", "init_images": [large]})
        assert (refused.status_code, refused.json()["error"]) == (400, "bad_image")
        assert http.post("/mcp", json={}, headers={"Host": "evil.example"}).status_code == 400
        assert http.post("/mcp", json={}, headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.post(f"{url}mcp", json={}).status_code == 401


def test_an_agent_comes_through_the_doors_and_hears_of_steps(served: tuple[Studio, str], slow_steps: Slow) -> None:
    slow_steps(0.05)
    steps: list[tuple[float, float | None]] = []

    async def heard(step: float, total: float | None, _: str | None) -> None:
        steps.append((step, total))

    async def talk() -> int:
        headers = {"Authorization": f"Bearer {PASSWORD}"}
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            async with mcp.client.client.Client(streamable_http_client(f"{served[1]}mcp", http_client=http)) as agent:
                asked = {"prompt": "x", "width": 64, "height": 64, "steps": 20}
                made = await agent.call_tool("paint", asked, progress_callback=heard)
        return len(made.content)

    assert asyncio.run(talk()) == 2
    assert len(steps) > 1
    assert {total for _, total in steps} == {20.0}


def test_the_browser_hears_nothing_of_them(page: LazyBlocks) -> None:
    apart = {id for id, block in page.blocks.items() if isinstance(block, Api)}
    root: Any = page.get_config_file()["page"][""]
    assert len(apart) == sum(len(page.fns[fn].inputs) + len(page.fns[fn].outputs) for fn in named(page))
    assert not apart & set(root["components"])
    assert not apart & {part["id"] for part in root["layout"]["children"]}
    assert not set(named(page)) & set(root["dependencies"])


def test_the_page_is_not_longer_for_them(served: tuple[Studio, str], client: Client, page: LazyBlocks) -> None:
    cookies = client.cookies
    told = httpx.get(served[1], cookies=cookies).text
    assert "gradio_config" in told
    assert all(one.about not in told for one in ENDPOINTS.values())


def test_everything_else_is_private(page: LazyBlocks) -> None:
    assert {fn.api_name for fn in page.fns.values() if fn.api_visibility != "private"} == set(ENDPOINTS)


def named(page: LazyBlocks) -> list[int]:
    return [id for id, fn in page.fns.items() if fn.api_visibility == "public"]


Slow = Callable[[float], None]


@pytest.fixture
def slow_steps(served: tuple[Studio, str]) -> Iterator[Slow]:
    """Let every step of the stand-ins take so many seconds."""
    studio = served[0]
    before = studio.catalog.cards

    def use(cards: Any) -> None:
        object.__setattr__(studio.catalog, "cards", cards)
        studio.models.unload()

    yield lambda seconds: use({id: replace(card, options={"step_seconds": seconds}) for id, card in before.items()})
    for job in studio.jobs():
        job.cancel()
    use(before)


def begun(studio: Studio, asked: Any) -> Any:
    """The newest job, once it is at work."""
    assert until(lambda: any(not job.done and job.kind == "running" for job in studio.jobs()))
    return next(job for job in studio.jobs() if not job.done)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()
