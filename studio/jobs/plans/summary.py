"""What a conversation has no room for, told in a few sentences by the model that answers (ChatRequest.summarise).

The part that is left out stays the same for several questions (studio.engines.text.context_window), so its summary is
kept while the program runs.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from studio.engines.base import CountsConversation, Loaded
from studio.jobs.context import PartContext, RunContext
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.results import Note
from studio.tasks.chat import attachments, thoughts

TOKENS = 200
"""The longest a summary may be."""
_LETTERS = 2
"""Letters of a token, on the safe side: how much is summed up at once."""
_PIECES = 6
"""Parts of one message, as with a long text that came along, that are summed up."""
_MOST = 64
_OPENING = "Summary:"
_SYSTEM = "You sum up conversations. You write in the language of the conversation."
_ASK = (
    "Sum this up in a few sentences. Keep names, numbers, what was decided, and what the user wants. Answer with the "
    "summary alone.\n\n{text}"
)
_BEFORE = "What was said earlier in this conversation, in short:\n{text}"
_kept: OrderedDict[str, str] = OrderedDict()
_lock = threading.Lock()


def shortened(model: Loaded, request: ChatRequest, context: RunContext) -> tuple[ChatRequest, tuple[Note, ...]]:
    """The request with a summary in the place of what would be left out, and what is to be said of that.

    As it was where everything fits, or where the model does not tell what fits.
    """
    if not (request.summarise and isinstance(model, CountsConversation)):
        return request, ()
    found = model.usage(request)
    first, end = found.left_out
    gone = request.messages[first:end]
    if not gone:
        return request, ()
    said = _known(model, request, gone, found.limit, context)
    if not said:
        return request, ()
    system = "\n\n".join(part for part in (request.system, _BEFORE.format(text=said)) if part)
    kept = (*request.messages[:first], *request.messages[end:])
    return replace(request, system=system, messages=kept), (("history_summarised", {"count": found.cut}),)


def _known(model: Loaded, request: ChatRequest, gone: Sequence[Message], limit: int, context: RunContext) -> str:
    key = hashlib.sha256(repr((request.model, [(one.role, _words(one)) for one in gone])).encode()).hexdigest()
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    said = ""
    for part in _parts(gone, max(limit // 2 - TOKENS, TOKENS) * _LETTERS):
        text = f"{said}\n\n{part}" if said else part
        said = _summed_up(model, request, text, context)
        context.check()
    with _lock:
        _kept[key] = said
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return said


def _summed_up(model: Loaded, request: ChatRequest, text: str, context: RunContext) -> str:
    asked = ChatRequest(
        messages=(Message("user", _ASK.format(text=text)),), model=request.model, system=_SYSTEM, opening=_OPENING,
        max_tokens=TOKENS, temperature=0.0, top_p=request.top_p, top_k=request.top_k, min_p=request.min_p,
        repetition_penalty=request.repetition_penalty, seed=request.seed, thinking_budget=0,
    )  # fmt: skip
    return thoughts.split(model.run(asked, Unseen(context)).text)[1].strip().removeprefix(_OPENING).strip()


def _parts(messages: Sequence[Message], letters: int) -> Iterator[str]:
    """The conversation as a text, in parts of so many letters at most; of what is very long, the beginning."""
    lines, length = list[str](), 0
    for one in messages:
        said = f"{one.role}: {_words(one)}"[: letters * _PIECES]
        for start in range(0, len(said), letters):
            line = said[start : start + letters]
            if lines and length + len(line) > letters:
                yield "\n".join(lines)
                lines, length = [], 0
            lines.append(line)
            length += len(line) + 1
    if lines:
        yield "\n".join(lines)


def _words(message: Message) -> str:
    """What was said, with the texts that came along; of a picture that there was one."""
    if message.role == "user":
        return attachments.written(message).replace(attachments.PICTURE, "[a picture] ")
    return thoughts.split(message.content)[1]


class Unseen(PartContext):
    """What is written is not shown."""

    def text(self, delta: str) -> None:
        del delta
