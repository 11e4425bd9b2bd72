"""What becomes of a conversation when somebody thinks again: nothing that was said is lost."""

from hypothesis import given
from hypothesis import strategies as st

from studio.tasks.chat import thoughts
from studio.tasks.chat.conversation import Chat, Entry


def talk(words: str) -> Chat:
    """A conversation of one letter a message: questions and answers by turns."""
    return Chat(id="0" * 16, messages=tuple(Entry(("user", "assistant")[i % 2], word) for i, word in enumerate(words)))  # type: ignore[arg-type]


def words(chat: Chat) -> str:
    return "".join(entry.content for entry in chat.messages)


def said(chat: Chat) -> set[str]:
    """Every letter that is kept anywhere."""
    found, waiting = set(words(chat)), list(chat.former)
    while waiting:
        tail = waiting.pop()
        found |= {entry.content for entry in tail.messages}
        waiting += tail.former
    return found


def test_an_answer_given_anew_keeps_the_old_one_a_press_away() -> None:
    chat = talk("ab").replaced(1, Entry("assistant", "c"))
    assert (words(chat), chat.versions(1)) == ("ac", (2, 2))
    old = chat.turned(1, -1)
    assert (words(old), old.versions(1)) == ("ab", (1, 2))
    assert words(old.turned(1, 1)) == "ac"


def test_versions_are_numbered_as_they_came_and_both_ends_hold() -> None:
    chat = talk("ab").replaced(1, Entry("assistant", "c")).replaced(1, Entry("assistant", "d"))
    seen = []
    for step in (-1, -1, -1, 1, 1, 1):
        chat = chat.turned(1, step)
        seen.append((words(chat), *chat.versions(1)))
    assert seen == [("ac", 2, 3), ("ab", 1, 3), ("ab", 1, 3), ("ac", 2, 3), ("ad", 3, 3), ("ad", 3, 3)]


def test_what_is_said_while_an_old_version_is_shown_is_the_newest() -> None:
    chat = talk("ab").replaced(1, Entry("assistant", "c")).turned(1, -1).replaced(1, Entry("assistant", "d"))
    assert (words(chat), chat.versions(1)) == ("ad", (3, 3))
    assert words(chat.turned(1, -1).turned(1, -1)) == "ac"


def test_a_question_asked_anew_brings_back_all_that_followed_it() -> None:
    chat = talk("abcd").replaced(3, Entry("assistant", "D")).replaced(0, Entry("user", "x"))
    assert words(chat) == "x"
    back = chat.turned(0, -1)
    assert words(back) == "abcD"
    assert words(back.turned(3, -1)) == "abcd"
    assert words(back.turned(0, 1)) == "x"


def test_what_was_taken_away_last_is_brought_back_first() -> None:
    chat = talk("ab").replaced(0, Entry("user", "x")).replaced(0)
    assert words(chat.turned(0, -1)) == "x"


def test_a_question_taken_back_can_be_brought_back() -> None:
    chat = talk("abcd").replaced(2)
    assert (words(chat), chat.versions(2)) == ("ab", (2, 2))
    assert words(chat.turned(2, -1)) == "abcd"


def test_one_message_is_deleted_and_comes_back() -> None:
    chat = talk("abcd").without(1)
    assert (words(chat), chat.versions(1)) == ("acd", (2, 2))
    assert words(chat.turned(1, -1)) == "abcd"


def test_an_answer_in_other_words_keeps_what_follows_with_its_versions() -> None:
    chat = talk("abcd").replaced(3, Entry("assistant", "D")).reworded(1, Entry("assistant", "B"))
    assert (words(chat), chat.versions(1), chat.versions(3)) == ("aBcD", (2, 2), (2, 2))
    assert words(chat.turned(3, -1)) == "aBcd"
    assert words(chat.turned(1, -1)) == "abcD"


def test_a_branch_is_another_conversation_with_the_same_beginning() -> None:
    chat = talk("abcd").replaced(1, Entry("assistant", "B"))
    assert chat.branch(1, "f" * 16).id == "f" * 16
    assert words(talk("abcd").branch(1, "f" * 16)) == "ab"
    assert chat.branch(0, "f" * 16).versions(1) == (1, 1)
    assert chat.branch(1, "f" * 16).versions(1) == (2, 2)


steps = st.lists(
    st.tuples(st.sampled_from(("new", "before", "after", "cut", "without", "reworded")), st.integers(0, 6)), max_size=12
)


@given(steps)
def test_nothing_that_was_said_is_ever_lost(taken: list[tuple[str, int]]) -> None:
    chat, every = talk("abcd"), set("abcd")
    for number, (what, place) in enumerate(taken):
        at = min(place, len(chat.messages))
        new = Entry("user", chr(ord("A") + number))
        if what in ("before", "after"):
            chat = chat.turned(at, -1 if what == "before" else 1)
        elif what == "without":
            chat = chat.without(at)
        elif what == "cut":
            chat = chat.replaced(at)
        else:
            every.add(new.content)
            chat = chat.replaced(at, new) if what == "new" else chat.reworded(at, new)
        assert said(chat) == every


def test_the_mark_changes_with_what_was_said_and_with_nothing_else() -> None:
    chat = talk("ab")
    assert chat.mark != talk("abc").mark != talk("ac").mark
    assert chat.mark == Chat(id="1" * 16, title="t", messages=chat.messages).mark


def test_a_thought_stands_at_the_beginning_and_nowhere_else() -> None:
    assert thoughts.split("<think>\nhm\n</think>\n\nYes.") == ("hm", "Yes.")
    assert thoughts.split("<think>hm</think>Yes. A </think> too.") == ("hm", "Yes. A </think> too.")
    assert thoughts.split("\n<think>\nstill going") == ("still going", "")
    assert thoughts.split("so it is\n</think>\n\nYes.") == ("so it is", "Yes.")  # its template wrote the beginning
    for plain in (
        "The tag <think> opens a block. IMPORTANT.", "It ends with </think> here", "use <think> tag please",
        "<think> is a tag", "Write `<think>` and `</think>`.", "",
    ):  # fmt: skip
        assert thoughts.split(plain) == ("", plain)
