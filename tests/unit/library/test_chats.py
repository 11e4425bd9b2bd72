"""Conversations are readable files that survive bad disks, bad hands and two writers."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio import paths
from studio.errors import StudioError
from studio.library import chat_search
from studio.library.chats import Chats
from studio.tasks.chat.conversation import Chat, Entry


@pytest.fixture
def chats(tmp_path: Path) -> Chats:
    folder = tmp_path / "chats"
    folder.mkdir()
    return Chats(folder)


def talk(chats: Chats, *contents: str, **more: Any) -> Chat:
    roles = ("user", "assistant")
    entries = tuple(Entry(roles[index % 2], content) for index, content in enumerate(contents))  # type: ignore[arg-type]
    return chats.save(replace(chats.new(), messages=entries, **more))


def folder_of(chats: Chats) -> Path:
    return chats._folder


def test_a_new_conversation_is_not_on_disk_before_it_is_saved(chats: Chats) -> None:
    chat = chats.new(system="Be brief.", model="m", parameters={"temperature": 0.2})
    assert (chat.system, chat.model, chat.parameters, chat.messages) == ("Be brief.", "m", {"temperature": 0.2}, ())
    assert chats.list() == ()
    assert chats.new().id != chat.id


def test_a_conversation_comes_back_as_it_was_saved(chats: Chats) -> None:
    entries = (
        Entry("user", "Grüße, 世界 🌲\n```py\n\tx\n```", time="2026-01-31T12:00:00+00:00"),
        Entry("assistant", "Hi", recipe={"seed": 7, "model": {"id": "m"}}),
    )
    saved = chats.save(replace(chats.new(system="s", model="m", parameters={"top_k": 5}), messages=entries))
    assert chats.load(saved.id) == saved
    assert [message.content for message in saved.as_messages()] == [entry.content for entry in entries]


def test_the_file_is_json_that_a_person_can_read(chats: Chats) -> None:
    chat = talk(chats, "世界 first", "answer")
    text = (folder_of(chats) / f"{chat.id}.json").read_text(encoding="utf-8")
    assert "世界 first" in text
    assert text.count("\n") > 10
    assert json.loads(text)["messages"][1] == {"role": "assistant", "content": "answer"}


def test_the_title_is_the_first_message_until_the_conversation_is_renamed(chats: Chats) -> None:
    chat = talk(chats, "  What is\n\n the capital of France?  ", "Paris")
    assert chats.list()[0].title == "What is the capital of France?"
    chats.rename(chat.id, "  Capitals ")
    assert chats.list()[0].title == "Capitals"
    assert chats.load(chat.id).messages == chat.messages
    chats.rename(chat.id, "")
    assert chats.list()[0].title == "What is the capital of France?"


def test_a_long_first_message_is_cut_in_the_title(chats: Chats) -> None:
    talk(chats, "word " * 10_000)
    title = chats.list()[0].title
    assert len(title) <= 60
    assert title.endswith("…")


def test_the_list_has_the_last_saved_first(chats: Chats) -> None:
    first, second = talk(chats, "one"), talk(chats, "two")
    assert [info.id for info in chats.list()] == [second.id, first.id]
    chats.save(chats.load(first.id))
    assert [info.id for info in chats.list()] == [first.id, second.id]


def test_a_thousand_long_conversations_are_listed_without_being_read(
    chats: Chats, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = talk(chats, "hello", "x" * 100_000)
    text = (folder_of(chats) / f"{chat.id}.json").read_bytes()
    for number in range(999):
        (folder_of(chats) / f"{number:016x}.json").write_bytes(text)
    monkeypatch.setattr(Chats, "load", lambda *_: pytest.fail("read a whole conversation"))
    start = time.thread_time()
    assert len(chats.list()) == 1_000
    assert time.thread_time() - start < 1


def test_of_many_that_are_searched_letter_by_letter_only_what_was_written_is_read_again(
    chats: Chats, monkeypatch: pytest.MonkeyPatch
) -> None:
    heron, other = talk(chats, "The heron"), talk(chats, "A fox")
    assert [info.id for info in chats.search("her")] == [heron.id]
    read, load = list[str](), Chats.load
    monkeypatch.setattr(Chats, "load", lambda self, id: read.append(id) or load(self, id))
    assert [info.id for info in chats.search("HERO")] == [heron.id]
    assert read == []
    chats.rename(other.id, "A heron as well")
    read.clear()
    assert {info.id for info in chats.search("heron")} == {heron.id, other.id}
    assert read == [other.id]
    chats.delete(heron.id)
    assert [info.id for info in chats.search("heron")] == [other.id]


def test_what_is_remembered_for_a_search_is_bounded(chats: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_search, "LETTERS", 50)
    talk(chats, "one " + "x" * 40), talk(chats, "two " + "x" * 40)
    assert len(chats.search("x")) == 2
    assert len(chats.search("one")) == 1
    assert chats._texts._letters <= 50


def test_a_file_that_was_rewritten_by_hand_is_still_listed(chats: Chats) -> None:
    chat = talk(chats, "hello", "hi")
    path = folder_of(chats) / f"{chat.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert chats.list()[0].title == "hello"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "by hand"}], "format": "atelier-chat/1"}))
    assert chats.list()[0].title == "by hand"
    assert chats.load(chat.id).messages == (Entry("user", "by hand"),)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"format": "atelier-chat/1"}',
        b'{"format": "atelier-chat/1", "messages": {}}',
        b'{"format": "atelier-chat/1", "messages": [1]}',
        b'{"format": "atelier-chat/1", "messages": [{"role": "system", "content": "x"}]}',
        b'{"format": "atelier-chat/1", "messages": [{"role": "user", "content": 1}]}',
        b'{"format": "atelier-chat/1", "messages": [], "parameters": []}',
        b'{"format": "other", "messages": []}',
    ],
)
def test_a_broken_file_is_reported_and_the_others_are_listed(
    chats: Chats, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    good = talk(chats, "hello")
    (folder_of(chats) / f"{'0' * 16}.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert [info.id for info in chats.list()] == [good.id]
    assert "0000000000000000.json" in caplog.text
    assert [info.id for info in chats.search("hello")] == [good.id]
    assert (folder_of(chats) / f"{'0' * 16}.json.damaged").read_bytes() == content
    assert [error.code for error in chats.unread()] == ["chat_aside"]
    assert "0000000000000000.json.damaged" in str(chats.unread()[0])


@pytest.mark.parametrize(
    "id",
    ["", ".", "..", "../secret", "/etc/passwd", "a" * 16 + "/..", "A" * 16, "x" * 16, "0" * 16 + "\n", "0" * 17, None],
)
def test_only_an_id_of_ours_becomes_a_path(chats: Chats, tmp_path: Path, id: Any) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    for act in (chats.load, chats.delete, chats.export_markdown, lambda id: chats.rename(id, "x")):
        with pytest.raises(StudioError) as caught:
            act(id)
        assert caught.value.code == "unknown_chat"
    with pytest.raises(StudioError):
        chats.save(Chat(id=id))
    assert secret.read_text() == "{}"
    assert list(folder_of(chats).iterdir()) == []


def test_what_was_deleted_comes_back_as_it_was_and_not_after_a_month(chats: Chats) -> None:
    chat, other = talk(chats, "hello"), talk(chats, "other")
    chats.delete(chat.id)
    assert [info.id for info in chats.list()] == [other.id]
    chats.restore(chat.id)
    chats.restore(chat.id)
    assert chats.load(chat.id) == chat
    chats.delete(chat.id)
    (kept,) = (folder_of(chats) / ".trash").iterdir()
    os.utime(kept, (0, 0))
    chats.delete(other.id)
    with pytest.raises(StudioError) as caught:
        chats.restore(chat.id)
    assert caught.value.code == "unknown_chat"
    chats.restore(other.id)


def test_a_pinned_conversation_stands_first_and_keeps_its_time(chats: Chats) -> None:
    first, second = talk(chats, "first"), talk(chats, "second")
    chats.pin(first.id)
    assert [(info.id, info.pinned) for info in chats.list()] == [(first.id, True), (second.id, False)]
    assert chats.load(first.id).updated == first.updated
    chats.pin(first.id)
    assert [info.id for info in chats.list()] == [second.id, first.id]


def test_all_are_written_out_and_read_again(chats: Chats) -> None:
    for title in ("A/B: c", "A/B: c", "\u4f60\u597d"):
        talk(chats, "hello", title=title)
    with zipfile.ZipFile(io.BytesIO(chats.export_all())) as packed:
        names = packed.namelist()
        found = [chats.import_file(packed.read(name), name)[0].title for name in names]
    assert len(set(names)) == 3
    assert not any("/" in name or "\\" in name for name in names)
    assert sorted(found) == ["A/B: c", "A/B: c", "\u4f60\u597d"]


def test_a_conversation_that_is_gone_says_so_and_can_be_deleted_again(chats: Chats) -> None:
    chat = talk(chats, "hello")
    chats.delete(chat.id)
    chats.delete(chat.id)
    assert chats.list() == ()
    with pytest.raises(StudioError) as caught:
        chats.load(chat.id)
    assert caught.value.code == "unknown_chat"


def test_search_finds_every_word_in_title_and_messages_in_any_case(chats: Chats) -> None:
    france = talk(chats, "What is the capital of France?", "PARIS, of course. STRAẞE")
    talk(chats, "What is the capital of Spain?", "Madrid")
    named = talk(chats, "hello", title="Notes on Paris")
    assert {info.id for info in chats.search("paris")} == {france.id, named.id}
    assert [info.id for info in chats.search("capital paris")] == [france.id]
    assert [info.id for info in chats.search("strasse")] == [france.id]
    assert chats.search("Lisbon") == ()
    assert len(chats.search("  ")) == 3


def test_markdown_has_title_system_prompt_and_both_voices(chats: Chats) -> None:
    chat = talk(
        chats, "Hello", "# Not a title\n\n```py\nx = 1\n```\n", title="My talk", system="Be brief.\nBe kind.", model="m"
    )
    label, _, text = chats.export_markdown(chat.id).partition("\n---\n\n")
    assert label.startswith("---\nAIGC:\n")
    assert text == (
        "# My talk\n\n*m*\n\n> Be brief.\n> Be kind.\n\n## You\n\nHello\n\n## Assistant\n\n"
        "# Not a title\n\n```py\nx = 1\n```\n"
    )


def test_an_exported_conversation_can_be_imported_under_a_new_id(chats: Chats) -> None:
    chat = talk(chats, "Hello", "Hi", title="T", system="s", model="m", parameters={"top_k": 5})
    (copy,) = chats.import_file(chats.export_json(chat.id).encode(), "t.json")
    assert copy.id != chat.id
    assert replace(copy, id=chat.id) == chat
    assert len(chats.list()) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"{}", b"[]", b"3", b"[" * 100_000, b"PK\x03\x04 no zip",
        b'{"mapping": {"a": 1}, "current_node": "a"}',
        b'{"internal": [3, [""], [[]]]}', b'{"messages": ["x", {"role": 1}]}', b'[{"role": "tool", "content": "x"}]',
        b'{"format": "atelier-chat/1", "messages": ["x"]}',
    ],
)  # fmt: skip
def test_what_is_not_a_conversation_is_not_imported(chats: Chats, data: bytes) -> None:
    with pytest.raises(StudioError) as caught:
        chats.import_file(data, "t.json")
    assert caught.value.code == "bad_file"
    assert chats.list() == ()


def test_an_import_that_is_too_large_is_refused(chats: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.library.foreign_chats.MAX_BYTES", 1000)
    with pytest.raises(StudioError) as caught:
        chats.import_file(b" " * 1001, "t.json")
    assert caught.value.code == "file_too_large"


def test_an_id_inside_an_imported_file_is_not_trusted(chats: Chats) -> None:
    chat = talk(chats, "precious")
    chats.import_file(json.dumps({"format": "atelier-chat/1", "id": chat.id, "messages": []}).encode(), "t.json")
    assert chats.load(chat.id).messages[0].content == "precious"


@pytest.mark.parametrize("step", ["mkstemp", "write_bytes", "fsync", "replace"])
def test_a_full_disk_keeps_the_older_state(chats: Chats, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    chat = talk(chats, "hello", "hi")
    owner: Any = {"mkstemp": paths.tempfile, "write_bytes": Path, "fsync": paths.os, "replace": paths.os}[step]

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(owner, step, full)
    with pytest.raises(StudioError) as caught:
        chats.save(replace(chat, messages=(*chat.messages, Entry("user", "more"))))
    monkeypatch.undo()
    assert caught.value.code == "disk_full"
    assert chats.load(chat.id) == chat
    assert [path.name for path in folder_of(chats).iterdir()] == [f"{chat.id}.json"]


def test_text_that_no_file_takes_is_refused_and_keeps_the_older_state(chats: Chats) -> None:
    chat = talk(chats, "hello")
    for broken in (Entry("user", "half \ud83d"), Entry("assistant", "x", recipe={"n": float("nan")})):
        with pytest.raises(StudioError):
            chats.save(replace(chat, messages=(broken,)))
    assert chats.load(chat.id) == chat


def test_two_threads_leave_whole_conversations(chats: Chats) -> None:
    chat, problems = talk(chats, "hello"), []

    def write(name: str) -> None:
        for number in range(40):
            messages = tuple(Entry("user", f"{name} {number}") for _ in range(50))
            chats.save(replace(chat, messages=messages))
            chats.rename(chat.id, name)

    def read() -> None:
        for _ in range(80):
            try:
                found = {entry.content for entry in chats.load(chat.id).messages}
                chats.list()
            except StudioError as error:
                problems.append(error)
            else:
                problems.extend([found] if len(found) != 1 else [])

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(list(folder_of(chats).iterdir())) == 1
