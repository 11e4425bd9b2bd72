"""A few words made into a full prompt by a chat model: what it is asked, and what of its answer is the prompt."""

from __future__ import annotations

import re

from studio.request_parts import Message
from studio.requests import ChatRequest

LONGEST = 1_000
"""Characters of what comes out; a prompt of more is read by hardly any model."""
_TOKENS = 160
_OPENING = "Prompt:"
"""What every answer begins with: it shuts a model's thoughts, and leaves no room for a greeting."""
_SYSTEM = {
    "en": "You write prompts for a program that paints pictures. Rewrite the idea as one vivid sentence of at most 40 "
    "words. Keep every thing and colour that it names, and add setting, light and style. Answer with the prompt alone.",
    "zh": "你为绘画程序写提示词。把想法改写成一句生动的描述，不超过六十个字。保留其中的每样事物和颜色，"
    "补上环境、光线和风格。只回答提示词。",
}
_EXAMPLE = {
    "en": (
        "Idea: a cat",
        "A ginger cat asleep on a sunny windowsill, soft morning light, dust in the air, warm colours, oil painting",
    ),
    "zh": ("想法：一只猫", "一只橘猫睡在洒满阳光的窗台上，清晨柔和的光，空中有微尘，暖色调，油画"),
}
_IDEA = {"en": "Idea: ", "zh": "想法："}
_TAG = re.compile(r"<[^<>\n]{1,200}>")
_LEAD = re.compile(r"(?i)^\s*(?:prompt|idea|提示词|想法)\s*[:：]\s*")
_QUOTES = "\"'“”‘’「」`*"


def asked(prompt: str, spoken: str = "en") -> ChatRequest:
    """The request to a chat model.

    Args:
        prompt: what a person wrote; tags for adaptations are for the painter and stay out of it.
        spoken: "en", or "zh" for an idea in Chinese that is to stay so.
    """
    idea = " ".join(_TAG.sub(" ", prompt).split())
    before, after = _EXAMPLE[spoken]
    messages = (
        Message("user", before),
        Message("assistant", f"{_OPENING} {after}"),
        Message("user", f"{_IDEA[spoken]}{idea}"),
    )
    return ChatRequest(messages=messages, system=_SYSTEM[spoken], opening=_OPENING, max_tokens=_TOKENS)


def read(answer: str, prompt: str) -> str:
    """The prompt that an answer is, with the tags of the one that was asked about; "" where it says nothing.

    Whole sentences where it was cut off at its last token, without its quotation marks and what it begins with.

    Args:
        answer: without thoughts.
    """
    said = answer.strip()
    said = next(
        (part for part in re.split(r"\n\s*\n|\n(?=(?i:idea|prompt|想法)\b)", said) if _LEAD.sub("", part).strip()), ""
    )
    said = " ".join(_LEAD.sub("", said).split()).strip(_QUOTES + " ")[:LONGEST]
    whole = max(said.rfind(end) for end in ".!。！")
    if whole > len(said) // 2 and said[-1:] not in ".!。！":
        said = said[: whole + 1]
    tags = [tag for tag in _TAG.findall(prompt) if tag not in said]
    return " ".join([said, *tags]) if said else ""
