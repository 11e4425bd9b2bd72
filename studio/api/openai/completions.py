"""/v1/completions: text that goes on; with `suffix`, what belongs between two pieces of code."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from studio.api import asking, completing
from studio.api.completing import Completed, Cut
from studio.api.openai import reading
from studio.api.problems import Reply, body
from studio.api.streaming import ALIVE, EventStream, event
from studio.api.submitting import Desk, Work
from studio.errors import StudioError
from studio.requests import CodeRequest

MOST = 8


class CompletionBody(BaseModel):
    """What is asked. Beyond OpenAI's fields: language and path, by which a completion's end is found."""

    model_config = asking.OPEN

    prompt: str | list[str] = ""
    suffix: str | None = None
    model: str | None = ""
    stream: bool | None = False
    stream_options: dict[str, Any] | None = None
    n: int | None = Field(1, ge=1, le=MOST)
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    language: str = ""
    path: str = ""


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/completions", response_class=Response)
    async def completions(said: CompletionBody, http: Request) -> Response:
        wanted = requests(said)
        work, cut = await desk.begin(http, *wanted), Cut(reading.stops(said.stop))
        ignored, job = asking.ignored(said), work.jobs[0]
        about = {"id": f"cmpl-{job.id}", "object": "text_completion", "created": int(time.time()), "model": job.model}
        if said.stream:
            counted = bool((said.stream_options or {}).get("include_usage"))
            return EventStream(_stream(desk, http, work, cut, about, counted), work, ignored)
        made = await completing.whole(desk, work, http, cut)
        choices = [choice(number, one.text, one.finish) for number, one in enumerate(made)]
        return Reply({**about, "choices": choices, "usage": usage(made)}, headers=ignored)

    return router


def requests(said: CompletionBody) -> tuple[CodeRequest, ...]:
    """The request of each completion. Raises StudioError: api_cannot for what is no single text."""
    if isinstance(said.prompt, list) and len(said.prompt) != 1:
        raise StudioError("api_cannot", what="several prompts")
    prompt = said.prompt if isinstance(said.prompt, str) else said.prompt[0]
    request = CodeRequest(
        prefix=prompt, suffix=said.suffix or "", fill_in_middle=bool(said.suffix), model=asking.model(said.model),
        max_tokens=said.max_tokens, temperature=said.temperature, top_p=said.top_p, seed=said.seed,
        language=said.language, path=said.path,
    )  # fmt: skip
    return tuple(replace(request, seed=asking.stepped(said.seed, number)) for number in range(said.n or 1))


def choice(number: int, text: str, end: str | None) -> dict[str, Any]:
    return {"index": number, "text": text, "logprobs": None, "finish_reason": end}


def usage(made: list[Completed]) -> dict[str, int]:
    """Tokens that were read, once, and written, as the engine counted them."""
    read, written = made[0].tokens("prompt_tokens"), sum(one.tokens("tokens") for one in made)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


async def _stream(
    desk: Desk, http: Request, work: Work, cut: Cut, about: dict[str, Any], counted: bool
) -> AsyncIterator[str]:
    made: dict[int, Completed] = {}
    try:
        async for piece in completing.pieces(desk, work, cut):
            if piece is None:
                yield ALIVE
            elif piece.text:
                yield event({**about, "choices": [choice(piece.number, piece.text, None)]})
            else:
                one = made[piece.number] = Completed("", piece.made, piece.cut)
                yield event({**about, "choices": [choice(piece.number, "", one.finish)]})
    except StudioError as error:
        yield event(body(error, "openai", http.headers.get("accept-language", "")))
        return
    if counted:
        yield event({**about, "choices": [], "usage": usage([made[number] for number in sorted(made)])})
    yield event("[DONE]")
