"""llama.cpp's own addresses, as editors ask its server: what belongs at the cursor, and what there is."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from studio.api import asking, completing
from studio.api.completing import Completed, Cut
from studio.api.openai import reading
from studio.api.openai.completions import usage
from studio.api.openai.models import sees
from studio.api.problems import Reply, body
from studio.api.streaming import ALIVE, EventStream, event
from studio.api.submitting import FLEETING, Desk, Work
from studio.catalog.card import Card
from studio.errors import StudioError
from studio.request_parts import CodeFile
from studio.requests import CodeRequest

_KNOWN = (
    "id_slot", "n_cmpl", "samplers", "cache_prompt", "t_max_prompt_ms", "lora", "top_k", "min_p", "repeat_penalty",
    "dry_multiplier", "response_fields", "speculative",
)  # fmt: skip
"""Fields by which editors steer llama.cpp's own server, and which mean nothing here."""


class Extra(BaseModel):
    """Another file, or a piece of one."""

    model_config = asking.OPEN

    text: str = ""
    filename: str = ""


class InfillBody(BaseModel):
    """What belongs between two texts. `prompt` stands behind `input_prefix`; an `n_predict` of 0 has it read only."""

    model_config = asking.OPEN

    input_prefix: str = ""
    input_suffix: str = ""
    input_extra: list[Extra] = []
    prompt: str = ""
    model: str | None = ""
    n_predict: int | None = None
    n_indent: int = 0
    t_max_predict_ms: float = 0
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = False


class FimBody(BaseModel):
    """What belongs between `prompt` and `suffix`, as Mistral's API and Continue ask."""

    model_config = asking.OPEN

    prompt: str = ""
    suffix: str | None = None
    model: str | None = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    random_seed: int | None = None
    stream: bool | None = False


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    @router.get("/v1/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/props")
    @router.get("/v1/props")
    async def props() -> dict[str, Any]:
        """The model of code that is asked where none is named."""
        card = await anyio.to_thread.run_sync(desk.studio.default_model, "code")
        return properties(desk, card)

    @router.post("/infill", response_class=Response)
    async def infill(said: InfillBody, http: Request) -> Response:
        work = await desk.begin(http, infilled(said), keep=FLEETING)
        ignored = asking.ignored(said, known=_KNOWN)
        warms = said.n_predict == 0
        cut = Cut(reading.stops(said.stop), max(said.n_indent, 0), max(said.t_max_predict_ms, 0.0) / 1000)
        if said.stream and not warms:
            return EventStream(_infilling(desk, http, work, cut), work, ignored)
        made = (await completing.whole(desk, work, http, cut))[0]
        return Reply(_infilled(made, work, "" if warms else made.text), headers=ignored)

    @router.post("/v1/fim/completions", response_class=Response)
    async def fim(said: FimBody, http: Request) -> Response:
        work, cut = await desk.begin(http, filled(said), keep=FLEETING), Cut(reading.stops(said.stop))
        job, ignored = work.jobs[0], asking.ignored(said, known=("min_tokens",))
        about = {"id": f"fim-{job.id}", "created": int(time.time()), "model": job.model}
        if said.stream:
            return EventStream(_filling(desk, http, work, cut, about), work, ignored)
        made = await completing.whole(desk, work, http, cut)
        message = {"role": "assistant", "content": made[0].text}
        choices = [{"index": 0, "message": message, "finish_reason": made[0].finish}]
        return Reply({**about, "object": "chat.completion", "choices": choices, "usage": usage(made)}, headers=ignored)

    return router


def infilled(said: InfillBody) -> CodeRequest:
    """The completion as the studio asks its models."""
    files = [one for one in said.input_extra if one.text.strip()]
    named = tuple(CodeFile(one.filename or f"snippet-{number}", one.text) for number, one in enumerate(files, 1))
    most = said.n_predict if said.n_predict is not None and said.n_predict > 0 else None
    return CodeRequest(
        prefix=said.input_prefix + said.prompt, suffix=said.input_suffix, model=asking.model(said.model), files=named,
        max_tokens=1 if said.n_predict == 0 else most, temperature=said.temperature, top_p=said.top_p, seed=said.seed,
    )  # fmt: skip


def filled(said: FimBody) -> CodeRequest:
    """The same of FimBody."""
    request = CodeRequest(
        prefix=said.prompt, suffix=said.suffix or "", fill_in_middle=bool(said.suffix), model=asking.model(said.model),
        max_tokens=said.max_tokens, temperature=said.temperature, top_p=said.top_p,
        seed=said.seed if said.seed is not None else said.random_seed,
    )  # fmt: skip
    most = request.max_tokens
    return replace(request, max_tokens=None) if most is not None and most < 0 else request


def properties(desk: Desk, card: Card) -> dict[str, Any]:
    """A model as llama.cpp's server tells of its own."""
    context = int(card.limits.get("context", 0))
    return {
        "default_generation_settings": {"n_ctx": context, "params": {}}, "total_slots": 1, "model_path": card.id,
        "model_alias": card.id, "chat_template": "", "modalities": {"vision": sees(desk, card), "audio": False},
        "build_info": "atelier",
    }  # fmt: skip


def _infilled(made: Completed, work: Work, text: str) -> dict[str, Any]:
    kind = "word" if made.cut else "limit" if made.finish == "length" else "eos"
    stats = made.made.stats if made.made is not None else {}
    speed = float(stats.get("tokens_per_second", 0.0))
    timings = {
        "prompt_n": made.tokens("prompt_tokens") - made.tokens("cached_tokens"),
        "prompt_ms": float(stats.get("prompt_seconds", 0.0)) * 1000, "predicted_n": made.tokens("tokens"),
        "predicted_per_second": speed, "predicted_ms": made.tokens("tokens") / speed * 1000 if speed else 0.0,
    }  # fmt: skip
    return {
        "index": 0, "content": text, "tokens": [], "id_slot": 0, "stop": True, "model": work.jobs[0].model,
        "tokens_predicted": made.tokens("tokens"), "tokens_evaluated": made.tokens("prompt_tokens"),
        "tokens_cached": made.tokens("cached_tokens"), "stop_type": kind, "stopping_word": "", "truncated": False,
        "timings": timings,
    }  # fmt: skip


async def _infilling(desk: Desk, http: Request, work: Work, cut: Cut) -> AsyncIterator[str]:
    try:
        async for piece in completing.pieces(desk, work, cut):
            if piece is None:
                yield ALIVE
            elif piece.text:
                yield event({"index": 0, "content": piece.text, "stop": False, "id_slot": 0})
            else:
                yield event(_infilled(Completed("", piece.made, piece.cut), work, ""))
    except StudioError as error:
        yield event(body(error, "llama", http.headers.get("accept-language", "")))


async def _filling(desk: Desk, http: Request, work: Work, cut: Cut, about: dict[str, Any]) -> AsyncIterator[str]:
    def chunk(delta: dict[str, str], end: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        return event({**about, "object": "chat.completion.chunk", "choices": [choice]})

    try:
        async for piece in completing.pieces(desk, work, cut):
            if piece is None:
                yield ALIVE
            elif piece.text:
                yield chunk({"content": piece.text})
            else:
                yield chunk({"content": ""}, Completed("", piece.made, piece.cut).finish)
    except StudioError as error:
        yield event(body(error, "llama", http.headers.get("accept-language", "")))
        return
    yield event("[DONE]")
