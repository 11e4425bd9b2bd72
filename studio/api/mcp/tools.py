"""Tools of the studio for MCP: a job each, with its progress told; stopped when the call is cancelled. Imports the SDK.

Pictures and sounds come as they lie in the library, with their recipe in them. What stands in descriptions is read by
models: it is English.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import AudioContent, ContentBlock, ImageContent, TextContent
from pydantic import Field
from starlette.requests import Request as Asked

from studio.api import asking
from studio.api.problems import said
from studio.api.results import encoded, media_type
from studio.api.submitting import FLEETING, Desk, Work
from studio.chains.fields import request_of
from studio.errors import StudioError
from studio.i18n import text
from studio.library.index import Query
from studio.library.items import Item
from studio.request_parts import Message
from studio.requests import REQUESTS, TASKS, CaptionLength, CaptionStyle, ChatRequest, Request, Task
from studio.results import Artifact, Update
from studio.tasks.chat.attachments import read_attachment

TAG = "mcp"
PACE = 0.2
"""Seconds between two messages of progress at least."""
LOOKED = 0.25
"""Seconds after which it is looked whether the program is still there, where nothing else happens."""
MOST_FOUND = 100
_MOST_PICTURES = 8
_FAMILIES = {"image": ImageContent, "audio": AudioContent}

Model = Annotated[str, Field(description="Id of a model; empty for the one the studio takes by itself.")]
Seed = Annotated[int | None, Field(description="The same seed gives the same result; leave it out for another.")]
Picture = Annotated[str, Field(description="A picture in base64, or as a data: address.")]
Count = Annotated[int, Field(description="How many to make.", ge=1, le=8)]


class Tools:
    """Each of its public methods is a tool; its parameters are what a model may say."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def chat(
        self,
        ctx: Context[Any, Any],
        message: str,
        model: Model = "",
        system: Annotated[str, Field(description="Who the model is to be, and how it is to answer.")] = "",
        pictures: Annotated[list[Picture] | None, Field(description="Pictures that the message is about.")] = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        seed: Seed = None,
    ) -> list[ContentBlock]:
        """Ask a language model on this machine, and get its answer."""
        given = locals()
        return await self._answered(ctx, lambda: _chat(given))

    async def paint(
        self,
        ctx: Context[Any, Any],
        prompt: str,
        model: Model = "",
        negative_prompt: Annotated[str, Field(description="What is not to be seen.")] = "",
        width: int | None = None,
        height: int | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        count: Count = 1,
        seed: Seed = None,
        image: Annotated[Picture, Field(description="A picture to start from.")] = "",
        mask: Annotated[Picture, Field(description="What of it is painted anew: white yes, black no.")] = "",
        strength: Annotated[float | None, Field(description="How far from the picture it may go, 0 to 1.")] = None,
    ) -> list[ContentBlock]:
        """Paint pictures from words, or over a picture. They come with the recipe of how they were made inside."""
        given = locals()
        return await self._answered(ctx, lambda: request_of("image", _given(given, "image")))

    async def compose(
        self,
        ctx: Context[Any, Any],
        prompt: str,
        model: Model = "",
        duration: Annotated[float | None, Field(description="Seconds.")] = None,
        tempo: Annotated[float, Field(description="Beats a minute; 0 leaves it to the prompt.")] = 0.0,
        key: Annotated[str, Field(description='Such as "D major"; empty leaves it to the prompt.')] = "",
        metre: Annotated[str, Field(description='Such as "3/4"; empty leaves it to the prompt.')] = "",
        players: Annotated[str, Field(description='Such as "flute, guitar".')] = "",
        lyrics: str = "",
        count: Count = 1,
        seed: Seed = None,
    ) -> list[ContentBlock]:
        """Make a piece of music or a sound from words."""
        given = locals()
        return await self._answered(ctx, lambda: request_of("music", _given(given, "music")))

    async def complete(
        self,
        ctx: Context[Any, Any],
        prefix: str,
        suffix: str = "",
        model: Model = "",
        language: Annotated[str, Field(description="Of the code, as an editor calls it.")] = "",
        path: Annotated[str, Field(description="What the file is called.")] = "",
        max_tokens: int | None = None,
        temperature: float | None = None,
        seed: Seed = None,
    ) -> list[ContentBlock]:
        """Write the code that belongs between prefix and suffix."""
        given = locals()
        return await self._answered(ctx, lambda: request_of("code", _given(given, "code")))

    async def caption(
        self,
        ctx: Context[Any, Any],
        image: Picture,
        model: Model = "",
        prompt: Annotated[str, Field(description="A question about it; empty for a caption.")] = "",
        style: Annotated[
            CaptionStyle,
            Field(description="In words, as picture models are asked, as tags, or as alternative text."),
        ] = "plain",
        length: CaptionLength = "normal",
        seed: Seed = None,
    ) -> list[ContentBlock]:
        """Put a picture into words, or answer a question about it."""
        given = locals()
        return await self._answered(ctx, lambda: request_of("caption", _given(given, "caption")))

    async def library_search(
        self,
        ctx: Context[Any, Any],
        words: Annotated[str, Field(description="All of them have to be there; empty for everything.")] = "",
        task: Task | Literal[""] = "",
        starred: bool = False,
        limit: Annotated[int, Field(ge=1, le=MOST_FOUND)] = 20,
    ) -> list[ContentBlock]:
        """Find what was made in this studio before: the newest first, a line each."""
        query = Query(words, (task,) if task in TASKS else (), starred=starred)
        try:
            return await anyio.to_thread.run_sync(self._found, query, limit)
        except StudioError as error:
            raise _told(error, _http(ctx)) from error

    def _found(self, query: Query, limit: int) -> list[ContentBlock]:
        archive = self._desk.studio.archive
        if archive is None:
            raise StudioError("not_for_public")
        archive.sync()
        found = archive.page(query, limit=limit, count=True)
        lines = [f"{found.count} found.", *map(_line, found.items)]
        return [TextContent(text="\n".join(lines))]

    async def _answered(self, ctx: Context[Any, Any], ask: Callable[[], Request]) -> list[ContentBlock]:
        """The result of a job. Raises ToolError with the words of whatever went wrong."""
        http = _http(ctx)
        try:
            request = await anyio.to_thread.run_sync(ask)
            keep = FLEETING if request.task in ("chat", "code") else self._desk.studio.library.keep
            work = await self._desk.begin(http, request, tag=TAG, keep=keep)
            try:
                await _followed(ctx, http, work)
            finally:
                work.leave()
            return await self._contents(work.made()[0])
        except StudioError as error:
            raise _told(error, http) from error

    async def _contents(self, made: Artifact) -> list[ContentBlock]:
        """What was made: its files or its text, and what is to be known of it."""
        notes = [text(f"note.{key}", "en", **params) for key, params in made.notes]
        if made.task in ("chat", "code", "caption"):
            return [TextContent(text=made.text), *(TextContent(text=note) for note in notes)]
        found: list[ContentBlock] = [await _file(file) for file in made.files]
        seeds = [str(recipe["seed"]) for recipe in made.recipes]
        names = ["" if self._desk.studio.settings.public else self._desk.studio.library.id(file) for file in made.files]
        made_of = [f"{' | '.join(filter(None, (name, made.recipe['model']['id'], f'seed {seed}')))}"
                   for name, seed in zip(names, seeds, strict=True)]  # fmt: skip
        return [*found, TextContent(text="\n".join([*made_of, *notes]))]


