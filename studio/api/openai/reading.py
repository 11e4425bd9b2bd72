"""Conversations as OpenAI's two addresses write them, read as ours: turns, pictures, forms of answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from studio.api import asking
from studio.errors import StudioError
from studio.request_parts import Attachment, Message, Role
from studio.tasks.chat.attachments import read_attachment


class Turn(BaseModel):
    """One message: `content` is words, or parts of a `type` each."""

    model_config = asking.OPEN

    role: str
    content: str | list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is said so far.

    Attributes:
        opening: what the answer begins with, where the last turn is the model's own.
    """

    system: str
    messages: tuple[Message, ...]
    opening: str = ""


def conversation(turns: Sequence[Turn], public: bool, system: str = "") -> Conversation:
    """Turns as the studio asks its models. What stands for the system is joined, wherever it stands.

    Raises:
        StudioError: api_cannot for turns of tools and parts that are neither words nor pictures, api_remote, api_data,
            and as pictures are refused.
    """
    told, messages = [system] if system else [], list[Message]()
    for number, turn in enumerate(turns):
        words, files = _parts(turn, f"messages.{number}.content", public)
        if turn.role in ("system", "developer"):
            told.append(words)
        elif turn.role in ("user", "assistant"):
            if turn.role == "assistant" and (turn.model_extra or {}).get("tool_calls"):
                raise StudioError("api_cannot", what="tool_calls")
            role: Role = "user" if turn.role == "user" else "assistant"
            messages.append(Message(role, words, files))
        else:
            raise StudioError("api_cannot", what=f"role {turn.role[:20]}")
    opening = ""
    if len(messages) > 1 and messages[-1].role == "assistant" and messages[-2].role == "user":
        opening = messages.pop().content
    return Conversation("\n\n".join(filter(None, told)), tuple(messages), opening)


def _parts(turn: Turn, field: str, public: bool) -> tuple[str, tuple[Attachment, ...]]:
    if turn.content is None or isinstance(turn.content, str):
        return turn.content or "", ()
    words, files = list[str](), list[Attachment]()
    for part in turn.content:
        kind = str(part.get("type", ""))
        if kind in ("text", "input_text", "output_text", "refusal"):
            words.append(_text(part.get("text", part.get("refusal")), field))
        elif kind in ("image_url", "input_image"):
            given = part.get("image_url")
            given = given.get("url") if isinstance(given, dict) else given
            name = f"picture-{len(files) + 1}"
            files.append(read_attachment(name, asking.data(field, _text(given, field)), public))
        else:
            raise StudioError("api_cannot", what=kind[:40] or "content")
    return "\n".join(words), tuple(files)


def _text(given: object, field: str) -> str:
    if not isinstance(given, str):
        raise StudioError("api_field", field=field, reason="a string is wanted")
    return given


def schema(form: dict[str, Any] | None) -> str:
    """The JSON schema that an answer has to fit, from `response_format` or `text.format`; "" for any answer.

    Raises:
        StudioError: api_cannot for a form that is not known, api_field where it has no schema.
    """
    kind = str((form or {}).get("type", "text"))
    if form is None or kind == "text":
        return ""
    if kind == "json_object":
        return '{"type": "object"}'
    if kind != "json_schema":
        raise StudioError("api_cannot", what=f"response_format {kind[:40]}")
    inner = form.get("json_schema", form)
    wanted = inner.get("schema") if isinstance(inner, dict) else None
    if not isinstance(wanted, dict):
        raise StudioError("api_field", field="response_format.json_schema.schema", reason="an object is wanted")
    return json.dumps(wanted)


def stops(given: str | Iterable[str] | None) -> tuple[str, ...]:
    """Words that end an answer."""
    if given is None:
        return ()
    return tuple(one for one in ([given] if isinstance(given, str) else given) if one)
