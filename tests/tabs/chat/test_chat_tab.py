"""The talk without a browser: what is drawn for every state, and what a page may say."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from studio.errors import StudioError
from studio.tasks.chat.conversation import Chat, Entry
from tabs.chat import message_actions, messages
from tabs.chat.open_pages import Place, Windows

CHAT = Chat(id="0" * 16, messages=(Entry("user", "<b>one</b>"), Entry("assistant", "**yes**")))


def page(name: str) -> Any:
    return SimpleNamespace(session_hash=name)


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "3", None, 7, '{"chat": 1, "mark": []}', "[" * 100_000, '{"chat": null}']
)
def test_whatever_a_page_says_it_is_a_place(said: object) -> None:
    assert Place.read(said) == Place()


@pytest.mark.parametrize(
    "said", ["", "{", "[]", None, '{"do": 1, "at": "x", "words": []}', '{"at": true}', "[" * 100_000]
)
def test_whatever_a_page_orders_is_an_order(said: object) -> None:
    what, at, words = message_actions.read_order(said)
    assert what not in (
        "edit",
        "undo",
        "retry",
        "answer",
        "earlier",
        "later",
        "back",
        "continue",
        "branch",
        "delete",
        "reword",
    )
    assert at == -1
    assert words == ""


def test_an_answer_that_has_just_come_does_not_make_the_page_stale() -> None:
    seen = Place(CHAT.id, CHAT.cut(1).mark)
    assert seen.fits(CHAT, answered=True)
    assert not seen.fits(CHAT)
    assert not Place(CHAT.id, CHAT.cut(0).mark).fits(CHAT, answered=True)


def test_a_page_that_opens_another_conversation_has_left_the_first() -> None:
    windows = Windows()
    first, other = windows.show(page("a"), "x"), windows.show(page("b"), "x")
    assert windows.at(page("a"), first)
    windows.show(page("a"), "y")
    assert not windows.at(page("a"), first)
    assert windows.at(page("b"), other)
    assert (windows.chat(page("a")), windows.chat(page("c"))) == ("y", "")


def test_pages_that_are_long_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabs.chat.open_pages.MOST", 3)
    windows = Windows()
    for number in range(10):
        windows.show(page(str(number)), "x")
    assert len(windows._shown) == 3
    assert windows.chat(page("9")) == "x"


def test_while_an_answer_is_written_nothing_can_be_changed() -> None:
    still = messages.draw(CHAT, "en", running=True)
    assert "data-chat-do" not in still
    assert "data-copy" in still
    moving = messages.draw(CHAT, "en")
    assert all(f'data-chat-do="{what}"' in moving for what in ("edit", "continue", "retry", "undo", "branch", "delete"))


def test_a_question_is_drawn_as_it_was_typed_and_an_answer_as_markdown() -> None:
    drawn = messages.draw(CHAT, "en")
    assert "&lt;b&gt;one&lt;/b&gt;" in drawn
    assert "<strong>yes</strong>" in drawn
    assert "<b>" not in drawn


@pytest.mark.parametrize(("spoken", "words"), [("en", "3 oldest exchanges"), ("zh-CN", "3")])
def test_notes_are_said_in_the_language_of_who_reads(spoken: str, words: str) -> None:
    answer = replace(CHAT.messages[1], finish="length", notes=(("history_cut", {"count": 3}), ("x<b>", {"a": "<i>"})))
    drawn = messages.draw(replace(CHAT, messages=(CHAT.messages[0], answer)), spoken)
    assert words in drawn
    assert ("Max tokens" if spoken == "en" else "最多词元数") in drawn
    assert "<b>" not in drawn
    assert "<i>" not in drawn


def test_a_question_without_an_answer_says_why_and_can_be_answered() -> None:
    question = Entry("user", "long", error=("context_full", {"count": 9, "model": "M", "limit": 5}))
    drawn = messages.draw(replace(CHAT, messages=(question,)), "en")
    assert "Not answered: The conversation has 9 tokens, and M reads 5." in drawn
    assert 'data-chat-do="answer"' in drawn


def test_earlier_versions_are_offered_where_they_branch_off() -> None:
    changed = CHAT.replaced(1, Entry("assistant", "no"))
    drawn = messages.draw(changed, "en")
    assert 'data-chat-do="earlier" data-at="1"' in drawn
    assert "2 of 2" in drawn
    assert 'data-chat-do="back" data-at="0"' in messages.draw(CHAT.replaced(0), "en")


def test_asking_again_forgets_why_there_was_no_answer() -> None:
    question = Entry("user", "long", error=("context_full", {}))
    assert message_actions.asked_again(replace(CHAT, messages=(question,))).messages[0].error is None


def test_a_message_in_other_words_keeps_what_follows_and_says_so() -> None:
    chat, taken = message_actions.changed("reword", CHAT, 1, "maybe")
    assert (chat.messages[1].content, chat.messages[1].notes, taken) == ("maybe", (("edited", {}),), "")
    assert message_actions.changed("reword", CHAT, 1, "**yes**")[0] is CHAT
    assert message_actions.changed("reword", CHAT, 0, "two")[0].messages[1] == CHAT.messages[1]


@pytest.mark.parametrize("at", [-1, 2, 10**9])
@pytest.mark.parametrize("what", ["delete", "reword"])
def test_a_place_that_the_conversation_does_not_have_is_refused(what: str, at: int) -> None:
    with pytest.raises(StudioError) as caught:
        message_actions.changed(what, CHAT, at, "words")
    assert caught.value.code == "chat_changed"


def test_only_an_answer_is_gone_on_with() -> None:
    assert message_actions.to_continue(CHAT) == "**yes**"
    for cut in (0, 1):
        with pytest.raises(StudioError) as caught:
            message_actions.to_continue(CHAT.cut(cut))
        assert caught.value.code == "chat_changed"


def test_versions_stand_side_by_side_and_one_is_kept() -> None:
    recipe = {"model": {"id": "m", "title": "Model <M>"}}
    chat = CHAT.replaced(1, Entry("assistant", "no", recipe=recipe)).turned(1, -1)
    drawn = messages.draw(chat, "en", beside=1)
    assert drawn.count("<section") == 2
    assert "Model &lt;M&gt;" in drawn
    assert 'data-chat-do="keep" data-at="1" data-words="2"' in drawn
    assert message_actions.changed("keep", chat, 1, "2")[0].messages[1].content == "no"
    assert message_actions.changed("keep", chat, 1, "1")[0] == chat
    for words in ("0", "3", "x", "\u00b2", "9" * 5000, ""):
        with pytest.raises(StudioError) as caught:
            message_actions.changed("keep", chat, 1, words)
        assert caught.value.code == "chat_changed"


def test_other_models_are_offered_for_the_last_answer_only() -> None:
    long = replace(CHAT, messages=(*CHAT.messages, *CHAT.messages))
    drawn = messages.draw(long, "en", others=[("other", "Other")])
    assert drawn.count('data-words="other" aria-label="Retry with Other"') == 1
    assert "Retry with" not in messages.draw(long, "en", running=True, others=[("other", "Other")])


def test_a_visitor_is_not_told_that_their_own_machine_computes() -> None:
    empty = Chat(id="")
    assert "computed on this machine" in messages.draw(empty, "en")
    assert "the machine that this page comes from" in messages.draw(empty, "en", visiting=True)
    assert "提供本页面的电脑" in messages.draw(empty, "zh-CN", visiting=True)
