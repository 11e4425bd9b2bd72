"""One request through a server that speaks as OpenAI does: conversations, completions and pictures.

Servers differ in what they know beyond OpenAI's own fields, and some refuse what they do not know. So only those fields
are sent, unless the card says that the server takes more (``extended``), and what a request asks for beyond them is
named in a note.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from studio.catalog.card import Card
from studio.engines.base import Context
from studio.errors import Cancelled, StudioError
from studio.manager.backends.remote.client import Server
from studio.media import formats
from studio.media.image import decode_image
from studio.requests import ChatRequest, CodeRequest, ImageRequest, Request, Task
from studio.results import Note, Output
from studio.tasks import limits
from studio.tasks.chat import attachments, structured
from studio.tasks.chat.thoughts import CLOSE, OPEN
from studio.tasks.code.completion import CompletionCleaner

MOST_PICTURES = 1 << 28
"""Bytes of an answer with pictures."""
_STOPS = 4
_SEEDS = 1 << 53
"""Numbers that every JSON reader keeps whole."""


class _Stopped(Exception):
    """Stop was pressed: the connection is cut, and with it the answer ends there."""


def run(server: Server, card: Card, request: Request, context: Context) -> Output:
    """Have a server answer one request.

    Raises:
        Cancelled: stopped with nothing to keep. StudioError: remote_cannot, where it has no words for it; as
            `Server.json`.
    """
    match request:
        case ChatRequest() if not request.only_prompt:
            return _chat(server, card, request, context)
        case CodeRequest() if not request.only_prompt and not request.edits:
            return _code(server, card, request, context)
        case ImageRequest():
            return _paint(server, card, request, context)
    raise StudioError("remote_cannot", model=card.title, host=server.name)


# ---- text


def _chat(server: Server, card: Card, request: ChatRequest, context: Context) -> Output:
    body = {
        **_text_body(card, request), "messages": _messages(request), "top_p": request.top_p,
        **({"stop": list(request.stop[:_STOPS])} if request.stop else {}),
    }  # fmt: skip
    if request.schema:
        shape = {"name": "answer", "schema": structured.value(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    more = {"top_k": request.top_k, "min_p": request.min_p, "repeat_penalty": request.repetition_penalty}
    left = _beyond(card, "chat", body, more)
    answer = _Answer(server, context, request.opening)
    answer.hear("/chat/completions", body)
    return answer.output(left)


def _code(server: Server, card: Card, request: CodeRequest, context: Context) -> Output:
    fills = bool(request.fill_in_middle and request.suffix)
    body = {**_text_body(card, request), "prompt": request.prefix, "top_p": request.top_p}
    if fills:
        body["suffix"] = request.suffix
    left = ["files"] if request.files else []
    cleaner = CompletionCleaner(request.suffix, (), request.prefix, ahead=not fills, language=request.language)
    answer = _Answer(server, context, "", cleaner)
    answer.hear("/completions", body)
    return answer.output(left)


def _text_body(card: Card, request: ChatRequest | CodeRequest) -> dict[str, Any]:
    return {
        "model": _model(card), "stream": True, "stream_options": {"include_usage": True},
        "max_tokens": request.max_tokens, "temperature": request.temperature, "seed": int(request.seed or 0) % _SEEDS,
    }  # fmt: skip


def _messages(request: ChatRequest) -> list[dict[str, Any]]:
    """The conversation in OpenAI's form: texts that came along stand in the message, pictures beside it."""
    found: list[dict[str, Any]] = [{"role": "system", "content": request.system}] if request.system.strip() else []
    for message in request.messages:
        said = attachments.written(message).replace(attachments.PICTURE, "")
        pictures = attachments.pictures(message)
        shown = [{"type": "image_url", "image_url": {"url": _data(one)}} for one in pictures]
        content = [*shown, {"type": "text", "text": said}] if shown else said
        found.append({"role": message.role, "content": content})
    if request.opening:
        found.append({"role": "assistant", "content": request.opening})
    return found


