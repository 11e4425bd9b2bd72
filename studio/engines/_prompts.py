"""From a chat or code request to what a language model is given to read.

Knows tokenizers of transformers, but no model and no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio.completion import FimFamily, left_to_right
from studio.requests import ChatRequest, CodeRequest

_THOUGHT = re.compile(r"(<think>.*?(</think>\s*|\Z))|(\A(?:(?!<think>).)*</think>\s*)", re.DOTALL)
_PLAIN_STOPS = ("\nUser:", "\nSystem:")


def without_thought(content: str) -> str:
    """An earlier answer without its <think> block, also where its opening or closing mark is missing."""
    return _THOUGHT.sub("", content).lstrip()


def chat(
    tokenizer: Any, request: ChatRequest, options: Mapping[str, Any], keep_thinking: bool = False
) -> tuple[str, tuple[str, ...]]:
    """The conversation as the model was taught to read it, and further strings that end its turn.

    A model without a chat template gets plain lines, ``User: ...`` and ``Assistant: ...``. The template runs in
    transformers' sandbox.

    Args:
        options: further variables of the template.
    """
    turns = [
        {
            "role": message.role,
            "content": message.content if keep_thinking or message.role == "user" else without_thought(message.content),
        }
        for message in request.messages
    ]
    if not tokenizer.chat_template:
        names = {"user": "User", "assistant": "Assistant"}
        lines = [f"{names[turn['role']]}: {turn['content']}" for turn in turns]
        return "\n".join([*([request.system, ""] if request.system else []), *lines, "Assistant:"]), _PLAIN_STOPS

    def render(conversation: list[dict[str, str]]) -> str:
        return tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True, **options)

    if not request.system or not turns:
        return render(turns), ()
    from jinja2 import TemplateError

    try:
        return render([{"role": "system", "content": request.system}, *turns]), ()
    except TemplateError:  # some templates refuse a system turn: its text then opens the first turn
        first = {"role": turns[0]["role"], "content": f"{request.system}\n\n{turns[0]['content']}"}
        return render([first, *turns[1:]]), ()


def code(tokenizer: Any, request: CodeRequest, family: FimFamily | None, room: int) -> tuple[list[int], int]:
    """The prompt's tokens, at most `room`, and how many were cut: what is furthest from the cursor goes first.

    Without a family the text before the cursor is all that the model reads. What looks like a special token in the
    user's text stays text.
    """

    def encode(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids if text else []

    before = encode(request.prefix if family else left_to_right(request.prefix)[0])
    after = encode(request.suffix) if family else []
    opening = tokenizer("").input_ids[:1]
    ids = opening if opening and opening[0] == tokenizer.bos_token_id else []
    room = max(1, room - len(ids) - 3)
    behind = min(len(after), max(room // 4, room - len(before)))
    ahead = min(len(before), room - behind)
    cut = len(before) - ahead + len(after) - behind
    before, after = before[len(before) - ahead :], after[:behind]
    if not family:
        return ids + before, cut
    texts = iter((after, before) if family.suffix_first else (before, after))
    for special, token in family.pieces("", ""):
        ids = ids + ([tokenizer.convert_tokens_to_ids(token)] if special else next(texts))
    return ids, cut
