"""Next edit: what a person will change next, near the cursor, told from what they changed lately.

A model for it reads the lines round the cursor as they were before the latest change and as they are, and writes them
as they will be. The form is that of Sweep's first next-edit models, as several programs that use them write it; the
maker's own files could not be read here, so it is unchecked, and so is whether the latest change comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.request_parts import CodeEdit, CodeFile

MARK = "<|file_sep|>"
STOPS = (MARK, "<|endoftext|>", "<|im_end|>")
AROUND = 10
"""Lines before and behind the cursor's own that are rewritten."""


@dataclass(frozen=True, slots=True)
class Window:
    """The lines that are rewritten: where they begin and end in the whole text, and what they are."""

    start: int
    end: int
    text: str


def window(prefix: str, suffix: str) -> Window:
    """The lines round the cursor, which stands between `prefix` and `suffix`; with line feeds alone."""
    before, after = prefix.split("\n")[-AROUND - 1 :], suffix.split("\n")[: AROUND + 1]
    head, tail = "\n".join(before), "\n".join(after)
    return Window(len(prefix) - len(head), len(prefix) + len(tail), head + tail)


def pieces(text: str, name: str, edits: Sequence[CodeEdit], files: Sequence[CodeFile]) -> list[tuple[bool, str]]:
    """The prompt as (special token or text, …).

    Args:
        text: of the window.
        name: of the file.
        edits: the latest first.
    """
    latest = edits[0] if edits else None
    original = text.replace(latest.after, latest.before, 1) if latest and latest.after else text
    parts = [f"{file.name}\n{file.text}\n" for file in files]
    parts += [f"{one.name}.diff\noriginal:\n{one.before}\nupdated:\n{one.after}\n" for one in edits]
    parts += [f"original/{name}\n{original}\n", f"current/{name}\n{text}\n", f"updated/{name}"]
    return [piece for part in parts for piece in ((True, MARK), (False, part))]


class WindowCleaner:
    """The answer of such a model: lines that replace those of the window. Has the form of `CompletionCleaner`."""

    ended = False

    def __init__(self) -> None:
        self._raw = ""

    def feed(self, delta: str) -> str:
        """Take new text; nothing is shown before all is there, since it is told as a change."""
        self._raw += delta
        return ""

    def finish(self) -> str:
        """The lines, without the line end that the prompt had left open, and without one behind the last."""
        text = self._raw.replace("\r\n", "\n")
        for stop in STOPS:
            text = text.partition(stop)[0]
        return text.removeprefix("\n").removesuffix("\n")
