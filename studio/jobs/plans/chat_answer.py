"""One answer of a conversation, watched while it is written: a loop is ended, a thought that takes too long too.

An answer in a form (ChatRequest.schema) is checked at the end. Where the engine cannot keep its model to the form, the
answer is shown when it is whole, after one more try where the first did not fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.engines.base import KeepsForm, Loaded
from studio.jobs.context import PartContext, RunContext
from studio.jobs.plans.single import Single
from studio.jobs.plans.summary import Unseen, shortened
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.results import Note, Output
from studio.tasks.chat import structured, thoughts
from studio.tasks.chat.loops import loops

LOOK = 16
"""Tokens between two looks for a loop."""


@dataclass(frozen=True)
class ChatAnswer(Single):
    """What is done for one question."""

    request: ChatRequest

    def run(self, model: Loaded, context: RunContext) -> Output:
        request, told = shortened(model, self.request, context)
        output = self._answer(model, request, context)
        return self.noted(replace(output, notes=(*told, *output.notes)))

    def _answer(self, model: Loaded, request: ChatRequest, context: RunContext) -> Output:
        if request.only_prompt:
            return model.run(request, context)
        if not request.schema:
            return _answered(model, request, context)
        if isinstance(model, KeepsForm):
            output = _answered(model, request, context)
            return _marked(output, request.schema)
        output = _answered(model, request, Unseen(context))
        again: tuple[Note, ...] = ()
        if output.finish == "stop" and (wrong := structured.problem(output.text, request.schema)):
            output, again = _answered(model, _corrected(request, output.text, wrong), Unseen(context)), (_RETRIED,)
        context.text(output.text)
        return _marked(replace(output, notes=(*again, *output.notes)), request.schema)


_RETRIED: Note = ("schema_retried", {})


def _corrected(request: ChatRequest, said: str, wrong: str) -> ChatRequest:
    """The question once more, with the answer that did not fit and what is wrong with it."""
    more = (Message("assistant", said), Message("user", f"That does not fit the schema: {wrong}. Answer again."))
    return replace(request, messages=(*request.messages, *more), seed=(request.seed or 0) + 1)


def _marked(output: Output, schema: str) -> Output:
    """The output with a mark that says whether it is what was asked for."""
    wrong = structured.problem(output.text, schema)
    note: Note = ("schema_invalid", {"reason": wrong}) if wrong else ("schema_valid", {})
    return replace(output, notes=(*output.notes, note))


def _answered(model: Loaded, request: ChatRequest, context: RunContext) -> Output:
    """One answer; where its thought takes too long, what it had thought and the answer to that."""
    watch = _Watch(context, request.thinking_budget or 0, form=bool(request.schema))
    output = model.run(request, watch)
    if watch.ended == "thought" and not context.cancelled:
        thought = thoughts.ended(watch.said)
        context.text(thought[len(watch.said.rstrip()) :])
        left = max((request.max_tokens or 1) - watch.tokens, 1)
        second = _Watch(context, 0, hidden=len(thought), form=bool(request.schema))
        first, output = output, model.run(replace(request, opening=thought, max_tokens=left), second)
        stats = {**output.stats, "tokens": output.stats.get("tokens", 0) + first.stats.get("tokens", 0)}
        note: Note = ("thinking_ended", {"count": watch.tokens})
        output, watch = replace(output, stats=stats, notes=(*output.notes, note)), second
    if watch.ended == "loop" and not context.cancelled:
        output = replace(output, finish="stop", notes=(*output.notes, ("looped", {})))
    return output


class _Watch(PartContext):
    """Sees what is written, and ends it like Stop where it goes nowhere.

    Args:
        budget: tokens after which a thought is ended; 0 for never.
        hidden: letters at the beginning that are shown already.
        form: the answer is JSON, in which much may look alike.
    """

    def __init__(self, whole: RunContext, budget: int, hidden: int = 0, *, form: bool = False) -> None:
        super().__init__(whole)
        self.said, self.tokens, self.ended = "", 0, ""
        self._budget, self._hidden, self._form = budget, hidden, form

    @property
    def cancelled(self) -> bool:
        return bool(self.ended) or self._whole.cancelled

    def text(self, delta: str) -> None:
        self.said += delta
        fresh = delta[self._hidden :]
        self._hidden = max(self._hidden - len(delta), 0)
        self._whole.text(fresh)

    def step(self, done: int, total: int = 0) -> None:
        self._whole.step(done, total)
        self.tokens = done
        if self._budget and done >= self._budget and thoughts.under_way(self.said):
            self.ended = "thought"
        elif not self._form and done % LOOK == 0 and loops(self.said):
            self.ended = "loop"
