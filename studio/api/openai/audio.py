"""/v1/audio/music: pieces and sounds. No shape is shared for these; this one follows that of pictures."""

from __future__ import annotations

import time
from typing import Any, Literal

import anyio
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from studio.api import asking
from studio.api.files import answer
from studio.api.problems import Reply
from studio.api.results import encoded
from studio.api.submitting import Desk
from studio.library.scan import notes
from studio.requests import MusicRequest, SoundUse


class MusicBody(BaseModel):
    """What is asked: the fields of studio.requests.MusicRequest, `sound` in base64.

    `response_format`: `wav` is the file itself, of one piece; `b64_json` and `url` are lists with seeds, and with the
    notes as MIDI where the model writes notes.
    """

    model_config = asking.OPEN

    prompt: str
    model: str | None = ""
    n: int | None = Field(1, ge=1, le=16)
    response_format: Literal["wav", "b64_json", "url"] = "b64_json"
    negative_prompt: str = ""
    lyrics: str = ""
    tempo: float = 0.0
    key: str = ""
    metre: str = ""
    bars: int = 0
    players: str = ""
    loop: bool = False
    sound: str = ""
    sound_use: SoundUse = "continue"
    sound_keep: float = 0.0
    duration: float | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    guidance_scale: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    seed: int | None = None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/audio/music", response_class=Response)
    async def music(said: MusicBody, http: Request) -> Response:
        work = await desk.begin(http, request(said))
        made = (await work.ended(http))[0]
        ignored = asking.ignored(said)
        if said.response_format == "wav":
            return answer(made.files[0], ignored)
        scores = [notes(file) for file in made.files]
        written = [score for score in scores if await anyio.Path(score).is_file()]
        links = dict(zip((*made.files, *written), desk.links.give(http, (*made.files, *written)), strict=True))
        found = list[dict[str, Any]]()
        for file, score, recipe in zip(made.files, scores, made.recipes, strict=True):
            url = said.response_format == "url"
            one: dict[str, Any] = {"url": links[file]} if url else {"b64_json": await encoded(file)}
            if score in written:
                one |= {"midi_url": links[score]} if url else {"midi_b64_json": await encoded(score)}
            found.append({**one, "seed": recipe.get("seed")})
        return Reply({"created": int(time.time()), "model": work.jobs[0].model, "data": found}, headers=ignored)

    return router


def request(said: MusicBody) -> MusicRequest:
    """The pieces as the studio asks its models for them."""
    guidance = said.cfg_scale if said.cfg_scale is not None else said.guidance_scale
    return MusicRequest(
        prompt=said.prompt, model=asking.model(said.model), negative_prompt=said.negative_prompt, lyrics=said.lyrics,
        tempo=said.tempo, key=said.key, metre=said.metre, bars=said.bars, players=said.players, loop=said.loop,
        sound=asking.data("sound", said.sound) if said.sound else b"", sound_use=said.sound_use,
        sound_keep=said.sound_keep, duration=said.duration, steps=said.steps, guidance_scale=guidance,
        temperature=said.temperature, top_k=said.top_k, count=said.n or 1, seed=said.seed,
    )  # fmt: skip
