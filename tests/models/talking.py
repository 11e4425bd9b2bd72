"""Conversations that are asked about with settings under which every answer is the same."""

from __future__ import annotations

from typing import Any

from studio.request_parts import Message
from studio.requests import ChatRequest


def talk(*messages: Message, **changes: Any) -> ChatRequest:
    values: dict[str, Any] = {
        "max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0,
        "seed": 1,
    }  # fmt: skip
    return ChatRequest(messages=messages, **(values | changes))
