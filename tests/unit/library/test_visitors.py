"""Conversations that visitors' browsers keep: what both sides have, made the same; what comes back is a stranger's."""

import base64
import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.library import chat_file, visitors
from studio.library.chats import Chats, Entry
from studio.library.visitors import Room, compare, take_in
from studio.tasks.chat.conversation import Chat


@pytest.fixture
def store(tmp_path: Path) -> Chats:
    return Chats(tmp_path / "visitor")


def said(store: Chats, words: str) -> Chat:
    return store.save(store.new().replaced(0, Entry("user", words)))


def have(store: Chats) -> dict[str, str]:
    return {one.id: one.stamp for one in compare(store, {}).changed}


def whole(**more: Any) -> dict[str, Any]:
    return {"format": chat_file.FORMAT, "title": "T", "messages": [{"role": "user", "content": "Hi"}], **more}


def attached(data: bytes, name: str = "cat.png", *, picture: bool = True) -> dict[str, Any]:
    packed = base64.b64encode(data).decode()
    return {
        "name": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "picture": picture,
        "data": packed,
    }  # fmt: skip


def png(side: int = 9) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(out, "PNG")
    return out.getvalue()


def test_what_changed_goes_to_the_browser_once(store: Chats) -> None:
    first, second = said(store, "one"), said(store, "two")
    found = compare(store, {})
    assert {one.title: json.loads(one.file)["messages"][0]["content"] for one in found.changed} == {
        "one": "one", "two": "two",
    }  # fmt: skip
    known = have(store)
    assert compare(store, known).changed == ()
    store.rename(first.id, "The heron")
    store.pin(second.id)
    assert {one.title for one in compare(store, known).changed} == {"The heron", "two"}


def test_what_was_deleted_is_forgotten_and_what_the_studio_lost_is_missed(store: Chats) -> None:
    chat, gone = said(store, "one"), "a" * 16
    known = have(store) | {gone: "x"}
    store.delete(chat.id)
    found = compare(store, known)
    assert (found.gone, found.missing) == ((chat.id,), (gone,))
    store.restore(chat.id)
    assert compare(store, {}).changed[0].id == chat.id


def test_what_comes_back_is_as_it_was(store: Chats, tmp_path: Path) -> None:
    chat = store.pin(said(store, "one").id)
    (kept,) = compare(store, {}).changed
    other = Chats(tmp_path / "restarted")
    assert take_in(other, kept.id, kept.file)
    assert other.load(chat.id) == store.load(chat.id)
    other.rename(chat.id, "Newer")
    assert take_in(other, kept.id, kept.file)  # what is here stays
    assert other.load(chat.id).title == "Newer"


def test_the_oldest_go_and_what_is_pinned_goes_last(store: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    chats = [said(store, word) for word in ("pinned", "old", "new", "newest")]
    store.pin(chats[0].id)
    known = have(store)
    monkeypatch.setattr(visitors, "MOST", 2)
    found = compare(store, known)
    assert found.left_out == ("old", "new")
    assert set(found.gone) == {chats[1].id, chats[2].id}
    assert {info.title for info in store.list()} == {"pinned", "newest"}
    assert store.deleted() == frozenset()
    assert compare(store, known).left_out == ()
    monkeypatch.setattr(visitors, "MOST", 9)
    monkeypatch.setattr(visitors, "MOST_BYTES", 10)
    assert compare(store, known).left_out == ("newest",)  # what is pinned stands first, and one always stays


def test_files_count_and_what_is_too_large_is_not_kept(store: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = whole(messages=[{"role": "user", "content": "See", "files": [attached(png())]}])
    assert take_in(store, "a" * 16, json.dumps(chat))
    assert store.nbytes("a" * 16) > len(png())
    monkeypatch.setattr(visitors, "ONE_BYTES", 50)
    (kept,) = compare(store, {}).changed
    assert kept.file == ""
    assert not take_in(store, "b" * 16, json.dumps(whole()))


def test_many_go_in_several_answers(store: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "ANSWER_BYTES", 1)
    for word in ("one", "two", "three"):
        said(store, word)
    known, rounds = dict[str, str](), 0
    while rounds < 9:
        found = compare(store, known)
        known |= {one.id: one.stamp for one in found.changed}
        rounds += 1
        if not found.more:
            break
    assert (rounds, len(known)) == (3, 3)


@pytest.mark.parametrize(
    "file",
    ["", "no JSON", "[]", json.dumps({"messages": []}), json.dumps(whole(messages=3)), json.dumps(whole(messages=[3])),
     json.dumps(whole(format="atelier-chat/99")), "[" * 100_000,
     '{"format": "atelier-chat/1", "messages": [], "title": "\\ud83d"}'],
)  # fmt: skip
def test_what_is_no_conversation_is_refused(store: Chats, file: str) -> None:
    assert not take_in(store, "a" * 16, file)
    assert store.list() == ()


@pytest.mark.parametrize("id", ["", "../../x", "A" * 16, "a" * 17, "a" * 15 + "/", "a" * 16 + "\n"])
def test_what_is_no_id_is_refused(store: Chats, id: str, tmp_path: Path) -> None:
    assert not take_in(store, id, json.dumps(whole()))
    assert not list(tmp_path.rglob("*.json"))


def test_what_it_holds_is_made_harmless(store: Chats) -> None:
    bad = [
        attached(b"no picture"), attached(png(), picture=False), attached(b"%PDF-1.4 x", "a.pdf", picture=False),
        attached(b"\x89PNG\r\n\x1a\n" + bytes(99)), attached(png(5), "good.png"),
    ]  # fmt: skip
    hostile = whole(
        title="T" * 9000, updated="<b>", extra={"a": 1}, parameters={"temperature": "x"},
        messages=[{"role": "user", "content": "Hi", "files": bad, "notes": [["{a:>999999999999}", {"a": 1}]],
                   "error": ["{a.__class__}", {}]}],
    )  # fmt: skip
    assert take_in(store, "a" * 16, json.dumps(hostile))
    chat = store.load("a" * 16)
    assert len(chat.title) <= 60
    assert (chat.extra, chat.messages[0].notes, chat.messages[0].error) == ({}, (), None)
    time.strptime(chat.updated[:10], "%Y-%m-%d")
    assert [one.name for one in chat.messages[0].files if store.attachment(chat.id, one)] == ["good.png"]


def test_no_more_is_taken_in_than_a_visitor_may_have(store: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "MOST", 2)
    assert [take_in(store, letter * 16, json.dumps(whole())) for letter in "abc"] == [True, True, False]
    monkeypatch.setattr(visitors, "MOST", 9)
    monkeypatch.setattr(visitors, "MOST_BYTES", 10)
    assert not take_in(store, "d" * 16, json.dumps(whole()))


def test_the_room_of_all_strangers_is_looked_at_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "ROOM", 100)
    room = Room(tmp_path)
    room.require()
    (tmp_path / "x").write_bytes(bytes(101))
    room.require()
    monkeypatch.setattr(visitors, "LOOK_SECONDS", 0.0)
    with pytest.raises(StudioError) as refused:
        Room(tmp_path).require()
    assert refused.value.code == "strangers_full"


def test_a_time_to_come_does_not_break_the_list(store: Chats) -> None:
    assert take_in(store, "a" * 16, json.dumps(whole(updated="9999-12-31T23:59:59+00:00")))
    assert store.list()[0].updated.startswith("9999")
