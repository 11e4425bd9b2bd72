"""The next edit: which lines are rewritten, what the model reads, and what of its answer counts."""

from __future__ import annotations

import pytest

from studio.request_parts import CodeEdit, CodeFile
from studio.tasks.code.next_edit import WindowCleaner, pieces, window

TEXT = "".join(f"line {number}\n" for number in range(40))


@pytest.mark.parametrize(("line", "first", "last"), [(0, 0, 10), (5, 0, 15), (20, 10, 30), (39, 29, 40), (40, 30, 40)])
def test_ten_lines_before_and_behind_the_cursors_are_rewritten(line: int, first: int, last: int) -> None:
    at = len("".join(f"line {number}\n" for number in range(line))) + (2 if line < 40 else 0)
    found = window(TEXT[:at], TEXT[at:])
    assert TEXT[found.start : found.end] == found.text
    lines = TEXT.split("\n")
    assert found.text.split("\n") == lines[first : last + 1]


def test_the_prompt_has_files_changes_and_the_lines_as_they_were_and_are() -> None:
    edits = (CodeEdit("a.py", "b = 1", "c = 1"), CodeEdit("z.py", "old", "new"))
    text = "".join(part for _, part in pieces("c = 1\nprint(b)", "a.py", edits, (CodeFile("lib.py", "x"),)))
    assert text == (
        "<|file_sep|>lib.py\nx\n"
        "<|file_sep|>a.py.diff\noriginal:\nb = 1\nupdated:\nc = 1\n"
        "<|file_sep|>z.py.diff\noriginal:\nold\nupdated:\nnew\n"
        "<|file_sep|>original/a.py\nb = 1\nprint(b)\n"
        "<|file_sep|>current/a.py\nc = 1\nprint(b)\n"
        "<|file_sep|>updated/a.py"
    )


@pytest.mark.parametrize(
    "said", ["\nc = 1\nprint(c)\n", "c = 1\r\nprint(c)<|file_sep|>x", "\nc = 1\nprint(c)<|endoftext|>"]
)
def test_what_counts_of_an_answer(said: str) -> None:
    cleaner = WindowCleaner()
    assert "".join(cleaner.feed(letter) for letter in said) == ""
    assert cleaner.finish() == "c = 1\nprint(c)"
