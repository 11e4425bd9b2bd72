"""OpenAI's addresses, asked by OpenAI's own client, whose models read what comes back."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any, cast

import httpx
import openai
import pytest
import soundfile
from openai.types.chat import ChatCompletionMessageParam
from PIL import Image
from serving import Place, png

from studio.api import submitting
from studio.engines.demo.fake import FakeModel
from studio.requests import ChatRequest, ImageRequest, MusicRequest
from studio.results import Output

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there"}]


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model that says these pieces, one after another."""

    def make(*pieces: str, finish: Any = "stop") -> None:
        def run(model: FakeModel, request: Any, context: Any) -> Output:
            for piece in pieces:
                context.text(piece)
            stats = {"tokens": float(len(pieces)), "prompt_tokens": 7.0, "cached_tokens": 2.0}
            return Output(text="".join(pieces), finish=finish, stats=stats)

        monkeypatch.setattr(FakeModel, "run", run)

    return make


# Models


def test_all_kinds_of_models_are_listed_with_what_each_can_do(place: Place) -> None:
    found = {one.id: one.model_dump() for one in place.openai.models.list()}
    assert {task for one in found.values() for task in one["tasks"]} >= {"chat", "image", "music", "code", "caption"}
    assert {"chat", "vision"} <= set(found["demo-chat"]["capabilities"])
    assert "infill" in found["demo-code"]["capabilities"]
    assert place.openai.models.retrieve("demo-image").id == "demo-image"
    with pytest.raises(openai.NotFoundError, match="no model called nothing"):
        place.openai.models.retrieve("nothing")


# Chat


def test_an_answer_comes_whole_with_its_tokens(place: Place) -> None:
    found = place.openai.chat.completions.create(model="demo-chat", messages=HELLO)
    assert found.choices[0].message.content is not None
    assert found.choices[0].message.content.startswith("You asked: Hello there")
    assert found.choices[0].finish_reason == "stop"
    assert found.usage is not None
    assert found.usage.prompt_tokens > 0
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    assert found.model == "demo-chat"


