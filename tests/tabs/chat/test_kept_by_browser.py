"""The address at which a visitor's browser says which conversations it keeps."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StudioError
from studio.library import visitors
from studio.service import Studio
from studio.settings import Settings
from tabs.chat import kept_by_browser
from tabs.shared.asker import Asker
from tabs.shared.context import chats_of

ME, OTHER = Asker("browser me", "here", "en"), Asker("browser other", "here", "zh-CN")
CHAT = json.dumps({"format": "atelier-chat/1", "messages": [{"role": "user", "content": "Hi"}]})


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    settings = Settings(profile="space", demo=True, home=tmp_path / "home", _env_file=None)  # pyright: ignore
    with Studio(settings) as studio:
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(studio.instance.shown))
        yield studio


def ask(studio: Studio, message: Any, who: Asker = ME) -> dict[str, Any]:
    answer = kept_by_browser.answer(studio, message, who)
    assert answer is not None
    assert answer.headers["cache-control"] == "no-store"
    return json.loads(bytes(answer.body))


def upload(studio: Studio, what: Any, name: str = "x.json") -> dict[str, Any]:
    file = studio.instance.shown / "sent" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(what if isinstance(what, str) else json.dumps(what), encoding="utf-8")
    return {"give": {"path": str(file)}}


def test_what_one_brings_back_nobody_else_has(public: Studio) -> None:
    first, bad = "a" * 16, "b" * 16
    assert ask(public, {"have": {first: "old"}})["missing"] == [first]
    told = ask(public, upload(public, {first: CHAT, bad: "x", "../x": CHAT}))
    assert list(told["here"]) == [first]
    assert sorted(told["refused"]) == ["../x", bad]
    assert ask(public, {"have": told["here"]}) == {
        "missing": [], "gone": [], "changed": [], "more": False, "told": [],
    }  # fmt: skip
    assert ask(public, {"have": {}}, OTHER)["changed"] == []
    assert ask(public, {"have": told["here"]}, OTHER)["missing"] == [first]


def test_what_had_to_go_is_told_in_the_visitors_language(public: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "MOST", 1)
    for who, word in ((ME, "had to go"), (OTHER, "已移除")):
        store = chats_of(public, who.who)
        for title in ("<b>one</b>", "two"):
            store.save(replace(store.new(), title=title))
        (said,) = ask(public, {"have": {}}, who)["told"]
        assert word in said
        assert "“<b>one</b>”" in said


@pytest.mark.parametrize(
    "message", [None, [], "x", {"have": []}, {"give": "x"}, {"have": {}, "give": [1]}],
)  # fmt: skip
def test_what_the_page_never_sends_is_refused(public: Studio, message: Any) -> None:
    with pytest.raises(StudioError) as refused:
        ask(public, message)
    assert refused.value.code == "bad_message"


@pytest.mark.parametrize("file", ["", "[]", "[" * 100_000, json.dumps({str(n): "" for n in range(300)})])
def test_an_upload_that_is_none_of_its_own_is_refused(public: Studio, file: str) -> None:
    with pytest.raises(StudioError) as refused:
        ask(public, upload(public, file))
    assert refused.value.code == "bad_message"


def test_no_file_of_the_machine_is_read(public: Studio, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"a" * 16: CHAT}))
    with pytest.raises(StudioError) as refused:
        ask(public, {"give": {"path": str(secret)}})
    assert refused.value.code == "not_uploaded"


def test_where_strangers_fill_the_disk_nothing_comes_back(public: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "ROOM", -1)
    with pytest.raises(StudioError) as refused:
        ask(public, upload(public, {"a" * 16: CHAT}))
    assert refused.value.code == "strangers_full"


def test_on_ones_own_machine_there_is_no_such_address(studio: Studio) -> None:
    answer = kept_by_browser.answer(studio, {"have": {}}, ME)
    assert answer is not None
    assert answer.status_code == 404
