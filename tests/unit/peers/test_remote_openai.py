"""Servers that speak as OpenAI does: what they are sent is what OpenAI's own types allow, what they say is read.

What the fake server answers is made with the types of the package `openai`, and by these it is judged what it is asked.
A server that somebody else wrote answers in tests/models/text/test_remote_server.py.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from openai.types import Completion, CompletionChoice, CompletionUsage, Image, ImagesResponse
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDelta
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.completion_create_params import CompletionCreateParamsBase as PlainParamsBase
from openai.types.image_edit_params import ImageEditParamsBase
from openai.types.image_generate_params import ImageGenerateParamsBase
from PIL import Image as Pillow
from pydantic import TypeAdapter
from raw_server import OPEN, Answer, Asked, http, raw
from serving import png, until
from test_remote_hostile import FOX, run

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.request_parts import Attachment, CodeFile, Message
from studio.requests import ChatRequest, CodeRequest
from studio.results import Output

TALK = ChatRequest(
    messages=(Message("user", "Hello"), Message("assistant", "Yes?"), Message("user", "Why?")), system="Be brief.",
    max_tokens=50, temperature=0.5, top_p=0.9, top_k=40, min_p=0.05, repetition_penalty=1.0, seed=2**63, stop=("END",),
)  # fmt: skip
GAP = CodeRequest(
    prefix="def f():\n    ", suffix="\n\nf()\n", language="python", max_tokens=50, temperature=0.0, top_p=1.0, seed=1
)


def allowed(body: Any, kind: Any) -> None:
    """Judge a message by OpenAI's own type: no field that it lacks, none of another type."""
    known = set(get_type_hints(kind)) | {"stream"}
    assert set(body) <= known, set(body) - known
    TypeAdapter(kind).validate_python(body)


def chunk(delta: dict[str, Any], ended: Any = None, usage: CompletionUsage | None = None) -> bytes:
    choice = Choice(index=0, delta=ChoiceDelta.model_validate(delta), finish_reason=ended)
    made = ChatCompletionChunk(
        id="x", choices=[choice], created=1, model="m", object="chat.completion.chunk", usage=usage
    )
    return b"data: " + made.model_dump_json().encode() + b"\n\n"


def stream(*chunks: bytes) -> Answer:
    def answer(_: Asked) -> Iterator[bytes]:
        yield OPEN
        yield from chunks
        yield b"data: [DONE]\n\n"

    return answer


USAGE = CompletionUsage(prompt_tokens=12, completion_tokens=3, total_tokens=15)
SAID = stream(
    chunk({"role": "assistant", "content": ""}), chunk({"content": "Because"}), chunk({"content": " so."}),
    chunk({}, "stop", USAGE),
)  # fmt: skip


def answered(answer: Answer, request: Any, **options: Any) -> tuple[Output, Any, Job]:
    """What comes of an answer, what was asked, and the job that was told."""
    job = Job(request.task, "t")
    with raw(answer) as server:
        return run(f"{server.url}/v1", request, "openai", job, **options), server.asked[0], job


def test_a_conversation_is_asked_in_openais_words(monkeypatch: pytest.MonkeyPatch) -> None:
    output, asked, job = answered(SAID, TALK, model="theirs")
    assert asked.line == "POST /v1/chat/completions HTTP/1.1"
    allowed(asked.json, CompletionCreateParamsBase)
    assert asked.json["model"] == "theirs"
    assert [one["role"] for one in asked.json["messages"]] == ["system", "user", "assistant", "user"]
    assert output.text == job.snapshot().text == "Because so."
    assert (output.finish, output.stats["tokens"], output.stats["prompt_tokens"]) == ("stop", 3.0, 12.0)
    assert output.notes == ()


def test_pictures_and_texts_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
    data = png()
    files = (Attachment("a.png", "", len(data), True, data), Attachment("b.txt", "", 4, False, b"text"))
    _, asked, _ = answered(SAID, replace(TALK, messages=(Message("user", "Look", files),)))
    allowed(asked.json, CompletionCreateParamsBase)
    shown, said = asked.json["messages"][-1]["content"]
    assert base64.b64decode(shown["image_url"]["url"].removeprefix("data:image/png;base64,")) == data
    assert "text" in said["text"]
    assert "Look" in said["text"]


def test_a_schema_is_passed_on() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    _, asked, _ = answered(SAID, replace(TALK, schema=json.dumps(schema)))
    allowed(asked.json, CompletionCreateParamsBase)
    assert asked.json["response_format"]["json_schema"]["schema"] == schema


