"""llama.cpp's addresses, with the messages that llama.vscode and Continue send."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import Place, until

from studio.api import completing
from studio.api.completing import Cut, Cutting
from studio.engines.demo.fake import FakeModel
from studio.requests import CodeRequest
from studio.results import Output

LLAMA_VSCODE = {
    "id_slot": 0, "input_prefix": "import os\n\ndef size(path):\n", "input_suffix": "\n\nprint(size('.'))\n",
    "input_extra": [{"text": "LIMIT = 5", "filename": "limits.py"}, {"text": "  "}], "prompt": "    return ",
    "n_predict": 128, "n_cmpl": 1, "top_k": 40, "top_p": 0.99, "stream": False,
    "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True, "n_indent": 4, "t_max_prompt_ms": 500, "t_max_predict_ms": 1000,
}  # fmt: skip
CONTINUE = {
    "model": "demo-code", "prompt": "def f():\n    ", "suffix": "\n", "max_tokens": 64, "temperature": 0.01,
    "frequency_penalty": 0, "presence_penalty": 0, "stop": ["<fim_prefix>", "\n\n"], "stream": True,
}  # fmt: skip


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model that writes these pieces until it is stopped."""

    def make(*pieces: str) -> None:
        def run(model: FakeModel, request: Any, context: Any) -> Output:
            said = ""
            for piece in pieces:
                if context.cancelled:
                    return Output(text=said, finish="cancelled")
                context.text(piece)
                said += piece
            return Output(text=said, stats={"tokens": float(len(pieces))})

        monkeypatch.setattr(FakeModel, "run", run)

    return make


def test_what_llama_vscode_sends_is_completed(place: Place, asked: list[CodeRequest]) -> None:
    answer = place.http.post("/infill", json=LLAMA_VSCODE)
    assert answer.json()["content"] == "  # a stand-in completion"
    assert "x-atelier-ignored" not in answer.headers
    request = asked[-1]
    assert request.prefix == "import os\n\ndef size(path):\n    return "
    assert request.suffix == "\n\nprint(size('.'))\n"
    assert [(one.name, one.text) for one in request.files] == [("limits.py", "LIMIT = 5")]
    assert (request.max_tokens, request.top_p) == (128, 0.99)


def test_what_is_only_to_be_read_says_nothing(place: Place, asked: list[CodeRequest]) -> None:
    body = {**LLAMA_VSCODE, "prompt": "", "n_predict": 0, "samplers": []}
    assert place.http.post("/infill", json=body).json()["content"] == ""
    assert asked[-1].max_tokens == 1  # the model is loaded and has read it


def test_completions_as_one_types_fill_no_library(place: Place) -> None:
    before = len(place.studio.library.recent("code"))
    place.http.post("/infill", json=LLAMA_VSCODE)
    place.http.post("/v1/fim/completions", json=CONTINUE)
    assert len(place.studio.library.recent("code")) == before
    place.http.post("/v1/completions", json={"prompt": "def f():\n    "})
    assert len(place.studio.library.recent("code")) == before + 1


def test_a_completion_ends_where_a_line_is_not_indented_enough(place: Place, writes: Any) -> None:
    writes("one()\n    tw", "o()\n", "\n", "three()\n", "four()")
    assert place.http.post("/infill", json=LLAMA_VSCODE).json()["content"] == "one()\n    two()\n"


def test_a_completion_that_takes_too_long_ends_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(completing, "monotonic", lambda: clock[0])
    cutting = Cutting(Cut(seconds=1.0))
    assert cutting.feed("one") == "one"
    clock[0] = 1002.0
    assert cutting.feed(" more\ntwo") == " more"
    assert cutting.over


def test_a_completion_streams_as_llama_cpp_does(place: Place, writes: Any) -> None:
    writes("one ", "two")
    said = place.http.post("/infill", json={**LLAMA_VSCODE, "stream": True}).text
    events = [json.loads(line[6:]) for line in said.splitlines() if line.startswith("data: ")]
    assert "".join(one["content"] for one in events) == "one two"
    assert [one["stop"] for one in events] == [*[False] * (len(events) - 1), True]


def test_what_continue_sends_streams_as_it_reads_it(place: Place, asked: list[CodeRequest]) -> None:
    said = place.http.post("/v1/fim/completions", json=CONTINUE).text
    lines = [line[6:] for line in said.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    assert "".join(json.loads(line)["choices"][0]["delta"]["content"] for line in lines[:-1]) == "pass"
    assert (asked[-1].suffix, asked[-1].max_tokens) == ("\n", 64)
    whole = place.http.post("/v1/fim/completions", json={**CONTINUE, "stream": False}).json()
    assert whole["choices"][0]["message"]["content"] == "pass"


def test_what_there_is_can_be_asked(place: Place) -> None:
    assert place.http.get("/health").json() == {"status": "ok"}
    for path in ("/props", "/v1/props"):
        found = place.http.get(path).json()
        assert found["model_path"] == "demo-code"
        assert "default_generation_settings" in found


def test_an_error_has_llama_cpps_shape(place: Place) -> None:
    answer = place.http.post("/infill", json={})
    error = answer.json()["error"]
    assert answer.status_code == error["code"] == 400
    assert error["type"] == "invalid_request_error"
    assert place.http.post("/infill", json={**LLAMA_VSCODE, "n_predict": 10**6}).status_code == 400


def test_a_job_whose_text_is_cut_stops(place: Place) -> None:
    name = place.slow("demo-code", 0.05)
    body = {"model": name, "prompt": "a = 1", "stop": ["stand-in"]}
    assert place.http.post("/v1/completions", json=body).json()["choices"][0]["text"] == "  # a "
    assert until(lambda: not place.running())


PIECES = st.lists(st.sampled_from(["a", "ab", "STOP", "ST", "OP", "\n", " ", "    x", "x\n y", "é"]), max_size=12)


@given(PIECES, st.sampled_from([(), ("STOP",), ("ab", "b\n")]), st.sampled_from([0, 1, 4]))
def test_how_an_answer_is_cut_into_pieces_makes_no_difference(
    pieces: list[str], stops: tuple[str, ...], indent: int
) -> None:
    whole = Cutting(Cut(stops, indent)).feed("".join(pieces), last=True)
    cutting = Cutting(Cut(stops, indent))
    told = "".join(cutting.feed(piece) for piece in pieces) + cutting.feed("", last=True)
    assert told == whole
    assert not any(stop in whole for stop in stops)
    lines = cast(str, whole).split("\n")[1:]
    assert all(not line.strip() or len(line) - len(line.lstrip(" \t")) >= indent for line in lines)
