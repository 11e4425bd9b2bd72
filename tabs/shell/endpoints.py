"""Endpoints for programs: what `gradio_client` finds by name on the page, one a task, with parameters of known types.

They are no events of the page's own fields: those change with its looks. An endpoint takes the fields of the task's
request (studio.requests) under their names, starts an ordinary job for who asks, and tells of it until it ends. Who
goes away, or cancels, stops the job. The browser hears nothing of them (tabs.shell.lazy_tabs).
"""

from __future__ import annotations

import inspect
import json
import mimetypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypedDict, get_type_hints

import gradio as gr
from gradio.events import api

from studio.chains.fields import request_of
from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.library.scan import notes
from studio.media import formats
from studio.request_parts import Message
from studio.requests import REQUESTS, ChatRequest, Request, Task
from studio.results import Update
from tabs.chat import attached
from tabs.shared import job_progress, uploaded
from tabs.shared.context import Page
from tabs.shared.i18n import language


class Meta(TypedDict):
    """By it a client knows that it is to fetch, or to send, a file."""

    _type: Literal["gradio.FileData"]


class File(TypedDict):
    """A file as Gradio's clients send and fetch it; they show it as a path."""

    path: str
    url: str | None
    size: int | None
    orig_name: str | None
    mime_type: str | None
    is_stream: bool
    meta: Meta


class Turn(TypedDict):
    """An earlier message of a conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What programs may ask of one task.

    Attributes:
        fields: of its request, in this order; the first ones have to be given.
        own: further parameters in front, with their types and defaults.
        returns: labels and types of what comes back, besides the details.
        previews: the work in progress can be had as well.
    """

    about: str
    fields: tuple[str, ...]
    returns: Mapping[str, Any]
    own: Mapping[str, tuple[Any, Any]]
    previews: bool = False


_NEEDED: Any = inspect.Parameter.empty
_SAMPLING = ("max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty")
ENDPOINTS: Mapping[Task, Endpoint] = {
    "chat": Endpoint(
        "Answers a message, after the turns before it. The answer comes while it is written.",
        ("model", "system", "opening", *_SAMPLING, "stop", "schema", "thinking_budget", "seed"),
        {"answer": str},
        {"message": (str, _NEEDED), "history": (list[Turn], []), "files": (list[File], [])},
    ),
    "image": Endpoint(
        "Paints pictures: from words, from a picture (image), in a part of one (mask), or edited by words (pictures).",
        (
            "prompt", "model", "negative_prompt", "styles", "width", "height", "steps", "guidance_scale", "scheduler",
            "count", "seed", "image", "mask", "strength", "masked_only", "mask_padding", "mask_blur", "variation",
            "variation_seed", "clip_skip", "tiling", "seamless", "rng", "loras", "hires_scale", "hires_strength",
            "pictures", "vae", "refiner", "refiner_at",
        ),
        {"pictures": list[File]}, {}, previews=True,
    ),
    "music": Endpoint(
        "Makes pieces of music and sounds; those that are composed come with their notes as MIDI files.",
        (
            "prompt", "model", "negative_prompt", "lyrics", "tempo", "key", "metre", "bars", "players", "loop",
            "melody", "sound", "sound_use", "sound_keep", "duration", "steps", "guidance_scale", "temperature", "top_k",
            "count", "seed",
        ),
        {"pieces": list[File], "notes": list[File]}, {},
    ),
    "code": Endpoint(
        "Writes the code between prefix and suffix.",
        (
            "prefix", "suffix", "model", "language", "path", "fill_in_middle", "count", "max_tokens", "temperature",
            "top_p", "seed",
        ),
        {"code": str}, {},
    ),
    "caption": Endpoint(
        "Puts a picture into words, or answers a question about it (prompt).",
        (
            "image", "model", "prompt", "length", "style", "opening", "require", "forbid", "count", "max_tokens",
            "temperature", "seed",
        ),
        {"caption": str}, {},
    ),
}  # fmt: skip
_TYPES: Mapping[str, tuple[Any, Any]] = {"loras": (dict[str, float], {})}
"""Fields that programs give in a plainer form."""
_REQUEST = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)


def build(page: Page) -> None:
    """Add all of them to the page."""
    for task, endpoint in ENDPOINTS.items():
        taken = _parameters(task, endpoint)
        made = api(
            _handler(page, task, taken), api_name=task, api_description=endpoint.about, concurrency_limit=None
        )  # fmt: skip
        event = page.blocks.fns[made["id"]]
        names = [*(one.name for one in taken), *endpoint.returns, "details"]
        parts: list[Any] = [*event.inputs, *event.outputs]
        for part, name in zip(parts, names, strict=True):
            part.label = name


def _parameters(task: Task, endpoint: Endpoint) -> list[inspect.Parameter]:
    """What an endpoint takes, in order, as the request's class has it: names, types, defaults."""
    cls = REQUESTS[task]
    hints, usual = get_type_hints(cls), {part.name: part.default for part in fields(cls)}
    found = dict(endpoint.own)
    for name in endpoint.fields:
        found[name] = _TYPES.get(name) or _plain(hints[name], usual[name])
    if endpoint.previews:
        found["previews"] = bool, False
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [inspect.Parameter(name, kind, annotation=hint, default=usual) for name, (hint, usual) in found.items()]