class _Answer:
    """A streamed answer while it comes.

    Args:
        opening: what stands before it already.
        cleaner: of a completion, what of it is code to insert.
    """

    def __init__(
        self, server: Server, context: Context, opening: str, cleaner: CompletionCleaner | None = None
    ) -> None:
        self._server, self._context, self._cleaner = server, context, cleaner
        self._text, self._finish, self._usage = opening, "", dict[str, Any]()
        self._began, self._pieces, self._thinks = time.monotonic(), 0, False
        self._first = 0.0
        if opening:
            context.text(opening)

    def hear(self, path: str, body: Mapping[str, Any]) -> None:
        try:
            for event in self._server.follow(path, body, self._look):
                if event.data.strip() == "[DONE]":
                    return
                self._take(event.data)
                if self._cleaner is not None and self._cleaner.ended:
                    return
        except _Stopped:
            self._finish = "cancelled"
            return
        if not self._finish:
            raise StudioError("remote_gone", host=self._server.name)

    def output(self, left: Sequence[str]) -> Output:
        """All of it. Raises Cancelled where it was stopped before anything came."""
        if self._thinks:
            self._say(f"\n{CLOSE}\n\n")
        if self._cleaner is not None and (rest := self._cleaner.finish()):
            self._show(rest)
        if self._finish == "cancelled" and not self._text:
            raise Cancelled
        finish = self._finish if self._finish in ("length", "cancelled") else "stop"
        tokens = _count(self._usage, "completion_tokens") or self._pieces
        seconds = max(time.monotonic() - (self._first or self._began), 1e-6)
        stats = {"tokens": float(tokens), "tokens_per_second": tokens / seconds}
        if read := _count(self._usage, "prompt_tokens"):
            stats["prompt_tokens"] = float(read)
        return Output(text=self._text, finish=finish, stats=stats, notes=_left_out(left))

    def _look(self) -> None:
        self._context.alive()
        if self._context.cancelled:
            raise _Stopped

    def _take(self, data: str) -> None:
        told = self._server.read_object(data)
        if (error := self._server.failure(told)) is not None:
            raise error
        if isinstance(used := told.get("usage"), dict):
            self._usage = used
        choices = told.get("choices")
        if not isinstance(choices, list):
            raise self._server.nonsense()
        for choice in choices[:1]:
            self._choice(choice)

    def _choice(self, choice: Any) -> None:
        if not isinstance(choice, dict):
            raise self._server.nonsense()
        delta = choice.get("delta", {})
        delta = delta if isinstance(delta, dict) else {}
        thought = delta.get("reasoning_content") or delta.get("reasoning") or ""
        said = delta.get("content") or choice.get("text") or ""
        if not isinstance(said, str) or not isinstance(thought, str):
            raise self._server.nonsense()
        if thought:
            self._say(thought if self._thinks else f"{OPEN}\n{thought}")
            self._thinks = True
        if said:
            self._say(f"\n{CLOSE}\n\n{said}" if self._thinks else said)
            self._thinks = False
        if isinstance(ended := choice.get("finish_reason"), str):
            self._finish = ended

    def _say(self, said: str) -> None:
        self._first = self._first or time.monotonic()
        self._pieces += 1
        self._context.step(self._pieces)
        self._show(said if self._cleaner is None else self._cleaner.feed(said))

    def _show(self, said: str) -> None:
        self._text += said
        self._context.text(said)


# ---- pictures


