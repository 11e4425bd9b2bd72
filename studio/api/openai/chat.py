"""/v1/chat/completions: conversations, answered at once or as they are written."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from studio.api import asking
from studio.api.openai import reading
from studio.api.openai.saying import Parting, finish, parted, usage
from studio.api.problems import Reply, body
from studio.api.streaming import ALIVE, EventStream, event
from studio.api.submitting import FLEETING, Desk, Work
from studio.errors import StudioError
from studio.requests import ChatRequest

MOST = 8
"""Answers to one message; each is a job."""


class StreamOptions(BaseModel):
    model_config = asking.OPEN

    include_usage: bool = False


class ChatBody(BaseModel):
    """What is asked. Beyond OpenAI's fields: top_k, min_p, repetition_penalty (or repeat_penalty), thinking_budget."""

    model_config = asking.OPEN

    messages: list[reading.Turn]
    model: str | None = ""
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(1, ge=1, le=MOST)
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    repeat_penalty: float | None = None
    thinking_budget: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    response_format: dict[str, Any] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    logprobs: bool | None = None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/chat/completions", response_class=Response)
    async def chat(said: ChatBody, http: Request) -> Response:
        wanted = await anyio.to_thread.run_sync(partial(requests, said, public=desk.studio.settings.public))
        work = await desk.begin(http, *wanted, keep=FLEETING)
        ignored = asking.ignored(said)
        about = {"id": f"chatcmpl-{work.jobs[0].id}", "created": int(time.time()), "model": work.jobs[0].model}
        if said.stream:
            counted = bool(said.stream_options and said.stream_options.include_usage)
            return EventStream(_stream(desk, http, work, wanted, about, counted), work, ignored)
        made = await work.ended(http)
        choices = []
        for number, (one, artifact) in enumerate(zip(wanted, made, strict=True)):
            thought, answer = parted(artifact.text, one.opening)
            message = {"role": "assistant", "content": answer, "refusal": None}
            message |= {"reasoning_content": thought} if thought else {}
            choices.append({"index": number, "message": message, "logprobs": None, "finish_reason": finish(artifact)})
        tokens = await usage(desk, wanted, made)
        return Reply({**about, "object": "chat.completion", "choices": choices, "usage": tokens}, headers=ignored)

    return router


def requests(said: ChatBody, *, public: bool) -> tuple[ChatRequest, ...]:
    """The request of each answer.

    Raises:
        StudioError: api_cannot for tools and log-probabilities, and as studio.api.openai.reading.
    """
    if said.tools or said.functions:
        raise StudioError("api_cannot", what="tools")
    if said.logprobs:
        raise StudioError("api_cannot", what="logprobs")
    talk = reading.conversation(said.messages, public)
    most = said.max_completion_tokens if said.max_completion_tokens is not None else said.max_tokens
    most = None if most is not None and most < 0 else most  # -1 is what some programs say for any length
    penalty = said.repetition_penalty if said.repetition_penalty is not None else said.repeat_penalty
    request = ChatRequest(
        messages=talk.messages, system=talk.system, opening=talk.opening, model=asking.model(said.model),
        max_tokens=most, temperature=said.temperature, top_p=said.top_p, top_k=said.top_k, min_p=said.min_p,
        repetition_penalty=penalty, stop=reading.stops(said.stop), schema=reading.schema(said.response_format),
        thinking_budget=said.thinking_budget, seed=said.seed,
    )  # fmt: skip
    return tuple(replace(request, seed=asking.stepped(said.seed, number)) for number in range(said.n or 1))


async def _stream(
    desk: Desk, http: Request, work: Work, wanted: tuple[ChatRequest, ...], about: dict[str, Any], counted: bool
) -> AsyncIterator[str]:
    def chunk(choices: list[dict[str, Any]], **more: object) -> str:
        return event({**about, "object": "chat.completion.chunk", "choices": choices, **more})

    def choice(number: int, delta: dict[str, Any], end: str | None = None) -> dict[str, Any]:
        return {"index": number, "delta": delta, "logprobs": None, "finish_reason": end}

    partings = [Parting(one.opening) for one in wanted]
    for number in range(len(wanted)):
        yield chunk([choice(number, {"role": "assistant", "content": ""})])
    async for found in work.updates():
        if found is None:
            yield ALIVE
            continue
        number, update = found
        thought, answer = partings[number].feed(update.text, last=update.final)
        if thought:
            yield chunk([choice(number, {"reasoning_content": thought})])
        if answer:
            yield chunk([choice(number, {"content": answer})])
        if update.final:
            if update.artifact is None:
                yield event(body(update.error or StudioError("api_stopped"), "openai", _language(http)))
                return
            yield chunk([choice(number, {}, finish(update.artifact))])
    if counted:
        yield chunk([], usage=await usage(desk, wanted, work.made()))
    yield event("[DONE]")


def _language(http: Request) -> str:
    return http.headers.get("accept-language", "")
