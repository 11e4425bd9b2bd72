"""What an operator lets be asked and shown: refused before anything is made, or before anything is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.engines.demo.fake import FakeModel
from studio.errors import StudioError
from studio.jobs import screening
from studio.policy import Policy, Wording, load_policy, read_rules
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest, MusicRequest
from studio.results import Output
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.chat.conversation import Entry

RULES = """
[[rule]]
reason = "herons"
groups = [["heron", "苍鹭"], ["blue", "蓝色"]]

[[rule]]
reason = "ships"
tasks = ["image"]
groups = [["ship"]]
"""
Open = Callable[..., Studio]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    return tmp_path / "rules.toml"


@pytest.fixture
def start(settings: Settings) -> Iterator[Open]:
    opened: list[Studio] = []

    def make(**changes: Any) -> Studio:
        opened.append(Studio(settings.model_copy(update=changes)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def files(studio: Studio) -> list[Path]:
    return [path for path in studio.home.outputs.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("a blue heron", "herons"),
        ("BLUE, and two Herons", "herons"),
        ("bl\u00fae h\u200beron", "herons"),
        ("b1ue her0n", ""),  # 1 is i: some disguises hold
        ("blu3 her0n", "herons"),
        ("b l u e h e r o n", ""),
        ("a blue h.e.r.o.n", "herons"),
        ("一只蓝色的苍鹭", "herons"),
        ("a heron", ""),
        ("blueberry heronry", ""),
        ("a ship", "ships"),
        ("friendship", ""),
    ],
)
def test_words_are_found_as_words_however_they_are_written(words: str, reason: str, rules: Path) -> None:
    assert Wording(read_rules(rules)).asked(ImageRequest(prompt=words)) == reason


def test_every_text_of_a_request_is_read_and_a_rule_may_be_for_one_task(rules: Path) -> None:
    wording = Wording(read_rules(rules))
    talk = ChatRequest(messages=(Message("user", "blue?"), Message("assistant", "a heron"), Message("user", "ship")))
    assert wording.asked(talk) == "herons"
    assert wording.asked(replace(talk, messages=talk.messages[2:])) == ""
    assert wording.asked(MusicRequest(prompt="calm", lyrics="blue heron")) == "herons"


def test_what_is_refused_is_neither_made_nor_kept(start: Open, rules: Path) -> None:
    studio = start(policy=str(rules))
    before = files(studio)
    for words in ("a blue heron", "a blue {heron|heron}", "__sea__ ship"):
        with pytest.raises(StudioError) as refused:
            studio.submit(ImageRequest(prompt=words, steps=1))
        assert refused.value.code == "refused_request"
    with pytest.raises(StudioError, match="reason: herons"):
        studio.submit_grid(ImageRequest(prompt="{bird}", steps=1), None, None, series="bird\nblue heron\nowl")
    assert files(studio) == before
    assert studio.jobs() == ()
    assert studio.submit(ImageRequest(prompt="an owl", steps=1)).result().files


def test_an_answer_stops_where_it_may_not_be_shown(start: Open, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio, told = start(policy=str(rules)), []

    def run(model: FakeModel, request: Any, context: Any) -> Output:
        for piece in ("It was a ", "bl", "ue her", "on, which", " flew."):
            context.text(piece)
            told.append(piece)
        return Output(text="It was a blue heron, which flew.")

    monkeypatch.setattr(FakeModel, "run", run)
    chat = studio.chats.new()
    chat = replace(chat, messages=(Entry("user", "What was it?"),))
    job = studio.say(chat, ChatRequest(messages=()))
    with pytest.raises(StudioError) as refused:
        job.result()
    assert (refused.value.code, refused.value.params) == ("refused_result", {"reason": "herons"})
    assert "on, which" not in told, "nothing is written once it is refused"
    assert job.snapshot().text == ""
    assert [entry.role for entry in studio.chats.load(chat.id).messages] == ["user"]
    kept = "".join(path.read_text(errors="replace") for path in studio.home.root.rglob("*") if path.is_file())
    assert "blue her" not in kept


class NoRed:
    """An operator's own: red pictures are not shown."""

    pictures = True

    def shown(self, task: str, output: Output) -> str:
        return "red" if any(image.getpixel((0, 0)) == (255, 0, 0) for image in output.images) else ""


