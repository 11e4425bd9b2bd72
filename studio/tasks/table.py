"""Table of the tasks: each one's rules, the only place where a request is told by its kind. A new task is one entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from studio.requests import (
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Request,
    Task,
    UpscaleRequest,
)
from studio.tasks.caption import limits as caption
from studio.tasks.chat import attachments
from studio.tasks.chat import limits as chat
from studio.tasks.code import limits as code
from studio.tasks.image import editing, upscale
from studio.tasks.image import lighter as lighter_image
from studio.tasks.image import limits as image
from studio.tasks.music import lighter as lighter_music
from studio.tasks.music import limits as music
from studio.tasks.rules import Rules, briefer

R = TypeVar("R", bound=Request)

RULES: Mapping[Task, Rules[Any]] = {
    "chat": Rules[ChatRequest](
        numbers=chat.NUMBERS,
        texts=chat.TEXTS,
        check=chat.check,
        title=lambda request: request.messages[-1].content,
        marks=attachments.marks,
        language=lambda request: request.messages[-1].content,
        lighter=briefer,
    ),
    "image": Rules[ImageRequest](
        numbers=image.NUMBERS,
        texts=image.TEXTS,
        together=image.SIDES,
        check=image.check,
        settled=image.settled,
        admits=editing.admits,
        title=lambda request: request.prompt,
        language=lambda request: request.prompt,
        sources=lambda request: _given(
            request.image,
            *request.pictures,
            request.mask,
            *(one.image for one in request.controls),
            *(one.mask for one in request.regions),
            *(file for one in request.references for file in (one.image, one.mask)),
        ),
        marks=image.marks,
        lighter=lighter_image.painted,
    ),
    "music": Rules[MusicRequest](
        numbers=music.NUMBERS,
        texts=music.TEXTS,
        check=music.check,
        title=lambda request: request.prompt,
        language=lambda request: request.prompt,
        sources=lambda request: _given(request.sound),
        marks=lambda request: ("sound",) if request.sound else (),
        lighter=lighter_music.played,
    ),
    "code": Rules[CodeRequest](
        numbers=code.NUMBERS,
        texts=code.TEXTS,
        check=code.check,
        title=lambda request: request.prefix[-60:],
        lighter=briefer,
    ),
    "caption": Rules[CaptionRequest](
        numbers=caption.NUMBERS,
        texts=caption.TEXTS,
        check=caption.check,
        settled=caption.settled,
        defaults=caption.defaults,
        title=lambda request: request.prompt,
        language=lambda request: request.prompt,
        sources=lambda request: _given(request.image),
        marks=lambda request: ("image",) if request.image else (),
        lighter=briefer,
    ),
    "upscale": Rules[UpscaleRequest](
        numbers=upscale.NUMBERS,
        texts=upscale.TEXTS,
        check=upscale.check,
        admits=upscale.admits,
        title=lambda _: "",
        sources=lambda request: _given(request.image),
        marks=lambda request: ("image",) if request.image else (),
        lighter=lighter_image.enlarged,
    ),
}


def rules(request: R) -> Rules[R]:
    """The rules of a request's task."""
    return RULES[request.task]


def _given(*files: bytes) -> tuple[bytes, ...]:
    return tuple(filter(None, files))
