"""/v1/responses: words and pictures in, words out, at once or as the events that Codex and others follow.

Nothing is stored: a conversation is sent whole each time.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from studio.api import asking
from studio.api.openai import reading
from studio.api.openai.saying import Parting, parted, usage
from studio.api.problems import Reply, body
from studio.api.streaming import ALIVE, EventStream, event
from studio.api.submitting import FLEETING, Desk, Work
from studio.errors import StudioError
from studio.requests import ChatRequest
from studio.results import Artifact


class ResponsesBody(BaseModel):
    """What is asked. `tools` are left out where the model may choose not to use them, and refused where it has to."""

    model_config = asking.OPEN

    input: str | list[dict[str, Any]]
    model: str | None = ""
    instructions: str | None = None
    stream: bool | None = False
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    text: dict[str, Any] | None = None
    tools: list[Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    background: bool | None = None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/responses", response_class=Response)
    async def responses(said: ResponsesBody, http: Request) -> Response:
        wanted = await anyio.to_thread.run_sync(partial(request, said, public=desk.studio.settings.public))
        work = await desk.begin(http, wanted, keep=FLEETING)
        unused = asking.ignored(said, known=("reasoning",)) | (asking.header(["tools"]) if said.tools else {})
        answer = _Answer(said, wanted, work)
        if said.stream:
            return EventStream(_stream(desk, http, work, answer), work, unused)
        made = (await work.ended(http))[0]
        return Reply(await answer.whole(desk, made), headers=unused)

    return router


def request(said: ResponsesBody, *, public: bool) -> ChatRequest:
    """The conversation as the studio asks its models.

    Raises:
        StudioError: api_cannot for what is kept between two calls, for tools that have to be used, and as
            studio.api.openai.reading.
    """
    for name in ("previous_response_id", "conversation", "background"):
        if getattr(said, name):
            raise StudioError("api_cannot", what=name)
    if said.tools and said.tool_choice not in (None, "auto", "none"):
        raise StudioError("api_cannot", what="tool_choice")
    turns = [reading.Turn(role="user", content=said.input)] if isinstance(said.input, str) else _turns(said.input)
    talk = reading.conversation(turns, public, said.instructions or "")
    form = (said.text or {}).get("format")
    return ChatRequest(
        messages=talk.messages, system=talk.system, opening=talk.opening, model=asking.model(said.model),
        max_tokens=said.max_output_tokens, temperature=said.temperature, top_p=said.top_p, top_k=said.top_k,
        min_p=said.min_p, repetition_penalty=said.repetition_penalty, seed=said.seed,
        schema=reading.schema(form if isinstance(form, dict) else None),
    )  # fmt: skip


def _turns(items: list[dict[str, Any]]) -> list[reading.Turn]:
    """Messages among the items; what a model thought before is no turn."""
    turns = []
    for number, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "reasoning":
            continue
        if kind != "message":
            raise StudioError("api_cannot", what=str(kind)[:40])
        role, content = item.get("role"), item.get("content")
        if not isinstance(role, str) or not _content(content):
            raise StudioError("api_field", field=f"input.{number}", reason="a role and content are wanted")
        turns.append(reading.Turn(role=role, content=content))
    return turns


def _content(given: object) -> bool:
    return given is None or isinstance(given, str) or (
        isinstance(given, list) and all(isinstance(part, dict) for part in given)
    )  # fmt: skip


class _Answer:
    """The response and its parts, as far as there are any."""

    def __init__(self, said: ResponsesBody, wanted: ChatRequest, work: Work) -> None:
        self._said, self._wanted, self.job = said, wanted, work.jobs[0]
        self._created = int(time.time())

    def told(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """The response object."""
        said = self._said
        return {
            "id": f"resp_{self.job.id}", "object": "response", "created_at": self._created, "status": status,
            "background": False, "error": None, "incomplete_details": None, "instructions": said.instructions,
            "max_output_tokens": said.max_output_tokens, "model": self.job.model, "output": output,
            "parallel_tool_calls": False, "previous_response_id": None, "reasoning": {"effort": None, "summary": None},
            "store": False, "temperature": said.temperature, "text": said.text or {"format": {"type": "text"}},
            "tool_choice": "none", "tools": [], "top_p": said.top_p, "truncation": "disabled", "usage": None,
            "user": None, "metadata": {}, **more,
        }  # fmt: skip

    def part(self, text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def message(self, status: str, text: str | None) -> dict[str, Any]:
        content = [] if text is None else [self.part(text)]
        return {
            "id": f"msg_{self.job.id}",
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def thought(self, text: str) -> dict[str, Any]:
        content = [{"type": "reasoning_text", "text": text}]
        return {
            "id": f"rs_{self.job.id}",
            "type": "reasoning",
            "summary": [],
            "content": content,
            "status": "completed",
        }

    async def whole(self, desk: Desk, made: Artifact) -> dict[str, Any]:
        """The response once it has ended."""
        thought, answer = parted(made.text, self._wanted.opening)
        cut = made.finish == "length"
        status = "incomplete" if cut else "completed"
        output = [*([self.thought(thought)] if thought else []), self.message(status, answer)]
        tokens = await usage(desk, (self._wanted,), (made,))
        used = {
            "input_tokens": tokens["prompt_tokens"], "input_tokens_details": tokens["prompt_tokens_details"],
            "output_tokens": tokens["completion_tokens"], "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens["total_tokens"],
        }  # fmt: skip
        why = {"reason": "max_output_tokens"} if cut else None
        return self.told(status, output, usage=used, incomplete_details=why)

    @property
    def opening(self) -> str:
        return self._wanted.opening


async def _stream(desk: Desk, http: Request, work: Work, answer: _Answer) -> AsyncIterator[str]:
    number = 0

    def say(kind: str, **data: Any) -> str:
        nonlocal number
        number += 1
        return event({"type": kind, "sequence_number": number - 1, **data}, kind)

    parting, thoughts, words, at = Parting(answer.opening), "", "", 0
    message = f"msg_{answer.job.id}"
    yield say("response.created", response=answer.told("in_progress", []))
    yield say("response.in_progress", response=answer.told("in_progress", []))

    def begin() -> list[str]:
        """The message begins, behind the thought where there was one."""
        place = {"item_id": message, "output_index": at, "content_index": 0}
        return [
            say("response.output_item.added", output_index=at, item=answer.message("in_progress", None)),
            say("response.content_part.added", **place, part=answer.part("")),
        ]

    async for found in work.updates():
        if found is None:
            yield ALIVE
            continue
        update = found[1]
        thought, new = parting.feed(update.text, last=update.final)
        if thought and not thoughts:
            yield say("response.output_item.added", output_index=0, item={**answer.thought(""), "content": []})
        thoughts += thought
        if thought:
            place = {"item_id": f"rs_{answer.job.id}", "output_index": 0, "content_index": 0}
            yield say("response.reasoning_text.delta", **place, delta=thought)
        if not words and (new or (update.final and update.artifact is not None)):
            if thoughts:
                at = 1
                yield say("response.output_item.done", output_index=0, item=answer.thought(thoughts))
            for one in begin():
                yield one
        words += new
        if new:
            place = {"item_id": message, "output_index": at, "content_index": 0}
            yield say("response.output_text.delta", **place, delta=new, logprobs=[])
        if update.final:
            if update.artifact is None:
                error = body(update.error or StudioError("api_stopped"), "openai", _language(http))["error"]
                failed = {"code": "server_error", "message": error["message"]}
                yield say("response.failed", response=answer.told("failed", [], error=failed))
                return
            whole = await answer.whole(desk, update.artifact)
            place = {"item_id": message, "output_index": at, "content_index": 0}
            yield say("response.output_text.done", **place, text=words, logprobs=[])
            yield say("response.content_part.done", **place, part=answer.part(words))
            yield say("response.output_item.done", output_index=at, item=answer.message(whole["status"], words))
            yield say(f"response.{whole['status']}", response=whole)


def _language(http: Request) -> str:
    return http.headers.get("accept-language", "")