def test_an_answer_comes_as_it_is_written(place: Place) -> None:
    whole = place.openai.chat.completions.create(model="demo-chat", messages=HELLO)
    pieces = list(
        place.openai.chat.completions.create(
            model="demo-chat", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    said = "".join(one.choices[0].delta.content or "" for one in pieces if one.choices)
    assert said == whole.choices[0].message.content
    assert [one.choices[0].finish_reason for one in pieces if one.choices][-1] == "stop"
    assert pieces[0].choices[0].delta.role == "assistant"
    assert pieces[-1].usage == whole.usage


def test_the_asynchronous_client_gets_the_same(place: Place) -> None:
    async def talk() -> str:
        async with openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key="any") as client:
            stream = await client.chat.completions.create(model="demo-chat", messages=HELLO, stream=True)
            return "".join([one.choices[0].delta.content or "" async for one in stream])

    assert asyncio.run(talk()).startswith("You asked: Hello there")


def test_every_field_that_we_know_arrives(place: Place, asked: list[Any]) -> None:
    place.openai.chat.completions.create(
        model="demo-chat", messages=[{"role": "developer", "content": "Be brief."}, *HELLO], temperature=0.5, top_p=0.8,
        max_completion_tokens=77, seed=5, stop=["END", ""],
        extra_body={"top_k": 9, "min_p": 0.1, "repeat_penalty": 1.2, "thinking_budget": 100},
    )  # fmt: skip
    request = cast(ChatRequest, asked[-1])
    assert (request.system, request.messages[-1].content) == ("Be brief.", "Hello there")
    assert (request.temperature, request.top_p, request.max_tokens, request.seed) == (0.5, 0.8, 77, 5)
    assert (request.top_k, request.min_p, request.repetition_penalty) == (9, 0.1, 1.2)
    assert (request.stop, request.thinking_budget) == (("END",), 100)


def test_an_answer_of_any_length_is_asked_for_as_programs_do(place: Place, asked: list[Any]) -> None:
    place.openai.chat.completions.create(model="demo-chat", messages=HELLO, max_tokens=-1, seed=-1)
    assert asked[-1].max_tokens > 100
    assert asked[-1].seed >= 0


def test_several_answers_are_drawn_with_seeds_of_their_own(place: Place, asked: list[Any]) -> None:
    found = place.openai.chat.completions.create(model="default", messages=HELLO, n=3, seed=7)
    assert [one.index for one in found.choices] == [0, 1, 2]
    assert sorted(request.seed for request in asked) == [7, 8, 9]


def test_what_nobody_understands_is_named_and_what_changes_nothing_is_not(place: Place) -> None:
    body = {"messages": HELLO, "logit_bias": {"1": 2}, "presence_penalty": 0, "user": "me", "odd\r\nname": 1}
    answer = place.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    assert answer.headers["x-atelier-ignored"] == "logit_bias, oddname"
    assert "x-atelier-ignored" not in place.http.post("/v1/chat/completions", json={"messages": HELLO}).headers


def test_a_model_that_sees_is_shown_the_picture(place: Place, asked: list[Any]) -> None:
    parts: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": data_url(png())}}]
    found = place.openai.chat.completions.create(model="demo-chat", messages=[{"role": "user", "content": parts}])
    assert "a picture of 64 by 64" in (found.choices[0].message.content or "")
    assert asked[-1].messages[-1].files[0].data == png()


def test_a_model_that_sees_nothing_says_so(place: Place) -> None:
    blind = place.slow("demo-chat", 0, sees=False)
    parts: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": data_url(png())}}]
    with pytest.raises(openai.BadRequestError, match="picture"):
        place.openai.chat.completions.create(model=blind, messages=[{"role": "user", "content": parts}])


@pytest.mark.parametrize("url", ["https://example.org/fox.png", "http://127.0.0.1/x", "file:///etc/passwd"])
def test_a_picture_elsewhere_is_not_fetched(place: Place, url: str) -> None:
    parts: Any = [{"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(openai.BadRequestError, match="not fetched"):
        place.openai.chat.completions.create(model="demo-chat", messages=[{"role": "user", "content": parts}])


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}, {"type": "array"}),
    ],
)
def test_an_answer_in_a_form_is_asked_for_with_its_schema(
    place: Place, asked: list[Any], form: Any, schema: Any
) -> None:
    place.openai.chat.completions.create(model="demo-chat", messages=HELLO, response_format=form)
    assert json.loads(asked[-1].schema) == schema


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tools": [{"type": "function", "function": {"name": "x"}}]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "role tool"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
        ({"temperature": 9}, "from 0 to 2"),
        ({"n": 99}, "n"),
        ({"messages": []}, "empty"),
        ({"response_format": {"type": "grammar"}}, "grammar"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(place: Place, more: Any, words: str) -> None:
    with pytest.raises(openai.BadRequestError, match=words) as caught:
        place.openai.chat.completions.create(**{"model": "demo-chat", "messages": HELLO, **more})
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_thought_stands_beside_the_answer(place: Place, says: Any) -> None:
    says("<thi", "nk>\nLet me ", "see.</th", "ink>\n\nFour", ".")
    found = place.openai.chat.completions.create(model="demo-chat", messages=HELLO)
    message = found.choices[0].message
    assert (message.content, message.model_dump()["reasoning_content"]) == ("Four.", "Let me see.")
    pieces = list(place.openai.chat.completions.create(model="demo-chat", messages=HELLO, stream=True))
    deltas = [one.choices[0].delta.model_dump() for one in pieces]
    assert "".join(one.get("content") or "" for one in deltas) == "Four."
    assert "".join(one.get("reasoning_content") or "" for one in deltas) == "Let me see."


def test_the_engines_count_of_tokens_is_the_one_that_is_told(place: Place, says: Any) -> None:
    says("one ", "two", finish="length")
    found = place.openai.chat.completions.create(model="demo-chat", messages=HELLO)
    assert found.choices[0].finish_reason == "length"
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (7, 2)
    assert found.usage.prompt_tokens_details is not None
    assert found.usage.prompt_tokens_details.cached_tokens == 2


def test_an_answer_goes_on_from_what_it_begins_with(place: Place, asked: list[Any]) -> None:
    messages: list[ChatCompletionMessageParam] = [*HELLO, {"role": "assistant", "content": "Well:"}]
    found = place.openai.chat.completions.create(model="demo-chat", messages=messages)
    assert asked[-1].opening == "Well:"
    assert not (found.choices[0].message.content or "").startswith("Well:")
    pieces = place.openai.chat.completions.create(model="demo-chat", messages=messages, stream=True)
    assert "".join(one.choices[0].delta.content or "" for one in pieces) == found.choices[0].message.content


def test_a_failure_in_the_middle_of_a_stream_is_an_error_of_the_client(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(model: FakeModel, request: Any, context: Any) -> Output:
        context.text("And then ")
        raise RuntimeError("a bug")

    monkeypatch.setattr(FakeModel, "run", fails)
    with pytest.raises(openai.APIError, match="log"):
        list(place.openai.chat.completions.create(model="demo-chat", messages=HELLO, stream=True))


# Responses


def test_a_response_comes_whole(place: Place, asked: list[Any]) -> None:
    found = place.openai.responses.create(model="demo-chat", input="Hello", instructions="Be kind.")
    assert found.output_text.startswith("You asked: Hello")
    assert found.status == "completed"
    assert found.usage is not None
    assert found.usage.input_tokens > 0
    assert asked[-1].system == "Be kind."


def test_a_response_streams_the_events_that_its_client_puts_together(place: Place, says: Any) -> None:
    says("<think>hm</think>", "Hello ", "you")
    with place.openai.responses.stream(model="demo-chat", input="Hi") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == "Hello you"
    assert [one.type for one in final.output] == ["reasoning", "message"]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.output_item.done") == kinds.count("response.output_item.added") == 2


def test_what_codex_sends_is_answered(place: Place, asked: list[Any]) -> None:
    body = {
        "model": "demo-chat", "instructions": "You are a coding agent.", "stream": True, "store": False,
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it"}]},
        ],
        "tools": [{"type": "function", "name": "shell", "strict": False, "parameters": {"type": "object"}}],
        "tool_choice": "auto", "parallel_tool_calls": False, "reasoning": None, "include": [], "prompt_cache_key": "x",
    }  # fmt: skip
    with place.http.stream("POST", "/v1/responses", json=body) as answer:
        lines = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert answer.headers["x-atelier-ignored"] == "tools"
    assert [line["sequence_number"] for line in lines] == list(range(len(lines)))
    assert lines[-1]["type"] == "response.completed"
    assert asked[-1].system == "You are a coding agent.\n\nRules."


@pytest.mark.parametrize("more", [{"previous_response_id": "resp_1"}, {"tool_choice": "required", "tools": [{}]}])
def test_what_a_response_cannot_be_is_refused_by_name(place: Place, more: Any) -> None:
    answer = place.http.post("/v1/responses", json={"input": "Hi", **more})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "api_cannot"


# Completions


def test_a_completion_fills_the_middle(place: Place, asked: list[Any]) -> None:
    found = place.openai.completions.create(model="demo-code", prompt="def f():\n    ", suffix="\nf()\n", max_tokens=50)
    assert found.choices[0].text == "pass"
    assert (asked[-1].prefix, asked[-1].suffix, asked[-1].max_tokens) == ("def f():\n    ", "\nf()\n", 50)
    assert asked[-1].fill_in_middle
    place.openai.completions.create(model="demo-code", prompt="def f():\n    ")
    assert not asked[-1].fill_in_middle


def test_a_completion_ends_where_the_program_says(place: Place, says: Any) -> None:
    says("one tw", "o ST", "OP three")
    found = place.openai.completions.create(model="demo-code", prompt="count", stop=["STOP"])
    assert (found.choices[0].text, found.choices[0].finish_reason) == ("one two ", "stop")
    pieces = list(place.openai.completions.create(model="demo-code", prompt="count", stop="STOP", stream=True))
    assert "".join(one.choices[0].text for one in pieces) == "one two "
    assert pieces[-1].choices[0].finish_reason == "stop"


# Pictures


def test_pictures_come_with_their_recipe(place: Place, asked: list[Any]) -> None:
    found = place.openai.images.generate(
        model="demo-image", prompt="a fox", n=2, size="128x64",
        extra_body={"steps": 3, "cfg_scale": 5, "negative_prompt": "blur", "sampler": "DPM++ 2M Karras", "seed": 11},
    )  # fmt: skip
    request = cast(ImageRequest, asked[-1])
    assert (request.steps, request.guidance_scale, request.negative_prompt) == (3, 5.0, "blur")
    assert (request.scheduler, request.seed, request.count) == ("DPM++ 2M Karras", 11, 2)
    assert found.data is not None
    pictures = [Image.open(io.BytesIO(base64.b64decode(one.b64_json or ""))) for one in found.data]
    assert [picture.size for picture in pictures] == [(128, 64)] * 2
    assert "a fox" in pictures[0].info["parameters"]
    assert "Seed: 12" in pictures[1].info["parameters"]
    assert found.size == "128x64"


def test_a_picture_at_an_address_is_the_file(place: Place) -> None:
    found = place.openai.images.generate(
        model="demo-image", prompt="a hare", size="64x64", response_format="url", output_format="webp"
    )
    assert found.data is not None
    answer = httpx.get(str(found.data[0].url))
    assert answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"


def test_what_programs_make_is_in_the_library(place: Place) -> None:
    place.openai.images.generate(model="demo-image", prompt="a very unusual walrus", size="64x64")
    assert place.studio.archive is not None
    newest = place.studio.library.recent("image", 1)[0]
    assert newest.recipe["parameters"]["prompt"] == "a very unusual walrus"


def test_a_picture_is_shown_on_its_way(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "PACE", 0)  # the stand-in is done before anybody looks
    events = list(
        place.openai.images.generate(
            model="demo-image", prompt="a fox", size="64x64", stream=True, partial_images=1
        )
    )  # fmt: skip
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    assert Image.open(io.BytesIO(base64.b64decode(events[-1].b64_json))).size == (64, 64)


def test_an_edit_with_a_mask_paints_where_it_is_transparent(place: Place, asked: list[Any]) -> None:
    hole = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    hole.paste((0, 0, 0, 0), (0, 0, 32, 64))
    mask = io.BytesIO()
    hole.save(mask, "PNG")
    place.openai.images.edit(
        model="demo-image", image=("fox.png", png()), mask=("mask.png", mask.getvalue()), prompt="a hat"
    )
    request = cast(ImageRequest, asked[-1])
    assert request.image == png()
    given = Image.open(io.BytesIO(request.mask)).convert("L")
    assert (given.getpixel((5, 5)), given.getpixel((60, 5))) == (255, 0)


def test_an_edit_without_one_is_by_words(place: Place, asked: list[Any]) -> None:
    place.openai.images.edit(
        model="demo-image", image=[("a.png", png()), ("b.png", png("blue"))], prompt="both", size="64x64"
    )
    assert asked[-1].pictures == (png(), png("blue"))


def test_an_edit_in_json_is_the_same(place: Place, asked: list[Any]) -> None:
    body = {"model": "demo-image", "prompt": "a hat", "images": [{"image_url": data_url(png())}], "size": "64x64"}
    assert place.http.post("/v1/images/edits", json=body).status_code == 200
    assert asked[-1].pictures == (png(),)


def test_a_variation_starts_from_the_picture(place: Place, asked: list[Any]) -> None:
    answer = place.http.post("/v1/images/variations", files={"image": ("a.png", png())}, data={"n": "2"})
    assert len(answer.json()["data"]) == 2
    assert asked[-1].image == png()


@pytest.mark.parametrize(
    ("body", "code"),
    [({"size": "big"}, "api_size"), ({"sampler": "magic"}, "api_field"), ({"n": 0}, "api_field"),
     ({"response_format": "gif"}, "api_field"), ({"prompt": ""}, "empty"), ({"size": "63x63"}, "out_of_range")],
)  # fmt: skip
def test_what_no_picture_can_be_is_refused(place: Place, body: Any, code: str) -> None:
    answer = place.http.post("/v1/images/generations", json={"prompt": "a fox", **body})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"nonsense"])
