"""Limits of a conversation: its messages and what ends an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.request_parts import Message, Role
from studio.requests import ChatRequest
from studio.tasks.bounds import (
    SEED,
    TEMPERATURE,
    TOP_P,
    Bound,
    Letters,
    check_choice,
    check_list,
    check_number,
    check_text,
    label,
)
from studio.tasks.chat import attachments, structured

NUMBERS: Mapping[str, Bound] = {
    "max_tokens": Bound(1, 32768, 2048, 1024),
    "temperature": TEMPERATURE,
    "top_p": TOP_P,
    "top_k": Bound(0, 1000, 1000, 40),
    "min_p": Bound(0, 1, 1, 0.05, whole=False),
    "repetition_penalty": Bound(0.5, 2, 2, 1.0, whole=False),
    "thinking_budget": Bound(0, 32768, 32768, 0),
    "seed": SEED,
}
"""A top_k of 0 means all tokens, a thinking_budget of 0 any number."""
TEXTS: Mapping[str, Letters] = {
    "system": Letters(50_000, 8_000),
    "opening": Letters(200_000, 20_000),
    "schema": structured.SCHEMA,
}
MESSAGES = Bound(1, 2000, 200, 1)
MESSAGE = Letters(200_000, 20_000)
CONVERSATION = Letters(800_000, 80_000)
FILES = Bound(0, 10, 4, 0)
"""Of one message."""
STOPS, STOP = Bound(0, 8, 8, 0), Letters(100, 100)


def check(request: ChatRequest, _: Card, public: bool) -> None:
    """Raises StudioError: not_text, empty, out_of_range, not_a_choice, too_long, last_not_user."""
    messages = request.messages
    if not isinstance(messages, tuple | list) or not all(isinstance(message, Message) for message in messages):
        raise StudioError("not_text", field=label("messages"))
    if not messages:
        raise StudioError("empty", field=label("message"))
    check_number("messages", len(messages), replace(MESSAGES, high=MESSAGES.public if public else MESSAGES.high))
    letters = 0
    for message in messages:
        check_choice("role", message.role, get_args(Role))
        check_text(
            "message", message.content, replace(MESSAGE, needed=message.role == "user" and not message.files), public
        )
        check_list("file", message.files, FILES, public)
        letters += attachments.check(message.files, public)
    if messages[-1].role != "user":
        raise StudioError("last_not_user")
    total = letters + sum(len(message.content) for message in messages)
    limit = CONVERSATION.public if public else CONVERSATION.high
    if total > limit:
        raise StudioError("too_long", field=label("messages"), count=total, limit=limit)
    structured.check(request.schema, public)
    check_choice("only_prompt", request.only_prompt, (True, False))
    if not isinstance(request.stop, tuple | list):
        raise StudioError("not_text", field=label("stop"))
    check_number("stop", len(request.stop), STOPS)
    for stop in request.stop:
        check_text("stop", stop, STOP, public)
        if not stop:
            raise StudioError("empty", field=label("stop"))