def _paint(server: Server, card: Card, request: ImageRequest, context: Context) -> Output:
    """Pictures; those of a batch that differ in their words are asked for one by one."""
    prompts = request.prompts or (request.prompt,) * request.count
    asked = [(prompts[0], request.count)] if len(set(prompts)) == 1 else [(one, 1) for one in prompts]
    images: list[Any] = []
    left: list[str] = []
    for prompt, count in asked:
        context.check()
        more = {
            "seed": (int(request.seed or 0) + len(images)) % _SEEDS, "steps": request.steps,
            "cfg_scale": request.guidance_scale, "negative_prompt": request.negative_prompt or None,
            "sampler": request.scheduler or None,
        }  # fmt: skip
        body = {"model": _model(card), "prompt": prompt, "n": count, "size": f"{request.width}x{request.height}"}
        if not _model(card).startswith("gpt-image"):  # these answer so in any case, and refuse to be asked
            body["response_format"] = "b64_json"
        left = _beyond(card, "image", body, {name: value for name, value in more.items() if value is not None})
        images += _pictures(server, _asked(server, request, body, context), count)
        context.step(len(images), request.count)
    seeds = tuple(int(request.seed or 0) + number for number in range(len(images)))
    return Output(images=tuple(images), seeds=seeds, notes=_left_out(left))


def _asked(server: Server, request: ImageRequest, body: dict[str, Any], context: Context) -> dict[str, Any]:
    """The answer to a message for pictures; while it is waited for, Stop leaves it."""
    given = request.pictures or ((request.image,) if request.image else ())
    if not given:
        return _waited(context, lambda: server.json("POST", "/images/generations", body, most=MOST_PICTURES))
    name = "image[]" if len(given) > 1 else "image"
    files = [(name, (f"{number}.{_kind(one)}", one, f"image/{_kind(one)}")) for number, one in enumerate(given)]
    if request.mask:
        files.append(("mask", ("mask.png", _clear(request.mask), "image/png")))
    fields = {name: str(value) for name, value in body.items()}
    return _waited(context, lambda: server.form("/images/edits", fields, files, most=MOST_PICTURES))


def _waited(context: Context, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `ask` returns, on a thread of its own: Stop does not wait for the network."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(ask())
        except Exception as error:
            found.append(error.with_traceback(None))

    thread = threading.Thread(target=work, name="ask", daemon=True)
    thread.start()
    while thread.is_alive():
        context.check()
        thread.join(0.05)
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _pictures(server: Server, told: Mapping[str, Any], count: int) -> Iterator[Any]:
    data = told.get("data")
    if not isinstance(data, list) or not 0 < len(data) <= count:
        raise server.nonsense()
    for one in data:
        if not isinstance(one, dict) or not isinstance(one.get("b64_json"), str):
            raise server.nonsense()  # an address leads elsewhere, and is not followed
        try:
            yield decode_image(base64.b64decode(one["b64_json"], validate=True))
        except (binascii.Error, ValueError, StudioError):
            raise server.nonsense() from None


def _clear(mask: bytes) -> bytes:
    """A mask as OpenAI has it: what is painted anew is transparent."""
    import io

    from PIL import Image, ImageOps

    shape = decode_image(mask).convert("L")
    kept = Image.new("RGBA", shape.size, "white")
    kept.putalpha(ImageOps.invert(shape))
    data = io.BytesIO()
    kept.save(data, "PNG")
    return data.getvalue()


# ---- what both share


def _model(card: Card) -> str:
    return str(card.options.get("model", card.id))


def _beyond(card: Card, task: Task, body: dict[str, Any], more: Mapping[str, Any]) -> list[str]:
    """Put what OpenAI does not know into a message, where the server takes it; else the fields that are left out and
    were asked for."""
    if card.options.get("extended"):
        body.update(more)
        return []
    names = {"repeat_penalty": "repetition_penalty", "cfg_scale": "guidance_scale", "sampler": "scheduler"}
    named = {names.get(name, name): value for name, value in more.items()}
    usual = {name: limits.bound(task, name, card).default for name in named if name in limits.NUMBERS[task]}
    return [name for name, value in named.items() if name != "seed" and value != {**usual, **card.defaults}.get(name)]


def _left_out(names: Sequence[str]) -> tuple[Note, ...]:
    return (("remote_left_out", {"names": ", ".join(dict.fromkeys(names))}),) if names else ()


def _data(picture: bytes) -> str:
    return f"data:image/{_kind(picture)};base64,{base64.b64encode(picture).decode()}"


def _kind(picture: bytes) -> str:
    return (formats.kind(picture) or "png").lower()


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int and 0 <= value < 100_000_000 else 0
