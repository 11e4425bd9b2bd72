"""The addresses of the lab: what the page is told, and messages that no page sends."""

from __future__ import annotations

import ast
import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.responses import PlainTextResponse
from through import ask

from studio.service import Studio
from studio.settings import Settings
from tabs.door.answering import PREFIX, Answering
from tabs.lab import EXPERIMENTS
from tabs.lab.desk import answers

ROOT = Path(__file__).resolve().parents[3]
_BYTES = io.BytesIO()
Image.new("RGB", (8, 8), "red").save(_BYTES, "PNG")
PIXEL = f"data:image/png;base64,{base64.b64encode(_BYTES.getvalue()).decode()}"
BODIES: dict[str, dict[str, Any]] = {
    "writes/ahead": {"text": "hills"},
    "writes/write": {"text": "hills", "way": "beam"},
    "noise/film": {"prompt": "two hills", "steps": 3},
    "noise/moving": {"prompt": "two hills", "steps": 3},
    "noise/picture": {"prompt": "two hills", "guidance": 4},
    "space/walk": {"first": PIXEL, "second": PIXEL},
    "space/moving": {"first": PIXEL, "second": PIXEL},
    "space/noised": {"picture": PIXEL},
}


def post(studio: Studio, what: str, body: Any, **headers: str) -> Any:
    return ask(
        Answering(PlainTextResponse("beyond"), studio), "POST", f"{PREFIX}lab/{what}", json=body, headers=headers
    )


@pytest.mark.parametrize(("language", "title"), [("en", "How it works"), ("zh-CN", "工作原理")])
def test_the_page_is_told_its_texts_and_its_experiments(studio: Studio, language: str, title: str) -> None:
    told = post(studio, "about", {}, **{"accept-language": language}).json()
    assert told["texts"]["title"] == title
    assert [one["name"] for one in told["experiments"]] == list(EXPERIMENTS)
    for name in EXPERIMENTS:
        assert {f"{name}.{key}" for key in ("title", "first", "second", "third")} <= told["texts"].keys()


def test_the_code_that_is_shown_stands_in_the_file_that_is_named(studio: Studio) -> None:
    for one in post(studio, "about", {}).json()["experiments"]:
        assert one["code"]
        for part in one["code"]:
            lines = (ROOT / part["file"]).read_text(encoding="utf-8").splitlines()
            assert part["text"].splitlines()[0].strip() == lines[part["line"] - 1].strip()
            ast.parse(part["text"])


@pytest.mark.parametrize("what", BODIES)
def test_an_answer(studio: Studio, what: str) -> None:
    found = post(studio, what, BODIES[what])
    assert found.status_code == 200
    assert found.headers["cache-control"] == "no-store"


def test_the_numbers_are_those_of_the_model(studio: Studio) -> None:
    from studio.lab import writes
    from studio.lab.looking import Looker

    found = writes.ahead(studio.lab, "hills", [], "", Looker("me"))
    assert found is not None
    told = post(studio, "writes/ahead", {"text": "hills"}).json()
    assert told["logprobs"] == [round(one, 6) for one in found.next.logprobs]
    assert [one["id"] for one in told["next"]] == [one.id for one in found.next.tokens]


@pytest.mark.parametrize("what", answers())
@pytest.mark.parametrize("body", [None, [], 3, "x"])
def test_what_is_no_table_is_no_message(studio: Studio, what: str, body: Any) -> None:
    assert post(studio, what, body).status_code == (200 if what == "about" and body is not None else 422)


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("writes/ahead", {"text": ""}),
        ("writes/ahead", {"text": "x" * 2_001}),
        ("writes/ahead", {"text": ["x"]}),
        ("writes/ahead", {"taken": [-1]}),
        ("writes/ahead", {"taken": [True]}),
        ("writes/ahead", {"taken": ["1"]}),
        ("writes/ahead", {"taken": [1] * 201}),
        ("writes/write", {"way": "eval"}),
        ("writes/write", {"temperature": 0}),
        ("writes/write", {"temperature": "hot"}),
        ("writes/write", {"top_k": 1e9}),
        ("writes/write", {"top_k": True}),
        ("noise/film", {"prompt": "  "}),
        ("noise/film", {"steps": 1_000}),
        ("noise/film", {"steps": 2.5}),
        ("noise/moving", {"steps": 1_000}),
        ("noise/film", {"guidance": 11}),
        ("noise/film", {"seed": -1}),
        ("space/walk", {"first": ""}),
        ("space/walk", {"first": "http://localhost/secret.png"}),
        ("space/walk", {"first": "data:image/png;base64,%%%"}),
        ("space/walk", {"first": "data:image/png;base64," + "A" * 700_000}),
        ("space/walk", {"first": "data:image/svg+xml;base64,PHN2Zy8+"}),
        ("space/moving", {"second": "data:image/png;base64,%%%"}),
        ("space/noised", {"picture": {"path": "/etc/passwd"}}),
    ],
)
def test_what_no_page_sends_is_refused_in_words(studio: Studio, what: str, changes: dict[str, Any]) -> None:
    found = post(studio, what, BODIES[what] | changes)
    assert found.status_code == 422
    assert found.json()["detail"]


def test_an_unknown_model_is_said(studio: Studio) -> None:
    assert post(studio, "writes/ahead", {"text": "x", "model": "<b>none</b>"}).status_code == 422


def test_strangers_on_a_space_have_it_too(tmp_path: Path) -> None:
    with Studio(Settings(demo=True, home=tmp_path, profile="space", port=0, keep_free_gb=0, _env_file=None)) as space:  # pyright: ignore
        assert [one["name"] for one in post(space, "about", {}).json()["experiments"]] == list(EXPERIMENTS)
        for what, body in BODIES.items():
            assert post(space, what, body).status_code == 200
        assert space.jobs() == ()
