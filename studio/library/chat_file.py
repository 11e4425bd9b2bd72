"""The file of a conversation: JSON that a person can read, copy and mend. From a conversation and back.

What a list shows stands in the first lines. Fields that this version does not know are kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from studio.errors import StudioError
from studio.recipes import ai_marks, explicit_label
from studio.recipes.explicit_label import UNMARKED, Marking
from studio.request_parts import Attachment
from studio.tasks.chat.conversation import Chat, Entry, Note, Tail

FORMAT = "atelier-chat/1"
MAX_BYTES = 20_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"atelier-chat/(\d{1,6})")
_KNOWN = frozenset(
    {"format", "shown_title", "updated", "pinned", "title", "model", "system", "parameters", "messages", "former"}
)
_KNOWN_OF_ENTRY = frozenset({"role", "content", "time", "recipe", "finish", "notes", "error", "files"})
_KEY = re.compile(r"[a-z0-9_.]{1,60}")
_DEEPEST = 200


def dump(chat: Chat, most: int = 0) -> str:
    """The text of a conversation's file, of at most so many bytes; 0 for MAX_BYTES.

    Raises:
        StudioError: bad_file where no file can hold it, chat_full where it would be larger than one that is read.
    """
    whole = {
        "format": FORMAT,
        "shown_title": chat.shown_title,  # these lines are all that a list reads
        "updated": chat.updated,
        **({"pinned": True} if chat.pinned else {}),
        "title": chat.title,
        "model": chat.model,
        "system": chat.system,
        "parameters": dict(chat.parameters),
        **{key: value for key, value in chat.extra.items() if key not in _KNOWN},
        "messages": [_kept(entry) for entry in chat.messages],
        **({"former": [_kept_tail(tail) for tail in chat.former]} if chat.former else {}),
    }
    try:
        text = json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise StudioError("bad_file", path=f"{chat.id}.json", reason=str(error)) from None
    if size > (most := most or MAX_BYTES):
        raise StudioError("chat_full", limit=f"{most // 10**6} MB")
    return text


def parse(data: bytes, name: str) -> Chat:
    """A conversation without its id; what a hand left out is filled, what makes no sense is refused.

    Raises:
        StudioError: bad_file, or chat_newer where a newer version wrote it.
    """
    try:
        found = json.loads(data.decode("utf-8-sig"))
        if b"\\ud" in data or b"\\uD" in data:  # half a character can be read, but neither shown nor written
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise StudioError("bad_file", path=name, reason="half a character") from None
    except (ValueError, RecursionError):
        raise StudioError("bad_file", path=name, reason="not JSON") from None
    version = _VERSION.fullmatch(str(found.get("format", ""))) if isinstance(found, dict) else None
    if version is None:
        raise StudioError("bad_file", path=name, reason="not a conversation of this studio")
    if int(version[1]) > int(FORMAT.partition("/")[2]):
        raise StudioError("chat_newer", path=name)
    messages, parameters = found.get("messages"), found.get("parameters", {})
    if not isinstance(messages, list) or not isinstance(parameters, dict):
        raise StudioError("bad_file", path=name, reason="messages are missing")
    return Chat(
        id="",
        parameters=parameters,
        messages=_entries(messages, name),
        pinned=found.get("pinned") is True,
        former=_tails(found.get("former", []), name, len(messages)),
        extra={key: value for key, value in found.items() if key not in _KNOWN},
        **{key: _text(found.get(key)) for key in ("title", "updated", "system", "model")},
    )


def markdown(chat: Chat, marking: Marking = UNMARKED) -> str:
    """A conversation for people to read: title, model, system prompt, one heading a message.

    Args:
        marking: how it is marked where a model spoke in it: at its head (studio.recipes.ai_marks), and to be seen.
    """
    parts = [f"# {chat.shown_title or 'Conversation'}"]
    if chat.model:
        parts.append(f"*{chat.model}*")
    if chat.system:
        parts.append("\n".join(f"> {line}".rstrip() for line in chat.system.splitlines()))
    for entry in chat.messages:
        parts.append(f"## {'You' if entry.role == 'user' else 'Assistant'}")
        parts += [f"*{one.name}*" for one in entry.files]
        parts.append(entry.content.strip())
    answered = any(entry.role == "assistant" for entry in chat.messages)
    if answered and marking.label:
        parts.insert(1, f"**{explicit_label.words(marking.label)}**")
    told = {"producer": marking.producer, "chat": chat.id, "text": parts}
    label = ai_marks.front_matter(told) if answered else ""
    return label + "\n\n".join(parts) + "\n"


def files_of(chat: Chat) -> tuple[Attachment, ...]:
    """Everything that came along in a conversation, in earlier versions too."""

    def within(messages: tuple[Entry, ...], former: tuple[Tail, ...]) -> Iterator[Attachment]:
        for entry in messages:
            yield from entry.files
        for tail in former:
            yield from within(tail.messages, tail.former)

    return tuple(within(chat.messages, chat.former))


def with_files(chat: Chat, change: Callable[[Attachment], Attachment]) -> Chat:
    """The conversation with each of these as `change` has it."""

    def changed(messages: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return tuple(
            replace(entry, files=tuple(map(change, entry.files))) if entry.files else entry for entry in messages
        )

    def turned(former: tuple[Tail, ...]) -> tuple[Tail, ...]:
        return tuple(replace(tail, messages=changed(tail.messages), former=turned(tail.former)) for tail in former)

    return replace(chat, messages=changed(chat.messages), former=turned(chat.former))


def _kept(entry: Entry) -> dict[str, Any]:
    kept: dict[str, Any] = {"role": entry.role, "content": entry.content}
    kept |= {key: value for key in ("time", "finish") if (value := getattr(entry, key))}
    if entry.files:
        kept["files"] = [_kept_file(one) for one in entry.files]
    if entry.notes:
        kept["notes"] = [_kept_note(note) for note in entry.notes]
    if entry.error is not None:
        kept["error"] = _kept_note(entry.error)
    if entry.recipe is not None:
        kept["recipe"] = dict(entry.recipe)
    return kept | {key: value for key, value in entry.extra.items() if key not in _KNOWN_OF_ENTRY}


def _kept_file(one: Attachment) -> dict[str, Any]:
    """A file by its hash; its bytes only where the conversation leaves this machine."""
    kept = {"name": one.name, "sha256": one.sha256, "bytes": one.size, "picture": one.picture}
    return {**kept, "data": base64.b64encode(one.data).decode()} if one.data else kept


def _kept_note(note: Note) -> list[Any]:
    return [note[0], dict(note[1])]


def _kept_tail(tail: Tail) -> dict[str, Any]:
    inner = {"former": [_kept_tail(one) for one in tail.former]} if tail.former else {}
    later = {"later": True} if tail.later else {}
    return {"at": tail.at, **later, "messages": [_kept(entry) for entry in tail.messages], **inner}


def _entries(messages: list[object], name: str) -> tuple[Entry, ...]:
    return tuple(_entry(message, number, name) for number, message in enumerate(messages, 1))


def _entry(message: object, number: int, name: str) -> Entry:
    if (
        not isinstance(message, dict)
        or message.get("role") not in ("user", "assistant")
        or not isinstance(message.get("content"), str)
    ):
        raise StudioError("bad_file", path=name, reason=f"message {number} has no role or no text")
    recipe, notes = message.get("recipe"), message.get("notes")
    return Entry(
        message["role"], message["content"], _text(message.get("time")),
        recipe if isinstance(recipe, dict) else None,
        _text(message.get("finish")),
        tuple(note for each in notes if (note := _note(each))) if isinstance(notes, list) else (),
        _note(message.get("error")),
        {key: value for key, value in message.items() if key not in _KNOWN_OF_ENTRY},
        _files(message.get("files")),
    )  # fmt: skip


def _files(found: object) -> tuple[Attachment, ...]:
    """What came along. Bytes that are none, or not those that the hash names, are left out."""
    return tuple(one for each in found if (one := _file(each))) if isinstance(found, list) else ()


def _file(found: object) -> Attachment | None:
    match found:
        case {"name": str(name), "sha256": str(sha256), "bytes": int(size), **more} if _SHA256.fullmatch(sha256):
            try:
                data = base64.b64decode(_text(more.get("data")), validate=True)
            except ValueError:
                data = b""
            data = data if hashlib.sha256(data).hexdigest() == sha256 else b""
            return Attachment(name, sha256, len(data) or size, more.get("picture") is True, data)
    return None


def _note(found: object) -> Note | None:
    match found:
        case [str(key), dict(parameters)] if _KEY.fullmatch(key):  # what is no key would be filled in as a text
            return key, {str(name): value for name, value in parameters.items() if isinstance(value, str | int | float)}
    return None


def _tails(found: object, name: str, most: int, depth: int = 0) -> tuple[Tail, ...]:
    """What had been replaced. A place that the conversation does not have would make a button that does nothing."""
    tails: list[Tail] = []
    for each in found if isinstance(found, list) else ():
        at, messages = (each.get("at"), each.get("messages")) if isinstance(each, Mapping) else (None, None)
        if type(at) is not int or not isinstance(messages, list) or not messages or depth > _DEEPEST:
            raise StudioError("bad_file", path=name, reason="what was replaced has no place or no messages")
        inner = _tails(each.get("former", []), name, at + len(messages), depth + 1)
        tails.append(Tail(min(max(at, 0), most), _entries(messages, name), inner, each.get("later") is True))
    return tuple(tails)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
