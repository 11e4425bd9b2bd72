"""What leaks from a model that was asked to fill a hole is taken off, however its answer comes in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.request_parts import CodeFile
from studio.tasks.code.asking import CLOSING, HOLE, OPENING, AskedCleaner, messages

PREFIX = "function sum(list) {\n  let total = 0;\n  for (const x of list) {\n    "
SUFFIX = "\n  }\n  return total;\n}\n"


def filled(answer: str, prefix: str = PREFIX, suffix: str = SUFFIX, language: str = "javascript") -> str:
    """What is put in; checked to be the same letter by letter."""
    whole = AskedCleaner(suffix, prefix, (), language)
    text = whole.feed(answer) + whole.finish()
    cleaner = AskedCleaner(suffix, prefix, (), language)
    assert "".join(map(cleaner.feed, answer)) + cleaner.finish() == text
    return text


@pytest.mark.parametrize(
    "answer",
    [
        "total += x;</COMPLETION>",
        "\n    total += x;\n</COMPLETION>",
        "<COMPLETION>total += x;</COMPLETION>\nThis adds each element.",
        "```javascript\ntotal += x;\n```\n\nThis adds each element.",
        "Sure! Here is the missing code:\n\n```js\n    total += x;\n```",
        "Here is the completion: <COMPLETION>total += x;</COMPLETION>",
        "<think>\nWhat belongs here?\n</think>\n\ntotal += x;</COMPLETION>",
        "total += x;\n  }\n  return total;\n}\n",
        "total += x;{{FILL_HERE}}",
        "total += x;<|im_end|>",
    ],
)
def test_only_the_code_is_left(answer: str) -> None:
    assert filled(answer) == "total += x;"


@pytest.mark.parametrize("answer", ["return width * height", "width * height</COMPLETION>", "```\nwidth * height\n```"])
def test_the_beginning_of_the_line_is_not_said_twice(answer: str) -> None:
    assert filled(answer, "def area(width, height):\n    return ", "\n", "python") == "width * height"


@pytest.mark.parametrize("code", ["here = 1", "this.total += x;", "sure(x)", "okay = True", "the_end()"])
def test_code_that_begins_like_prose_stays(code: str) -> None:
    assert filled(code + CLOSING) == code


def test_fences_stay_in_a_text_that_has_some() -> None:
    assert filled("```\nls\n```", "# Use\n\n```sh\ncd\n```\n\nThen:\n\n", "", "markdown").startswith("```")


@given(
    pieces=st.lists(
        st.sampled_from(
            (OPENING, CLOSING, HOLE, "<think>", "</think>", "```", "js\n", "\n", " ", "Sure, ", "here is", "the code",
             ":", "total", "function", "}", "(", "x", "<", "COMP", "{{")
        ),
        max_size=14,
    ),
    prefix=st.sampled_from([PREFIX, "", "return ", "def f():\n", "```\n"]),
)  # fmt: skip
def test_the_result_does_not_depend_on_how_the_answer_was_cut(pieces: list[str], prefix: str) -> None:
    filled("".join(pieces), prefix)


def test_the_mark_is_one_that_the_file_does_not_hold() -> None:
    system, shown, question = messages(f"a = '{HOLE}'\n", "", "main.py", (CodeFile("b.py", "B = 1\n"),))
    assert question == f"File b.py:\nB = 1\n\nFile main.py:\na = '{HOLE}'\n{{{{FILL_HERE_2}}}}"
    assert "{{FILL_HERE_2}}" in system
    assert all("{{FILL_HERE_2}}" in asked and said.startswith(OPENING) for asked, said in shown)