def test_what_openai_does_not_know_is_named_or_sent_to_those_that_do() -> None:
    request = replace(TALK, top_k=7, min_p=0.3)
    output, asked, _ = answered(SAID, request)
    assert output.notes == (("remote_left_out", {"names": "top_k, min_p"}),)
    assert "top_k" not in asked.json
    output, asked, _ = answered(SAID, request, extended=True)
    assert (asked.json["top_k"], asked.json["min_p"], output.notes) == (7, 0.3, ())


def test_a_thought_is_a_thought_here() -> None:
    thinking = stream(
        chunk({"reasoning_content": "Hm"}), chunk({"reasoning_content": "m."}), chunk({"content": "So."}),
        chunk({}, "length"),
    )  # fmt: skip
    output, _, _ = answered(thinking, TALK)
    assert output.text == "<think>\nHmm.\n</think>\n\nSo."
    assert output.finish == "length"


def test_a_stream_that_breaks_off_is_an_error_and_what_was_said_is_kept() -> None:
    job = Job("chat", "t")

    def breaks(_: Asked) -> Iterator[bytes]:
        yield OPEN + chunk({"content": "Bec"})

    with raw(breaks) as server, pytest.raises(StudioError) as error:
        run(f"{server.url}/v1", TALK, "openai", job)
    assert error.value.code == "remote_gone"
    assert job.snapshot().text == "Bec"


def test_an_error_in_the_stream_is_told() -> None:
    told = {"error": {"message": "The model crashed", "type": "server_error", "param": None, "code": None}}
    with raw(stream(chunk({"content": "B"}), b"data: " + json.dumps(told).encode() + b"\n\n")) as server:
        with pytest.raises(StudioError) as error:
            run(f"{server.url}/v1", TALK, "openai")
    assert (error.value.code, error.value.params["reason"]) == ("remote_refused", "The model crashed")


@pytest.mark.parametrize(
    "body",
    [{"choices": 7}, {"choices": [7]}, {"choices": [{"delta": {"content": 7}}]}, {"choices": [{"text": [7]}]}, {}],
)
def test_chunks_of_wrong_types_are_one_error(body: Any) -> None:
    with raw(stream(b"data: " + json.dumps(body).encode() + b"\n\n")) as server, pytest.raises(StudioError) as error:
        run(f"{server.url}/v1", TALK, "openai")
    assert error.value.code in ("remote_nonsense", "remote_gone")


def test_stop_keeps_what_was_said_and_hangs_up() -> None:
    job = Job("chat", "t")

    def long(_: Asked) -> Iterator[bytes]:
        yield OPEN + chunk({"content": "Because"})
        while True:
            yield b": on\n\n"
            job.cancel()

    with raw(long) as server:
        output = run(f"{server.url}/v1", TALK, "openai", job)
        assert (output.text, output.finish) == ("Because", "cancelled")
        assert server.gone.wait(2)


def test_a_gap_is_filled() -> None:
    def completion(text: str, ended: Any) -> bytes:
        choice = CompletionChoice(index=0, text=text, finish_reason=ended or "stop", logprobs=None)
        made = Completion(id="x", choices=[choice], created=1, model="m", object="text_completion").model_dump()
        made["choices"][0]["finish_reason"] = ended
        return b"data: " + json.dumps(made).encode() + b"\n\n"

    output, asked, _ = answered(stream(completion("return", None), completion(" 1", None), completion("", "stop")), GAP)
    assert asked.line == "POST /v1/completions HTTP/1.1"
    allowed(asked.json, PlainParamsBase)
    assert (asked.json["prompt"], asked.json["suffix"]) == (GAP.prefix, GAP.suffix)
    assert output.text == "return 1"
    alone = replace(GAP, fill_in_middle=False, files=(CodeFile("a.py", "x"),))
    output, asked, _ = answered(stream(completion("pass", "stop")), alone)
    assert "suffix" not in asked.json
    assert output.notes == (("remote_left_out", {"names": "files"}),)


# Pictures


def pictures(*data: bytes) -> Answer:
    told = ImagesResponse(created=1, data=[Image(b64_json=base64.b64encode(one).decode()) for one in data])
    return lambda _: http(told.model_dump_json().encode(), "application/json")


