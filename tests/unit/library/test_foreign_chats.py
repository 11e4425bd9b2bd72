"""Conversations of other programs, in the forms in which those programs write them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from studio.errors import StudioError
from studio.library import foreign_chats


def node(id: str, parent: str | None, role: str, *parts: Any, children: tuple[str, ...] = ()) -> dict[str, Any]:
    content = {"content_type": "text", "parts": [*parts]}
    message = {"author": {"role": role}, "create_time": 1_700_000_000.5, "content": content}
    return {"id": id, "message": message, "parent": parent, "children": [*children]}


CHATGPT = {
    "title": "Lighthouses", "update_time": 1_700_000_500.0, "current_node": "a2",
    "mapping": {
        "root": {"id": "root", "message": None, "parent": None, "children": ["s"]},
        "s": node("s", "root", "system", "", children=("q1",)),
        "q1": node("q1", "s", "user", "What is a lighthouse?", children=("a1", "a1b")),
        "a1": node("a1", "q1", "assistant", "A tower.", children=("q2",)),
        "a1b": node("a1b", "q1", "assistant", "A tower with a light.", children=("t",)),
        "t": node("t", "a1b", "tool", "searching", children=("q2b",)),
        "q2b": node("q2b", "t", "user", "Who built it?"),
        "q2": node("q2", "a1", "user", {"content_type": "image_asset_pointer"}, "And this?", children=("a2",)),
        "a2": node("a2", "q2", "assistant", "A ship."),
    },
}  # fmt: skip


def test_the_shown_branch_is_the_conversation_and_the_others_its_versions() -> None:
    (chat,) = foreign_chats.read(json.dumps([CHATGPT]).encode(), "conversations.json")
    assert [(entry.role[0], entry.content) for entry in chat.messages] == [
        ("u", "What is a lighthouse?"), ("a", "A tower."), ("u", "And this?"), ("a", "A ship."),
    ]  # fmt: skip
    assert (chat.title, chat.updated) == ("Lighthouses", "2023-11-14T22:21:40+00:00")
    assert chat.versions(1) == (2, 2)
    assert [entry.content for entry in chat.turned(1, -1).messages] == [
        "What is a lighthouse?", "A tower with a light.", "Who built it?",
    ]  # fmt: skip


def test_the_zip_of_an_export_is_read() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("export/conversations.json", json.dumps([CHATGPT, CHATGPT]))
        archive.writestr("export/chat.html", "<html>")
    assert len(foreign_chats.read(packed.getvalue(), "export.zip")) == 2


def test_a_tree_that_bites_its_tail_comes_to_an_end() -> None:
    ring = {"a": node("a", "b", "user", "x", children=("b",)), "b": node("b", "a", "assistant", "y", children=("a",))}
    (chat,) = foreign_chats.read(json.dumps({"mapping": ring, "current_node": "b"}).encode(), "ring.json")
    assert [entry.content for entry in chat.messages] == ["x", "y"]


def test_a_history_of_textgen_is_read() -> None:
    history = {"internal": [["<|BEGIN-VISIBLE-CHAT|>", "How can I help?"], ["Hi", "Hello"]], "visible": [["", "x"]]}
    (chat,) = foreign_chats.read(json.dumps(history).encode(), "history.json")
    assert [(entry.role[0], entry.content) for entry in chat.messages] == [
        ("a", "How can I help?"), ("u", "Hi"), ("a", "Hello"),
    ]  # fmt: skip


@pytest.mark.parametrize("whole", [False, True])
def test_a_list_of_messages_is_read(whole: bool) -> None:
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": "Hello"},
    ]
    (chat,) = foreign_chats.read(json.dumps({"messages": said} if whole else said).encode(), "m.json")
    assert (chat.system, [entry.content for entry in chat.messages]) == ("Be brief.", ["Hi", "Hello"])


def test_half_a_character_does_not_break_what_is_written() -> None:
    (chat,) = foreign_chats.read(b'[{"role": "user", "content": "a\\ud800b"}]', "m.json")
    assert chat.messages[0].content.encode() == b"a?b"


def test_a_zip_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_chats, "MAX_BYTES", 1000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", " " * 100_000)
    with pytest.raises(StudioError) as caught:
        foreign_chats.read(packed.getvalue(), "bomb.zip")
    assert caught.value.code == "file_too_large"
