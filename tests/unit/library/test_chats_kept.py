"""Files of conversations that cannot be used as they are: told, kept whole, never in the way of the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StudioError
from studio.library import chat_file
from studio.library.chats import Chats
from studio.tasks.chat.conversation import Chat, Entry

ID = "00000000000000bd"
GOOD = {"format": "atelier-chat/1", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def chats(tmp_path: Path) -> Chats:
    chats = Chats(tmp_path)
    chats.save(replace(chats.new(), messages=(Entry("user", "healthy"), Entry("assistant", "yes"))))
    return chats


def put(folder: Path, content: object, id: str = ID) -> Path:
    file = folder / f"{id}.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), encoding="utf-8")
    return file


HEALTHY_HEAD = {"format": "atelier-chat/1", "shown_title": "looks well", "updated": "2027-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    "content",
    [
        '{"format": "atelier-chat/1", "title": "BROKEN JSON", "messages": [',
        HEALTHY_HEAD | {"messages": [{"role": "user", "content": "bad \ud800 half"}]},
        HEALTHY_HEAD | {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]},
        HEALTHY_HEAD | {"messages": [{"role": "tool", "content": "a"}]},
        HEALTHY_HEAD | {"messages": [{"role": "user", "content": None}]},
        HEALTHY_HEAD | {"messages": [], "former": [{"at": 0}]},
    ],
    ids=["cut off", "half a character", "system", "tool", "no text", "no place"],
)
def test_a_file_that_opens_broken_is_told_and_kept_under_another_name(
    chats: Chats, tmp_path: Path, content: object
) -> None:
    before = put(tmp_path, content).read_bytes()
    listed = {info.id for info in chats.list()}
    if ID in listed:  # its head looks well, so it is found out when somebody opens it
        with pytest.raises(StudioError) as caught:
            chats.load(ID)
        assert caught.value.code == "chat_damaged"
        assert f"{ID}.json.damaged" in str(caught.value)
    assert [info.title for info in chats.list()] == ["healthy"]
    assert (tmp_path / f"{ID}.json.damaged").read_bytes() == before
    assert not (tmp_path / f"{ID}.json").exists()
    assert f"{ID}.json.damaged" in str(chats.unread()[0])


def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes to, and a device, under the names of conversations."""
    chats = Chats(tmp_path)
    kept = chats.save(replace(chats.new(), messages=(Entry("user", "here"),)))
    os.mkfifo(tmp_path / f"{'a' * 16}.json")
    (tmp_path / f"{'b' * 16}.json").symlink_to("/dev/null")
    done: list[object] = []

    def read() -> None:
        done.append([info.id for info in chats.list()])
        done.append(sorted(error.code for error in chats.unread()))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert done == [[kept.id], ["chat_unreadable", "chat_unreadable"]]
    with pytest.raises(StudioError, match="cannot be read"):
        chats.load("a" * 16)


def test_two_broken_files_of_one_name_are_both_kept(chats: Chats, tmp_path: Path) -> None:
    for content in ("{one", "{two"):
        put(tmp_path, content)
        chats.list()
    kept = sorted(tmp_path.glob("*.damaged*"))
    assert [file.read_text() for file in kept] == ["{one", "{two"]


def test_a_title_with_half_a_character_does_not_take_the_list_along(chats: Chats, tmp_path: Path) -> None:
    put(tmp_path, HEALTHY_HEAD | {"shown_title": "half \ud800", "title": "half \ud800", "messages": []})
    assert [info.title for info in chats.list()] == ["healthy"]
    assert (tmp_path / f"{ID}.json.damaged").exists()


def test_a_file_of_a_newer_version_stays_as_it_is_and_is_told(chats: Chats, tmp_path: Path) -> None:
    file = put(tmp_path, GOOD | {"format": "atelier-chat/2", "messages": {"a": "tree"}})
    before = file.read_bytes()
    assert [info.title for info in chats.list()] == ["healthy"]
    assert [error.code for error in chats.unread()] == ["chat_newer"]
    with pytest.raises(StudioError) as caught:
        chats.change(ID, lambda chat: replace(chat, title="x"))
    assert caught.value.code == "chat_newer"
    assert file.read_bytes() == before


