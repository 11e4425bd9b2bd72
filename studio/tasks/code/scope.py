"""Scope: where a completion leaves the block that the cursor was in, by the rules of its language.

Languages with braces, Ruby, shell and HTML end with the block round the cursor: before its end where the text behind
the cursor has that end already, behind it where nothing has. Python ends with the function or class, YAML with the
mapping, SQL with the statement. Languages that are not known have no such end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from studio.tasks.code.lexing import BRACES, Event, Skipped, canonical, known, lex

_GOES_ON = ("else", "catch", "finally")
"""Words that go on with a statement behind a closing brace."""
_CONTROL = re.compile(r"\s*(?:\}\s*)?(?:if|for|foreach|while|switch|catch|else|try|do|using|lock|match|loop|unsafe)\b")
_DEFINES = re.compile(
    r"\b(?:class|interface|struct|enum|impl|trait|func|fn|function|namespace|record)\b"
    r"|\)\s*(?:const|noexcept|override|throws\s[\w., ]+|:\s*[\w\\|?<>\[\], ]+)?\s*\{$"
)
_PYTHON = re.compile(r"\s*(?:async\s+def|def|class)\b")
_LONG_LINE = 4_000
_DEEPEST = 200
"""Blocks in which the one that is closed is looked for: what is deeper is nobody's code, and would take for ever."""