def _plain(hint: Any, usual: Any) -> tuple[Any, Any]:
    """The type and the default of a field as JSON has them."""
    if hint is bytes:
        return (File, _NEEDED) if usual is MISSING else (File | None, None)
    if hint in (tuple[str, ...], tuple[bytes, ...]):
        return (list[str] if hint == tuple[str, ...] else list[File]), []
    return hint, _NEEDED if usual is MISSING else usual


def _handler(page: Page, task: Task, taken: list[inspect.Parameter]) -> Callable[..., Iterator[tuple[Any, ...]]]:
    """The function of an endpoint. Gradio reads off its signature what it takes and gives."""
    endpoint = ENDPOINTS[task]

    def answer(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        given = dict(zip((one.name for one in taken), values, strict=True))
        options: dict[str, Any] = {"previews": given.pop("previews", False) is True}
        if task in ("chat", "code"):
            options["keep"] = Keep(fleeting=True)  # the program has the words
        job = page.begin(request, lambda who: page.studio.submit(_asked(task, given, page), who, **options))
        yield from _told(page, job, language(request))

    returns = (*endpoint.returns.values(), dict[str, Any])
    answer.__annotations__ = {"request": gr.Request, **{one.name: one.annotation for one in taken}}
    answer.__signature__ = inspect.Signature([_REQUEST, *taken], return_annotation=tuple[returns])  # pyright: ignore
    return answer


def _asked(task: Task, given: Mapping[str, Any], page: Page) -> Request:
    """The request that a program's values make. Raises StudioError: wrong_type, not_uploaded, as of files."""
    known = {name: value for name, value in given.items() if value is not None}
    most = page.studio.settings.max_upload_mb * 1_000_000
    for name in ("image", "mask", "sound"):
        if name in known:
            known[name] = uploaded.read_upload(known[name], most)
    if "pictures" in known:
        known["pictures"] = [uploaded.read_upload(one, most) for one in _list("pictures", known["pictures"])]
    if "loras" in known:
        known["loras"] = [{"name": name, "weight": weight} for name, weight in _table("loras", known["loras"]).items()]
    for name in ("styles", "stop", "require", "forbid"):
        if name in known:
            known[name] = tuple(_list(name, known[name]))
    if task != "chat":
        return request_of(task, known)
    history, files = (_list(name, known.pop(name, [])) for name in ("history", "files"))
    came, _ = attached.read(files, page.studio.settings.public)
    last = Message("user", known.pop("message", ""), came)
    return ChatRequest(messages=(*(_turn(one) for one in history), last), **known)


def _turn(given: Any) -> Message:
    turn = _table("history", given)
    role, content = turn.get("role"), turn.get("content")
    if role not in ("user", "assistant") or not isinstance(content, str):
        raise StudioError("wrong_type", field="history")
    return Message(role, content)


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise StudioError("wrong_type", field=name)
    return value


def _table(name: str, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise StudioError("wrong_type", field=name)
    return value


def _told(page: Page, job: Job, spoken: str) -> Iterator[tuple[Any, ...]]:
    """What there is of a job after each of its updates. Whoever hears no more of them has the job stopped.

    Raises:
        StudioError: it failed, or was stopped with nothing to show.
    """
    said, shown = "", dict[int, File]()
    try:
        for update in job_progress.watch(job):
            said += update.text
            for number, data in update.previews.items():
                shown[number] = _file(Path(page.offer(data, f"preview-{number + 1}.{formats.kind(data) or 'png'}")))
            if update.error is not None:
                raise update.error
            if update.final and update.artifact is None:
                raise StudioError("stopped")
            yield *_results(page, job, update, said, shown), _details(page, update, spoken)
    finally:
        job.cancel()


def _results(page: Page, job: Job, update: Update, said: str, shown: Mapping[int, File]) -> tuple[Any, ...]:
    made = update.artifact
    if job.task in ("chat", "code", "caption"):
        return (said if made is None else made.text,)
    files = () if made is None else made.files
    whole = [_file(Path(page.publish(file))) for file in files] or [shown[number] for number in sorted(shown)]
    if job.task == "image":
        return (whole,)
    return whole, [_file(Path(page.publish(notes(file)))) for file in files if notes(file).is_file()]


def _details(page: Page, update: Update, spoken: str) -> dict[str, Any]:
    """How a job stands, and what is known of what it made.

    The recipe is a text: a client takes every table with a "path" in it for a file, and a request for code has one.
    """
    told: dict[str, Any] = {
        "job": update.job, "state": update.kind, "seconds": round(update.elapsed, 1), "position": update.position,
        "step": update.step, "steps": update.steps, "seconds_left": update.seconds_left,
    }  # fmt: skip
    if (made := update.artifact) is not None:
        told |= {
            "finish": made.finish, "model": made.recipe["model"]["id"], "seeds": [one["seed"] for one in made.recipes],
            "texts": list(made.texts), "stats": dict(made.stats),
            "recipe": json.dumps(made.recipe, ensure_ascii=False), "library": page.ids(made),
            "notes": [text(f"note.{key}", spoken, **params) for key, params in made.notes],
        }  # fmt: skip
    return told


def _file(path: Path) -> File:
    """A file of Gradio's folder, for a client to fetch as it is."""
    kind = mimetypes.guess_type(path.name)[0]
    return {
        "path": str(path), "url": None, "size": path.stat().st_size, "orig_name": path.name, "mime_type": kind,
        "is_stream": False, "meta": {"_type": "gradio.FileData"},
    }  # fmt: skip