def test_an_edit_of_nothing_is_refused(place: Place, body: bytes) -> None:
    answer = place.http.post("/v1/images/edits", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert place.http.post("/v1/images/edits", files={"other": b"x"}).json()["error"]["code"] == "no_picture"


# Music, captions, embeddings


def test_music_comes_as_a_file_or_as_a_list(place: Place, asked: list[Any]) -> None:
    body = {"prompt": "calm piano", "duration": 2, "tempo": 90, "key": "D major", "n": 2, "seed": 3, "cfg_scale": 4}
    found = place.http.post("/v1/audio/music", json=body).json()
    request = cast(MusicRequest, asked[-1])
    assert (request.tempo, request.key, request.guidance_scale) == (90.0, "D major", 4.0)
    assert [one["seed"] for one in found["data"]] == [3, 4]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(found["data"][0]["b64_json"])))
    assert len(samples) == 2 * rate
    whole = place.http.post("/v1/audio/music", json={"prompt": "calm", "duration": 2, "response_format": "wav"})
    assert whole.headers["content-type"] == "audio/wav"
    assert soundfile.info(io.BytesIO(whole.content)).duration == 2
    link = place.http.post("/v1/audio/music", json={"prompt": "calm", "duration": 2, "response_format": "url"})
    assert httpx.get(link.json()["data"][0]["url"]).content[:4] == b"RIFF"


def test_a_caption_says_what_is_seen(place: Place) -> None:
    found = place.http.post("/v1/captions", json={"image": data_url(png("blue")), "require": ["sky"]}).json()
    assert "blue" in found["data"][0]["text"]
    assert "with sky" in found["data"][0]["text"]


def test_there_are_no_embeddings(place: Place) -> None:
    with pytest.raises(openai.BadRequestError, match="embeddings"):
        place.openai.embeddings.create(model="demo-chat", input="x")


# Files


@pytest.mark.parametrize("name", ["nothing.png", "..%2f..%2fkeys.json", "%00", "a/b"])
def test_an_address_that_was_never_given_is_none(place: Place, name: str) -> None:
    assert place.http.get(f"/v1/files/{name}").status_code == 404


def test_a_file_that_is_gone_is_not_found(place: Place) -> None:
    found = place.openai.images.generate(model="demo-image", prompt="gone", size="64x64", response_format="url")
    Path(place.studio.library.recent("image", 1)[0].files[0]).unlink()
    assert found.data is not None
    assert httpx.get(str(found.data[0].url)).status_code == 404