def test_what_cannot_be_read_is_told_and_left(chats: Chats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "00000000000000dd.json").mkdir()  # what nobody can read, whoever runs the tests
    assert [info.title for info in chats.list()] == ["healthy"]
    assert [error.code for error in chats.unread()] == ["chat_unreadable"]
    put(tmp_path, "{")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    assert [info.title for info in chats.list()] == ["healthy"]
    assert len(chats.unread()) == 2
    assert (tmp_path / f"{ID}.json").read_text() == "{"


def test_fields_that_this_version_does_not_know_survive_a_save(chats: Chats, tmp_path: Path) -> None:
    message = {"role": "user", "content": "hello", "pinned": True}
    file = put(tmp_path, GOOD | {"folder": {"name": "work"}, "parameters": {"top_k": 5}, "messages": [message]})
    chats.rename(ID, "Renamed")
    found = json.loads(file.read_text())
    assert found["folder"] == {"name": "work"}
    assert found["messages"] == [message]
    assert found["parameters"] == {"top_k": 5}
    assert found["title"] == "Renamed"


def test_all_that_is_kept_of_a_conversation_comes_back(chats: Chats) -> None:
    answer = Entry("assistant", "b", "2026-01-01", {"seed": 1}, "length", (("history_cut", {"count": 2}),), None)
    asked = Entry("user", "c", error=("context_full", {"count": 9, "model": "M", "limit": 5}))
    chat = replace(chats.new(), messages=(Entry("user", "a"), answer, asked)).replaced(1, Entry("assistant", "B"))
    chat = chat.replaced(0, Entry("user", "A"))
    saved = chats.save(chat)
    assert chats.load(chat.id) == saved
    assert [tail.at for tail in saved.former] == [0]
    assert [tail.at for tail in saved.former[0].former] == [1]


def test_a_conversation_that_would_be_too_large_is_refused_and_keeps_its_file(
    chats: Chats, monkeypatch: pytest.MonkeyPatch
) -> None:
    (info,) = chats.list()
    chat = chats.load(info.id)
    monkeypatch.setattr(chat_file, "MAX_BYTES", 2_000)
    with pytest.raises(StudioError) as caught:
        chats.save(replace(chat, messages=(*chat.messages, Entry("user", "x" * 3_000))))
    assert caught.value.code == "chat_full"
    assert chats.load(info.id) == chat


def test_two_who_add_at_the_same_moment_both_have_added(tmp_path: Path) -> None:
    chat = Chats(tmp_path).save(Chats(tmp_path).new())

    def add(name: str) -> None:
        for number in range(20):
            new = (Entry("user", f"{name}{number}"),)
            Chats(tmp_path).change(chat.id, lambda found, new=new: replace(found, messages=(*found.messages, *new)))

    threads = [threading.Thread(target=add, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Chats(tmp_path).load(chat.id).messages) == 40


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
from studio.library.chats import Chats
from studio.tasks.chat.conversation import Entry
chats = Chats(Path(sys.argv[1]))
chat = chats.save(replace(chats.new(), id=sys.argv[2], messages=(Entry("user", "first"),)))
print("begun", flush=True)
number = 0
while True:
    number += 1
    chat = chats.save(replace(chat, messages=tuple(Entry("user", f"{number} " + "x" * 500_000) for _ in range(2))))
"""


def test_a_process_that_is_killed_while_it_saves_leaves_a_whole_conversation(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    for pause in (0.02, 0.05):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), ID], cwd=root, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        time.sleep(pause)  # anywhere in a save
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        chat: Chat = Chats(tmp_path).load(ID)
        numbers = {entry.content.split(" ")[0] for entry in chat.messages}
        assert len(numbers) == 1


def test_an_unknown_note_of_a_file_is_no_danger(chats: Chats, tmp_path: Path) -> None:
    notes: list[Any] = [["nobody_knows", {"a": 1, "b": [2]}], "x", [1, 2], ["history_cut", {"count": "<b>"}]]
    put(tmp_path, GOOD | {"messages": [{"role": "user", "content": "a", "notes": notes, "error": 5}]})
    (entry,) = chats.load(ID).messages
    assert entry.notes == (("nobody_knows", {"a": 1}), ("history_cut", {"count": "<b>"}))
    assert entry.error is None
