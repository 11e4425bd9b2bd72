"""Conversations of other programs: what they write out, read as conversations of ours.

Known are ChatGPT's `conversations.json` (also inside the zip that its export is, with the branches of each
conversation), the history files of text-generation-webui, and a bare list of messages as the OpenAI API takes it. Their
forms are not documented; what is read here was learnt from files and from the programs' sources, and anything else in
them is passed over.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from studio.errors import StudioError
from studio.library import chat_file
from studio.tasks.chat.conversation import Chat, Entry, Tail, short

MAX_BYTES = 400_000_000
"""Of a file with many conversations, unpacked."""
MOST = 20_000
_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "model": "assistant"}
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


def read(data: bytes, name: str) -> tuple[Chat, ...]:
    """Every conversation in a file, without ids.

    Raises:
        StudioError: bad_file where there is none in it, chat_newer, file_too_large.
    """
    if data.startswith(b"PK"):
        data = _unpacked(data, name)
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise StudioError("bad_file", path=name, reason="not JSON") from None
    if isinstance(found, dict) and "format" in found:
        return (chat_file.parse(data, name),)
    chats = tuple(chat for chat in _all(found) if chat.messages)[:MOST]
    if not chats:
        raise StudioError("bad_file", path=name, reason="no conversation in it")
    return chats


def _unpacked(data: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            inside = [one for one in packed.infolist() if one.filename.rpartition("/")[2] == "conversations.json"]
            if not inside:
                raise StudioError("bad_file", path=name, reason="no conversations.json in it")
            with packed.open(inside[0]) as file:
                unpacked = file.read(MAX_BYTES + 1)
    except _BROKEN as error:
        raise StudioError("bad_file", path=name, reason=str(error) or "not a zip") from None
    if len(unpacked) > MAX_BYTES:
        raise StudioError("file_too_large", size=f"over {MAX_BYTES // 10**6} MB", limit=f"{MAX_BYTES // 10**6} MB")
    return unpacked


def _all(found: Any) -> Iterable[Chat]:
    if isinstance(found, list) and found and all(isinstance(one, dict) and "role" in one for one in found):
        yield _listed(found, {})
        return
    for one in found if isinstance(found, list) else [found]:
        if not isinstance(one, dict):
            continue
        if isinstance(one.get("mapping"), dict):
            yield _tree(one, one["mapping"])
        elif isinstance(one.get("internal"), list):
            yield _pairs(one)
        elif isinstance(one.get("messages"), list):
            yield _listed(one["messages"], one)


def _tree(whole: Mapping[str, Any], nodes: Mapping[str, Any]) -> Chat:
    """ChatGPT: every message is a node of a tree, and one leaf is what was shown last."""
    path, at = list[str](), whole.get("current_node")
    while isinstance(at, str) and at in nodes and at not in path:
        path.append(at)
        at = _dict(nodes[at]).get("parent")
    path.reverse()
    messages, former = list[Entry](), list[Tail]()
    for place, id in enumerate(path):
        entry = _node(nodes[id])
        if entry is None:
            continue
        for other in _children(nodes, path[place - 1]) if place else ():
            said = _down(nodes, other) if other != id else ()
            if said:
                former.append(Tail(len(messages), said))
        messages.append(entry)
    return Chat(
        id="", title=short(_text(whole.get("title"))), updated=_time(whole.get("update_time")),
        messages=tuple(messages), former=tuple(former),
    )  # fmt: skip


def _down(nodes: Mapping[str, Any], id: str) -> tuple[Entry, ...]:
    """What was said from a node on, by the newest answer to each."""
    said, seen = list[Entry](), set[str]()
    while id in nodes and id not in seen:
        seen.add(id)
        if (entry := _node(nodes[id])) is not None:
            said.append(entry)
        id = (_children(nodes, id) or [""])[-1]
    return tuple(said)


def _children(nodes: Mapping[str, Any], id: str) -> list[str]:
    children = _dict(nodes.get(id)).get("children")
    return [one for one in children if isinstance(one, str)] if isinstance(children, list) else []


def _node(node: object) -> Entry | None:
    message = _dict(_dict(node).get("message"))
    if _dict(message.get("metadata")).get("is_visually_hidden_from_conversation"):
        return None
    return _entry(_dict(message.get("author")).get("role"), message.get("content"), message.get("create_time"))


def _pairs(whole: Mapping[str, Any]) -> Chat:
    """text-generation-webui: a list of (question, answer)."""
    messages = list[Entry]()
    for pair in whole["internal"]:
        for role, said in zip(("user", "assistant"), pair if isinstance(pair, list) else (), strict=False):
            if said != "<|BEGIN-VISIBLE-CHAT|>" and (entry := _entry(role, said, None)) is not None:
                messages.append(entry)
    return Chat(id="", messages=tuple(messages))


def _listed(said: list[Any], whole: Mapping[str, Any]) -> Chat:
    found = [(one, _entry(one.get("role"), one.get("content"), None)) for one in said if isinstance(one, dict)]
    system = next((_words(one.get("content")) for one, _ in found if one.get("role") == "system"), "")
    messages = tuple(entry for _, entry in found if entry is not None)
    return Chat(id="", title=short(_text(whole.get("title"))), system=system, messages=messages)


def _entry(role: object, content: object, time: object) -> Entry | None:
    kind, words = _ROLES.get(str(role)), _words(content)
    return Entry(kind, words, _time(time)) if kind and words.strip() else None  # pyright: ignore[reportArgumentType]


def _words(content: object) -> str:
    """The text of a message: a string, or parts of which some may be pictures."""
    if isinstance(content, dict):
        content = content.get("parts", content.get("text", ""))
    if isinstance(content, list):
        texts = [one if isinstance(one, str) else _text(_dict(one).get("text")) for one in content]
        content = "\n\n".join(text for text in texts if text)
    # half a character can be read, but neither shown nor written
    return _text(content).encode("utf-8", "replace").decode()


def _time(seconds: object) -> str:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