def test_pictures_are_asked_in_openais_words() -> None:
    request = replace(FOX, count=2, steps=20, guidance_scale=5.0, negative_prompt="blurry")
    output, asked, _ = answered(pictures(png("red"), png("blue")), request)
    assert asked.line == "POST /v1/images/generations HTTP/1.1"
    allowed(asked.json, ImageGenerateParamsBase)
    assert (asked.json["n"], asked.json["size"], asked.json["response_format"]) == (2, "64x64", "b64_json")
    assert [one.getpixel((0, 0)) for one in output.images] == [(255, 0, 0), (0, 0, 255)]
    assert output.seeds == (7, 8)
    assert "negative_prompt" in output.notes[0][1]["names"]


def test_a_model_that_refuses_to_be_asked_for_base64_is_not() -> None:
    _, asked, _ = answered(pictures(png()), FOX, model="gpt-image-1")
    assert "response_format" not in asked.json


def test_words_that_differ_are_asked_one_by_one() -> None:
    with raw(pictures(png())) as server:
        output = run(f"{server.url}/v1", replace(FOX, count=2, prompts=("a", "b")), "openai")
        assert [one.json["prompt"] for one in server.asked] == ["a", "b"]
    assert len(output.images) == 2


def test_an_edit_is_a_form_with_its_pictures() -> None:
    mask = Pillow.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    import io

    data = io.BytesIO()
    mask.save(data, "PNG")
    output, asked, _ = answered(pictures(png()), replace(FOX, image=png("green"), mask=data.getvalue(), strength=1.0))
    assert asked.line == "POST /v1/images/edits HTTP/1.1"
    parsed = BytesParser(policy=HTTP).parsebytes(
        f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode() + asked.body
    )
    parts = {part.get_param("name", header="content-disposition"): part for part in parsed.iter_parts()}
    known = set(get_type_hints(ImageEditParamsBase))
    assert set(parts) <= known
    assert parts["image"].get_payload(decode=True) == png("green")
    sent = Pillow.open(io.BytesIO(parts["mask"].get_payload(decode=True)))
    assert [sent.getpixel(at)[3] for at in ((8, 8), (48, 8))] == [0, 255], "transparent is what is painted anew"
    assert len(output.images) == 1


@pytest.mark.parametrize(
    "told",
    [{}, {"data": []}, {"data": [7]}, {"data": [{"url": "http://elsewhere.example/x"}]}, {"data": [{"b64_json": 1}]},
     {"data": [{"b64_json": "?"}]}, {"data": [{"b64_json": base64.b64encode(b"no picture").decode()}]},
     {"data": [{"b64_json": base64.b64encode(png()).decode()}] * 3}],
    ids=lambda told: str(told)[:40],
)  # fmt: skip
def test_pictures_that_are_none_are_one_error(told: Any) -> None:
    with raw(lambda _: http(json.dumps(told).encode(), "application/json")) as server:
        with pytest.raises(StudioError) as error:
            run(f"{server.url}/v1", FOX, "openai")
    assert error.value.code == "remote_nonsense"
    assert len(server.asked) == 1, "no address in an answer is followed"


# In the studio


def test_an_entry_of_the_persons_own_is_asked_like_any_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.service import Studio
    from studio.settings import Settings

    monkeypatch.setenv("WORK_KEY", "sk-work")
    with raw(SAID) as server:
        (tmp_path / "models.toml").write_text(
            f'[models.at-work]\ntask = "chat"\nremote = "{server.url}/v1"\n'
            'options = { model = "large", key = "WORK_KEY" }\n'
        )
        settings = Settings(home=tmp_path, device="cpu", keep_free_gb=0, _env_file=None)  # pyright: ignore[reportCallIssue]
        with Studio(settings) as studio:
            assert studio.catalog.problems == ()
            assert studio.default_model("chat").id != "at-work", "words leave this machine where somebody says so"
            (info,) = [info for info in studio.models.list("chat") if info.card.id == "at-work"]
            assert (info.usable, info.elsewhere_only) == (True, server.name)
            job = studio.submit(replace(TALK, model="at-work"))
            artifact = job.result()
            assert until(lambda: not studio.status().running)
            assert [device.device.kind for device in studio.status().devices] == ["cpu"]
        assert artifact.text == "Because so."
        assert (artifact.recipe["device"], artifact.recipe["hardware"]) == ("remote", server.name)
        assert artifact.recipe["model"]["id"] == "at-work"
        assert server.asked[0].headers["authorization"] == "Bearer sk-work"
        kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file.name != "models.toml"]
        assert not any(b"sk-work" in one for one in kept)