class Scope:
    """The block round a cursor.

    Args:
        prefix, suffix: the text on both sides of the cursor, with line feeds alone.
        language: as an editor calls it; "" for none.
    """

    def __init__(self, prefix: str, suffix: str, language: str) -> None:
        self._language = canonical(language)
        self._prefix, self._suffix = prefix, suffix

    def end(self, body: str, final: bool) -> tuple[int, bool]:
        """How many characters of a completion belong to the block, as far as is certain, and whether it ends there.

        Args:
            final: nothing is added to `body` any more.
        """
        if self._language == "yaml":
            return self._by_indentation(body, final, strict=True)
        if not known(self._language):
            return len(body), False
        if self._language == "python":
            return self._by_indentation(body, final, strict=False)
        return self._by_blocks(body, final)

    @cached_property
    def _before(self) -> tuple[list[str], str, int]:
        """Blocks that are open before the last line of the prefix; that line; blocks that nothing closes."""
        line = self._prefix.rfind("\n") + 1
        open_now: list[str] = []
        tail, size, lowest = line, None, 0
        for one in lex(self._prefix + self._suffix, self._language):
            if one.start >= len(self._prefix) and size is None:
                size = lowest = len(open_now)
            if isinstance(one, Skipped):
                if one.start < line < one.end:
                    tail = min(tail, one.start)
                continue
            if one.name == ";" and not one.opens:
                continue
            if one.opens:
                open_now.append(one.name)
            elif (at := _last(open_now, one.name)) is not None:
                del open_now[at:]
            if size is not None:
                lowest = min(lowest, len(open_now))
        if len(self._prefix) - tail > _LONG_LINE:
            tail = len(self._prefix)
        unclosed = len(open_now) if size is None else lowest
        names: list[str] = []
        for one in lex(self._prefix[:tail], self._language):
            if isinstance(one, Event) and one.name != ";":
                _apply(names, one)
        return names, self._prefix[tail:], unclosed

    def _by_blocks(self, body: str, final: bool) -> tuple[int, bool]:
        names, tail, missing = self._before
        text, offset = tail + body, len(tail)
        outer, inner, starts = list(names), list[str](), list[int]()
        left = skip = 0  # blocks round the cursor that the body has closed; braces that only go on with a statement
        line_end: int | None = None
        for one in lex(text, self._language):
            if isinstance(one, Skipped):
                continue
            if one.start < offset and one.sure:
                if one.name != ";":
                    _apply(outer, one)
                continue
            if line_end is not None and one.start > line_end:
                return line_end - offset, True
            if not one.sure and not final:
                return max(one.start - offset, 0), False
            if one.name == ";" and not one.opens:
                if not inner and not re.search(r"\bbegin\b", self._prefix[-2000:] + body, re.IGNORECASE):
                    return one.end - offset, True
                continue
            if one.opens:
                if skip and one.name == "}":
                    skip -= 1
                else:
                    inner.append(one.name)
                    starts.append(one.start)
                continue
            if (at := _last(inner, one.name)) is not None:
                start = starts[at]
                del inner[at:], starts[at:]
                if inner or not self._over(text, start, one, left, bool(outer)):
                    continue
            elif (place := _last(outer, one.name)) is None:
                continue  # it closes nothing
            else:
                if one.name == "}" and (on := _on(text, one.end, final)) is not False:
                    if on is None:
                        return max(one.start - offset, 0), False
                    skip += 1
                    continue
                if left + len(outer) - place > missing:
                    return max(one.start - offset, 0), True
                left += len(outer) - place
                del outer[place:]
            if one.name == "}" and (on := _on(text, one.end, final)) is not False:
                if on is None:
                    return one.end - offset, False
                continue
            found = text.find("\n", one.end)
            line_end = found if found >= 0 else len(text)
        if line_end is not None and (line_end < len(text) or final):
            return line_end - offset, True
        return len(body), False

    def _over(self, text: str, start: int, one: Event, left: int, within: bool) -> bool:
        """Whether a block that the body opened and closed ends the completion."""
        if left:
            return True
        if self._language in ("json", "css"):
            return one.name == "}" and not within
        line = text[text.rfind("\n", 0, start) + 1 : start + 1]
        if one.name != "}" or self._language not in BRACES:
            return False
        if line.strip() == "{":  # a brace on a line of its own belongs to the line before
            line = text[: text.rfind("\n", 0, start) + 1].rstrip().rpartition("\n")[2] + " {"
        return bool(_DEFINES.search(line.rstrip())) and not _CONTROL.match(line) and "=" not in line.partition("(")[0]

    def _by_indentation(self, body: str, final: bool, *, strict: bool) -> tuple[int, bool]:
        """Ends at the first line that is not further in than the block is.

        Args:
            strict: the block is what stands as far in as the first line; otherwise the function or class round it.
        """
        first = self._prefix.rpartition("\n")[2]
        lines = (first + body).split("\n")
        begin = next((line for line in lines if line.strip()), "")
        width = _width(begin)
        if strict:
            least = width - 1
        elif (header := self._header(width)) is None:
            return len(body), False
        else:
            least = header
        inside = self._inside(first + body) if not strict else lambda _: False
        at = -len(first)
        started = False
        for number, line in enumerate(lines):
            if line.strip() and started and not (strict and line.lstrip().startswith("#")):
                if _width(line) <= least and not inside(at + len(first)):
                    return max(at, 0), True
            elif not line.strip() and number == len(lines) - 1 and started and not final:
                return max(at, 0), False
            started = started or bool(line.strip())
            at += len(line) + 1
        return len(body), False

    def _inside(self, text: str) -> Callable[[int], bool]:
        """A function that says whether a place lies in a string of several lines or between brackets."""
        spans: list[tuple[int, int]] = []
        depth, opened = 0, 0
        for one in lex(text, self._language):
            if isinstance(one, Skipped):
                spans.append((one.start, one.end))
            elif one.opens:
                depth, opened = depth + 1, opened if depth else one.start
            elif depth:
                depth -= 1
                if not depth:
                    spans.append((opened, one.end))
        if depth:
            spans.append((opened, len(text) + 1))
        return lambda place: any(start < place < end for start, end in spans)

    def _header(self, width: int) -> int | None:
        """How far in the function or class round a line stands that is `width` in; None where there is none."""
        for line in reversed(self._prefix.split("\n")[:-1]):
            if line.strip() and (found := _width(line)) < width:
                width = found
                if _PYTHON.match(line):
                    return found
                if not width:
                    return None
        return None


def _width(line: str) -> int:
    ahead = line[: len(line) - len(line.lstrip())]
    return len(ahead.expandtabs(8)) if "\t" in ahead else len(ahead)


def _last(names: list[str], name: str) -> int | None:
    """The last place of a name in a list; None where it is not among the last few hundred."""
    for back in range(1, min(len(names), _DEEPEST) + 1):
        if names[-back] == name:
            return len(names) - back
    return None


def _apply(names: list[str], one: Event) -> None:
    if one.opens:
        names.append(one.name)
    elif (at := _last(names, one.name)) is not None:
        del names[at:]


def _on(text: str, at: int, final: bool) -> bool | None:
    """Whether a statement goes on behind the brace that ends at `at`; None where that cannot be told yet."""
    rest = text[at:]
    word = re.match(r"\s*([a-z]*)", rest)
    said = word[1] if word else ""
    whole = word is not None and word.end() < len(rest)
    if whole or final:
        return said in _GOES_ON
    return None if any(one.startswith(said) for one in _GOES_ON) else False
