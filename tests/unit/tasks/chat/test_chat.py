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
    assert (words(chat), chat.versions(1)) == ("ac", 1)
    assert words(chat.other(1)) == "ab"
    assert words(chat.other(1).other(1)) == "ac"


def test_three_versions_come_round() -> None:
    chat = talk("ab").replaced(1, Entry("assistant", "c")).replaced(1, Entry("assistant", "d"))
    seen = [words(chat := chat.other(1)) for _ in range(6)]
    assert seen == ["ab", "ac", "ad"] * 2


def test_a_question_asked_anew_brings_back_all_that_followed_it() -> None:
    chat = talk("abcd").replaced(3, Entry("assistant", "D")).replaced(0, Entry("user", "x"))
    assert words(chat) == "x"
    back = chat.other(0)
    assert words(back) == "abcD"
    assert words(back.other(3)) == "abcd"
    assert words(back.other(0)) == "x"


def test_what_was_taken_away_last_is_brought_back_first() -> None:
    chat = talk("ab").replaced(0, Entry("user", "x")).replaced(0)
    assert words(chat.other(0, newest=True)) == "x"


def test_a_question_taken_back_can_be_brought_back() -> None:
    chat = talk("abcd").replaced(2)
    assert (words(chat), chat.versions(2)) == ("ab", 1)
    assert words(chat.other(2)) == "abcd"


steps = st.lists(st.tuples(st.sampled_from(("new", "other", "cut")), st.integers(0, 6)), max_size=12)


@given(steps)
def test_nothing_that_was_said_is_ever_lost(taken: list[tuple[str, int]]) -> None:
    chat, every = talk("abcd"), set("abcd")
    for number, (what, place) in enumerate(taken):
        at = min(place, len(chat.messages))
        if what == "other":
            chat = chat.other(at)
        else:
            new = (Entry("user", chr(ord("A") + number)),) if what == "new" else ()
            every |= {entry.content for entry in new}
            chat = chat.replaced(at, *new)
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