class Broken:
    def asked(self, request: Any) -> str:
        raise ValueError(f"cannot read {request.prompt}")


def test_an_operators_class_looks_at_pictures_before_anybody_does(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = start(policy=f"{__name__}:NoRed")
    monkeypatch.setattr(FakeModel, "run", lambda *_: Output(images=(Image.new("RGB", (64, 64), "red"),), seeds=(1,)))
    job = studio.submit(ImageRequest(prompt="a wall", steps=1), previews=True)
    seen = [update for update in job.events() if update.previews or update.artifact]
    assert (seen, files(studio)) == ([], [])
    with pytest.raises(StudioError, match="reason: red"):
        job.result()


def test_pictures_that_are_looked_at_have_no_previews(start: Open) -> None:
    job = start(policy=f"{__name__}:NoRed").submit(ImageRequest(prompt="a wall", steps=4), previews=True)
    assert not any(update.previews for update in job.events())
    assert job.result().files


def test_a_policy_that_fails_refuses_and_the_log_has_no_word_of_it(
    start: Open, caplog: pytest.LogCaptureFixture
) -> None:
    studio = start(policy=f"{__name__}:Broken")
    with caplog.at_level(logging.DEBUG), pytest.raises(StudioError) as refused:
        studio.submit(ImageRequest(prompt="a secret wish"))
    assert refused.value.code == "policy_failed"
    assert str(refused.value.params["id"]) in caplog.text
    assert "secret" not in caplog.text


def test_strangers_meet_the_closed_list_and_nobody_else_does(settings: Settings) -> None:
    at_home, in_public = (
        screening.policy_of(settings.model_copy(update={"profile": who})) for who in ("local", "space")
    )
    asked = ImageRequest(prompt="a naked child")
    at_home.require_asked(asked)
    with pytest.raises(StudioError, match="minors"):
        in_public.require_asked(asked)
    for fine in ("a child with a kite", "a red apple", "Essex in spring", "小孩和风筝"):
        in_public.require_asked(ImageRequest(prompt=fine))
    screening.policy_of(settings.model_copy(update={"profile": "space", "policy": "none"})).require_asked(asked)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "list of"),
        ("rule = 1", "list of"),
        ("[[rule]]\nreason = 'x'", "has reason"),
        ("[[rule]]\nreason = 'X y'\ngroups = [['a']]", "small letters"),
        ("[[rule]]\nreason = 'x'\ngroups = [[]]", "groups are"),
        ("[[rule]]\nreason = 'x'\ngroups = ['word']", "groups are"),
        ("[[rule]]\nreason = 'x'\ntasks = ['video']\ngroups = [['a']]", "tasks are"),
        ("[[rule", "Expected"),
    ],
)
def test_a_broken_policy_is_said_at_the_start(text: str, why: str, tmp_path: Path, start: Open) -> None:
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    with pytest.raises(StudioError, match=why) as wrong:
        start(policy=str(tmp_path / "p.toml"))
    assert wrong.value.code == "bad_policy"


@pytest.mark.parametrize("setting", ["nowhere.toml", "no_such_module:Policy", f"{__name__}:Missing"])
def test_a_policy_that_is_not_there_is_said_at_the_start(setting: str) -> None:
    with pytest.raises(StudioError) as wrong:
        load_policy(setting, None)
    assert wrong.value.code == "bad_policy"


def test_nobody_is_asked_by_default() -> None:
    screen = Policy().screen("chat")
    screen.text("anything")
    assert not screen.pictures
