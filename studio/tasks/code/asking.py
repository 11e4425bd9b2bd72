"""Asking: how a model that only talks is asked to fill a hole, and what of its answer is no code.

It sees the file with a mark where the cursor is, and two such tasks done before its own. Its answer is opened for it
with a tag, so that there is no room for a preface; what leaks all the same is taken off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.request_parts import CodeFile
from studio.tasks.code.completion import CompletionCleaner

OPENING, CLOSING = "<COMPLETION>", "</COMPLETION>"
HOLE = "{{FILL_HERE}}"
SYSTEM = (
    "You fill holes in source code. You are shown a file in which {hole} marks a hole. Answer with exactly the text "
    f"that belongs in the hole, between {OPENING} and {CLOSING}, and with nothing else: no explanation, no code fence, "
    "and none of the text that stands before or behind the hole. Keep to the file's language and indentation."
)
EXAMPLES = (
    ("function sum(list) {{\n  let total = 0;\n  for (const item of list) {{\n    {hole}\n  }}\n  return total;\n}}\n",
     "total += item;"),
    ("def area(width, height):\n    return {hole}\n\n\nprint(area(2, 3))\n", "width * height"),
)  # fmt: skip
_FENCE = "```"
_PREFACES = (
    "sure", "certainly", "of course", "okay", "here", "the following", "the completed", "the missing", "the text",
    "the code", "the hole", "to fill", "to complete",
)  # fmt: skip
_PREFACE = re.compile(rf"(?:{'|'.join(_PREFACES)})\b", re.IGNORECASE)
_PREFACE_LINES = 4
"""A preface is short, and code may begin with such a word."""
_LEAST = 3
"""Letters and digits that a line must have before it counts as said again."""


def messages(
    prefix: str, suffix: str, path: str, files: Sequence[CodeFile]
) -> tuple[str, tuple[tuple[str, str], ...], str]:
    """The system prompt, earlier turns as (question, answer), and the question.

    The mark is one that the file does not hold.
    """
    hole, number = HOLE, 1
    while hole in prefix or hole in suffix:
        number += 1
        hole = HOLE.replace("}}", f"_{number}}}}}")
    shown = tuple((text.format(hole=hole), f"{OPENING}{code}{CLOSING}") for text, code in EXAMPLES)
    others = "".join(f"File {file.name}:\n{file.text.rstrip()}\n\n" for file in files)
    name = f"File {path}:\n" if path or files else ""
    return SYSTEM.format(hole=hole), shown, f"{others}{name}{prefix}{hole}{suffix}"


class AskedCleaner:
    """As `CompletionCleaner`, for the answer of a model that was asked.

    Takes off thoughts, a preface, an opening fence, tags, and the beginning of the cursor's line where the model says
    it again.
    """

    def __init__(self, suffix: str, prefix: str, stops: tuple[str, ...] = (), language: str = "") -> None:
        line = prefix.replace("\r\n", "\n").rpartition("\n")[2]
        space = line[len(line.rstrip()) :]
        tags = (CLOSING, OPENING, HOLE[:-2])
        self._inner = CompletionCleaner(suffix, (*tags, *stops), prefix, space, language=language)
        self._line = line.strip() if sum(map(str.isalnum, line)) >= _LEAST else ""
        self._blank = not line.strip()
        self._fenced = _FENCE in prefix
        self._held: str | None = ""

    @property
    def ended(self) -> bool:
        return self._inner.ended

    def feed(self, delta: str) -> str:
        """Take new text from the model; return what is now certain to be shown."""
        if self._held is None:
            return self._inner.feed(delta)
        self._held += delta
        begun = self._begun(self._held, final=False)
        if begun is None:
            return ""
        self._held = None
        return self._inner.feed(begun)

    def finish(self) -> str:
        """The rest, once the model has said all."""
        shown = ""
        if self._held is not None:
            shown, self._held = self._inner.feed(self._begun(self._held, final=True) or ""), None
        return shown + self._inner.finish()

    def _begun(self, raw: str, *, final: bool) -> str | None:
        """The answer from its first code on; None while that cannot be told."""
        text = raw.replace("\r\n", "\n")
        head = text.lstrip()
        if head.startswith("<think>"):
            if "</think>" not in head:
                return "" if final else None
            text = head.partition("</think>")[2]
        elif not final and head and "<think>".startswith(head):
            return None
        head = text.lstrip()
        if head.startswith(OPENING):
            text = head.removeprefix(OPENING)
        elif not final and (not head or OPENING.startswith(head)):
            return None
        elif _PREFACE.match(head) and (begun := self._behind_preface(head)) is not None:
            text = begun
        elif not final and self._may_be_preface(head):
            return None
        return self._without_line(text, final)

    def _behind_preface(self, head: str) -> str | None:
        """What follows a preface: the text behind a tag, or a fence and the text behind it; None where neither does."""
        marks = [(place, mark) for mark in (OPENING, _FENCE) if (place := head.find(mark)) >= 0]
        place, mark = min(marks, default=(-1, ""))
        if place < 0 or head.count("\n", 0, place) >= _PREFACE_LINES:
            return None
        return head[place + len(OPENING) :] if mark == OPENING else head[place:]

    def _may_be_preface(self, head: str) -> bool:
        if _PREFACE.match(head):
            return head.count("\n") < _PREFACE_LINES
        return any(one.startswith(head.casefold()) for one in _PREFACES)

    def _without_line(self, text: str, final: bool) -> str | None:
        head = text.lstrip()
        if not final and (not head or _FENCE.startswith(head)):
            return None
        if head.startswith(_FENCE) and not self._fenced:
            _, newline, rest = head.partition("\n")
            if not (newline or final):
                return None
            text, head = rest, rest.lstrip()
        if not final and (not head or (self._line and self._line.startswith(head) and self._line != head)):
            return None
        if self._line and head.startswith(self._line):
            return head.removeprefix(self._line)
        return text.lstrip("\n") if self._blank else text