async def _followed(ctx: Context[Any, Any], http: Asked, work: Work) -> None:
    """Tell of a job until it ends. Raises StudioError: api_stopped, where the program is gone."""
    last = looked = 0.0
    async for found in work.updates(LOOKED):
        now = time.monotonic()
        if now - looked >= LOOKED:
            looked = now
            if await http.is_disconnected():  # nobody can come back for the result
                raise StudioError("api_stopped")
        if found is None:
            continue
        update = found[1]
        if update.kind != "running" or not update.step or now - last < PACE:
            continue
        last, total = now, update.steps or getattr(work.jobs[0].request, "max_tokens", None)
        await ctx.report_progress(float(update.step), float(total) if total else None, _stage(update))


def _stage(update: Update) -> str:
    if update.steps:
        return text("progress.step", "en", step=update.step, steps=update.steps)
    return text("progress.tokens", "en", count=update.step)


async def _file(file: Path) -> ContentBlock:
    kind = media_type(file).replace("audio/x-wav", "audio/wav")
    return _FAMILIES[kind.partition("/")[0]](data=await encoded(file), mime_type=kind)


def _line(item: Item) -> str:
    marks = [item.made.strftime("%Y-%m-%d %H:%M"), item.task, item.model_title or item.model, *item.tags]
    title = " ".join(item.title.split())[:200]
    return f"{item.id} | {' | '.join(filter(None, marks))} | {title}"


def _chat(values: dict[str, Any]) -> ChatRequest:
    sent = [asking.data("pictures", one) for one in (values["pictures"] or ())[:_MOST_PICTURES]]
    files = tuple(read_attachment(f"{number}.png", data) for number, data in enumerate(sent, 1))
    return ChatRequest(messages=(Message("user", values["message"], files),), **_given(values, "chat"))


def _given(values: dict[str, Any], task: Task) -> dict[str, Any]:
    """The arguments of a tool that are fields of its request, as these are. Raises StudioError as asking.data."""
    known = {part.name for part in fields(REQUESTS[task])} - {"task", "messages"}
    found = {name: value for name, value in values.items() if name in known and value is not None}
    for name in ("image", "mask"):
        if name in found:
            found[name] = asking.data(name, found[name]) if found[name] else b""
    return found


def _http(ctx: Context[Any, Any]) -> Asked:
    """The request of HTTP that a call came with."""
    http = ctx.request_context.request
    assert isinstance(http, Asked)
    return http


def _told(error: StudioError, http: Asked) -> ToolError:
    return ToolError(said(error, http.headers.get("accept-language", "")))
