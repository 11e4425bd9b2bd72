"""Files in a conversation: they reach the model, stay, are written out and read in, and go with it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.library import chats
from studio.library.chats import Chats
from studio.request_parts import Attachment, Message
from studio.requests import ChatRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.chat.attachments import read_attachment
from studio.tasks.chat.conversation import Chat, Entry

ASK = ChatRequest(messages=())


def cat() -> Attachment:
    out = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(out, "PNG")
    return read_attachment("cat.png", out.getvalue())


def asked(chat: Chat, words: str, *files: Attachment) -> Chat:
    return chat.replaced(len(chat.messages), Entry("user", words, files=files))


def answer(studio: Studio, chat: Chat) -> str:
    *_, last = studio.say(chat, ASK, seen=chat.mark if False else "").events(heartbeat=5)
    assert last.artifact is not None, last.error
    return last.artifact.text


def attached(store: Chats, chat: Chat) -> list[bytes]:
    return [store.attachment(chat.id, one) for entry in chat.messages for one in entry.files]


def test_what_came_along_reaches_the_model_at_once_and_after_a_restart(studio: Studio) -> None:
    chat = asked(studio.chats.new(), "See", cat(), read_attachment("n.txt", b"one\ntwo"))
    said = answer(studio, chat)
    assert "cat.png, a picture of 9 by 7" in said
    assert "n.txt, 2 lines" in said
    again = Chats(studio.home.chats).load(chat.id)
    assert again.messages[0].files[0].data == b""
    assert again.messages[0].same(chat.messages[0])
    assert b"iVBOR" not in (studio.home.chats / f"{chat.id}.json").read_bytes()
    job = studio.say(asked(again, "More"), ASK, seen=again.mark)
    list(job.events(heartbeat=5))
    kept = studio.chats.load(chat.id)
    assert attached(studio.chats, kept) == [cat().data, b"one\ntwo"]
    recipe = kept.messages[1].recipe
    assert recipe is not None


def test_the_request_of_a_later_turn_holds_the_pictures_of_the_earlier(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = asked(studio.chats.new(), "See", cat())
    answer(studio, chat)
    seen: list[ChatRequest] = []
    monkeypatch.setattr(
        studio._intake, "order", lambda request: seen.append(request) or (_ for _ in ()).throw(KeyError)
    )
    with pytest.raises(KeyError):
        studio.say(asked(studio.chats.load(chat.id), "And now?"), ASK)
    assert seen[0].messages[0].files[0].data == cat().data


def test_a_conversation_goes_out_and_in_with_its_files(studio: Studio) -> None:
    chat = studio.chats.save(asked(studio.chats.new(), "See", cat()))
    (back,) = studio.chats.import_file(studio.chats.export_json(chat.id).encode(), "x.json")
    assert back.id != chat.id
    assert attached(studio.chats, studio.chats.load(back.id)) == [cat().data]
    assert "*cat.png*" in studio.chats.export_markdown(chat.id)


def test_a_file_that_is_not_what_its_hash_says_is_not_taken(studio: Studio) -> None:
    chat = studio.chats.save(asked(studio.chats.new(), "See", cat()))
    whole = json.loads(studio.chats.export_json(chat.id))
    whole["messages"][0]["files"][0]["data"] = "AAAA"
    whole["messages"][0]["files"] += ["x", {"name": "../../x", "sha256": "../../../etc/passwd", "bytes": 1}]
    (back,) = studio.chats.import_file(json.dumps(whole).encode(), "x.json")
    assert len(back.messages[0].files) == 1
    assert attached(studio.chats, back) == [b""]
    assert answer(studio, asked(studio.chats.load(back.id), "Gone?"))  # it is left out


def test_files_go_with_the_conversation_and_come_back_with_it(studio: Studio) -> None:
    folder = studio.home.chats
    chat = studio.chats.save(asked(studio.chats.new(), "See", cat()))
    assert [one.name for one in folder.glob("*.files/*")] == [cat().sha256]
    studio.chats.delete(chat.id)
    assert list(folder.glob("*.files")) == []
    studio.chats.restore(chat.id)
    assert attached(studio.chats, studio.chats.load(chat.id)) == [cat().data]
    studio.chats.delete(chat.id)
    (folder / ".trash" / f"{chat.id}.json").touch()
    import os

    os.utime(folder / ".trash" / f"{chat.id}.json", (0, 0))
    studio.chats.delete(studio.chats.save(asked(studio.chats.new(), "x")).id)
    assert list((folder / ".trash").glob("*.files")) == []


def test_a_branch_has_files_of_its_own(studio: Studio) -> None:
    chat = studio.chats.save(asked(studio.chats.new(), "See", cat()))
    other = studio.chats.branch(chat, 0)
    studio.chats.delete(chat.id)
    assert attached(studio.chats, studio.chats.load(other.id)) == [cat().data]


def test_who_cannot_see_says_so_before_anything_loads_and_names_who_can(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = studio.default_model("chat")
    blind = replace(card, id="blind", title="Blind", options={**card.options, "sees": False})
    monkeypatch.setattr(studio.catalog, "cards", {"blind": blind, **studio.catalog.cards})
    with pytest.raises(StudioError) as caught:
        studio.say(asked(studio.chats.new(), "See", cat()), replace(ASK, model="blind"))
    assert caught.value.code == "cannot_see"
    assert caught.value.params == {"model": "Blind", "other": card.title, "id": card.id}
    assert studio.status().devices[0].models == ()
    assert studio.chats.list() == ()
    monkeypatch.setattr(studio.catalog, "cards", {"blind": blind})
    with pytest.raises(StudioError, match="no other model here"):
        studio.submit(ChatRequest(messages=(Message("user", "See", (cat(),)),), model="blind"))
    studio.submit(ChatRequest(messages=(Message("user", "x", (read_attachment("a.txt", b"a"),)),), model="blind"))


def test_with_the_catalogue_that_ships_the_smallest_that_sees_is_named_and_one_that_reads_chinese_where_that_is_asked(
    tmp_path: Path,
) -> None:
    with Studio(Settings(home=tmp_path / "home", _env_file=None)) as studio:  # pyright: ignore
        found = {}
        for words in ("What is this?", "图里有什么动物？"):
            with pytest.raises(StudioError) as caught:
                studio.say(asked(studio.chats.new(), words, cat()), replace(ASK, model="smollm2-135m"))
            assert caught.value.code == "cannot_see"
            found[words[0]] = studio.catalog.get(str(caught.value.params["id"]))
    assert (found["W"].id, found["图"].id) == ("smolvlm-500m-gguf", "qwen3-vl-2b-gguf")
    for card in found.values():
        assert card.commercial is True
        assert card.options["mmproj"] in card.source.files


def test_the_limit_of_a_file_that_leaves_is_not_that_of_the_one_that_stays(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats.chat_file, "MAX_BYTES", 2000)
    big = read_attachment("a.txt", b"word " * 1000)
    chat = studio.chats.save(asked(studio.chats.new(), "See", big))
    assert len(studio.chats.export_json(chat.id)) > 5000
    assert Path(studio.home.chats / f"{chat.id}.json").stat().st_size < 2000
