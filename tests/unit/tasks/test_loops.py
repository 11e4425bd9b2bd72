"""Loops are told from answers that are only long or regular."""

from __future__ import annotations

import pytest

from studio.tasks.chat.loops import loops

POEM = "The sea is wide, the sea is deep,\nand all its fish are fast asleep.\n" * 3
LIST = "".join(f"{number}. Try to sleep before {number + 10} and wake at {number}.\n" for number in range(1, 40))
TABLE = "| a | b |\n|---|---|\n" + "".join(f"| {number} | {number * 7} |\n" for number in range(60))
ZEROS = "```python\nrows = [\n" + "    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],\n" * 12


@pytest.mark.parametrize("unit", ["I am sorry. ", "ha", "你好，", "one two three four five six. " * 12, "- \n- x\n"])
def test_what_says_the_same_again_and_again_is_one(unit: str) -> None:
    assert loops("It begins well. " + unit * (2000 // len(unit) + 6))


@pytest.mark.parametrize("said", ["", "Hi", POEM, LIST, TABLE, ZEROS, "-" * 80, " " * 900, "a\n" * 30, "Yes. " * 20])
def test_what_is_long_or_regular_is_none(said: str) -> None:
    assert not loops(said)


def test_code_that_never_ends_is_one_in_the_end() -> None:
    assert loops(ZEROS + "    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],\n" * 200)
