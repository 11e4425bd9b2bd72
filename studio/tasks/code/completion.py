"""Completion: what of a model's answer is code to insert at the cursor. How it is asked: studio.tasks.code.fim.

Knows no tokenizer, no model and no torch: the engines pass each new piece of the answer through a `CompletionCleaner`.
"""

from __future__ import annotations

import re

from studio.tasks.code.fim import FAMILIES, STOPS, FimFamily, fim_family, left_to_right
from studio.tasks.code.habits import after_space, indentation, indented
from studio.tasks.code.scope import Scope

__all__ = ["FAMILIES", "STOPS", "CompletionCleaner", "FimFamily", "fim_family", "left_to_right", "overlap"]

_FENCE = "```"
_PROSE = ("sure", "certainly", "of course", "here is", "here's", "here are", "the following", "the completed")
_GOES_ON = re.compile(r"[)\]}>]|(else|elif|except|finally|catch|case|default|end|fi|done|then|do|public:|private:)\b")
_DIRECTIVE = re.compile(r"#\s*(if|ifdef|ifndef|else|elif|endif|define|undef|include|pragma)\b")
_DEFINITION = re.compile(r"(@|(async |export |pub |public |private |protected |static )*(def|class|function|func|fn) )")
_READ = ("html", "markdown", "latex")
"""Languages whose files hold prose."""
_HEADING = r"((Note|Output|Explanation|Example|Examples|Usage|Input|Result|Answer)( [a-z ]*)?:)"
_IS_PROSE = re.compile(
    r"([A-Z][a-z']*,?\s+([A-Za-z][a-z'’-]*,?\s+|`[^`]*`,?\s+){2,}[^=;{}]*[.:!?]?$)"
    rf"|{_HEADING}"
    r"|(\*\*[^*]+\*\*)"
)
_MAY_BE_PROSE = re.compile(
    r"[A-Z][a-z']*,?:?(\s+((?=[A-Za-z`])([^=;{}`]|`[^`]*(`|$))*)?)?" rf"|{_HEADING}.*" r"|\*(\*[^*]*(\*.*)?)?"
)
"""Every beginning of what may still become prose: what is let through once is not taken back."""
_OPENS = (":", "{", "(", "[", "=>", "->")


class CompletionCleaner:
    """Turns the stream of a model's answer into the code to insert, letting through only what is certain.

    It cuts at stop strings, takes off a markdown fence and the sentence before it, ends where the answer leaves the
    block that it was in, and drops an end that repeats the text behind the cursor. What it has let through is never
    taken back, and how the answer was cut into pieces makes no difference.

    The file's own ways are kept: its line ends, tabs or spaces at the beginning of lines, and that nothing stands
    behind its last line.

    Args:
        suffix: the text behind the cursor.
        stops: strings that end the answer, for example `FimFamily.stops`; `STOPS` always apply.
        prefix: the text before the cursor, where known: it tells the indentation to return to.
        space: white space before the cursor that the prompt left out; see `left_to_right`.
        ahead: the model did not see the text behind the cursor. Within a line it then writes the rest of that line
            in its own way, and ends there.
        language: the editor's name of it, where known: it tells where a block ends (studio.tasks.code.scope), and
            that in a text for readers prose is no mistake.
    """

    def __init__(
        self,
        suffix: str,
        stops: tuple[str, ...] = (),
        prefix: str = "",
        space: str = "",
        *,
        ahead: bool = False,
        language: str = "",
    ) -> None:
        self._returns = "\r\n" in prefix + suffix
        suffix, prefix, space = (text.replace("\r\n", "\n") for text in (suffix, prefix, space))
        self._scope = Scope(prefix, suffix, language)
        self._open_ended = not suffix and bool(prefix) and not prefix.endswith("\n")
        self._suffix = suffix
        self._suffix_lines = [line.rstrip() for line in suffix.split("\n") if line.strip()]
        self._within_line = bool(suffix.split("\n", 1)[0].strip())
        self._stops = tuple(dict.fromkeys((*stops, *STOPS)))
        self._space = space
        self._line = prefix.rpartition("\n")[2]
        self._marks = _marks(prefix)
        self._markdown = _FENCE in prefix
        self._prose = not self._markdown and language not in _READ and not re.match(r"\s*(<[!a-zA-Z?]|\\[a-z])", prefix)
        self._commented = prefix.count("/*") - prefix.count("*/") + prefix.count("<!--") - prefix.count("-->")
        self._ahead = ahead and self._within_line
        self._indentation = indentation(f"{prefix}\n{suffix}")
        self._width = 0
        self._raw = ""
        self._shown = 0
        self._ended = False

    @property
    def ended(self) -> bool:
        """The completion is complete: whatever the model adds is dropped, so it may as well stop."""
        return self._ended

    def feed(self, delta: str) -> str:
        """Take new text from the model; return what is now certain to be shown."""
        if self._ended:
            return ""
        self._raw += delta
        text, self._ended = self._clean(final=False)
        return self._new(text)

    def finish(self) -> str:
        """The rest, once the model has said all. Nothing can be fed afterwards."""
        text, _ = self._clean(final=True)
        self._ended = True
        return self._new(text)

    def _new(self, text: str) -> str:
        fresh = text[self._shown :]
        self._shown = max(self._shown, len(text))
        return fresh.replace("\n", "\r\n") if self._returns else fresh

    def _clean(self, final: bool) -> tuple[str, bool]:
        """What can be shown of the answer so far, and whether it is complete."""
        raw = self._raw.replace("\r\n", "\n")
        raw = raw if final else raw.removesuffix("\r")
        found = [at for stop in self._stops if (at := raw.find(stop)) >= 0]
        stopped = bool(found)
        text = raw[: min(found)] if found else raw
        if not (final or stopped):
            text = text[: len(text) - max(overlap(text, stop) for stop in self._stops)]
        if self._space:
            if not (text.strip() or final or stopped):
                return "", False
            tabs = self._line.count("\t")
            if tabs and not self._line.strip() and (ahead := re.match(r"\n*( {2,})\S", text)):
                self._width = max(len(ahead[1]) // tabs, 1)  # what the model means by a tab of the file
            text = after_space(text, self._space)
        body = self._unfenced(text, final or stopped)
        if body is None:
            return "", False
        body = indented(body, self._indentation, final or stopped, not self._line, self._width)
        if self._ahead:
            return self._within(body, final or stopped)
        size, over = self._scope.end(body, final or stopped)
        body = body[:size]
        kept, left = self._within_block(body, final or stopped or over)
        left = left or (over and kept == body)
        if left or ((final or stopped) and self._open_ended):
            kept = kept.rstrip()
        if final or stopped or left:
            return self._without_suffix(kept), stopped or left
        kept = kept.rstrip()
        return kept[: len(kept) - overlap(body[: len(kept)], self._suffix)], False

    def _unfenced(self, text: str, final: bool) -> str | None:
        """The answer from its first line of code on; None while that cannot be told."""
        if self._markdown:
            return text
        head = text.lstrip()
        first, newline, rest = head.partition("\n")
        if head.startswith(_FENCE):
            return rest if newline or final else None
        if not final and _FENCE.startswith(head):
            return None
        lower = first.lower()
        if self._line.strip():
            return text
        if not lower.startswith(_PROSE):
            undecided = not newline and not final and any(words.startswith(lower) for words in _PROSE)
            return None if undecided else text
        opening = re.search(rf"^\s*{_FENCE}.*\n", text, re.MULTILINE)
        return text[opening.end() :] if opening else text if final else None

    def _within(self, body: str, final: bool) -> tuple[str, bool]:
        """What belongs between the cursor and the rest of its line, which the model did not see."""
        line, ended, _ = body.partition("\n")
        rest = self._suffix.split("\n", 1)[0].strip()
        at = line.find(rest) if len(rest) > 1 else -1
        if at >= 0:
            return line[:at].rstrip() if self._suffix[0].isspace() else line[:at], True
        if ended or final:
            return self._without_suffix(line.rstrip()), True
        return "", False

    def _within_block(self, body: str, final: bool) -> tuple[str, bool]:
        """`body` up to where it leaves its block, closes a fence or begins the suffix; and whether it does."""
        lines = body.split("\n")
        marks = self._marks
        at = depth = 0
        start: int | None = None  # the indentation of the first line
        inside = False
        commented = self._commented
        for index, line in enumerate(lines):
            whole = final or index < len(lines) - 1
            shown = self._line + line if index == 0 else line
            code = shown.strip()
            if code and not any(count % 2 for count in marks):  # not within a string of several lines
                indent = len(shown) - len(shown.lstrip())
                back = inside and depth <= 0 and indent == 0
                outer = start is not None and depth <= 0 and indent < start
                begins = index > 0 or not self._line.strip()
                repeats = begins and self._repeats([shown, *lines[index + 1 :]], final)
                prose = begins and self._prose and indent == 0 and depth <= 0 and commented <= 0
                if repeats is None or (prose and not whole and _MAY_BE_PROSE.fullmatch(code)):
                    return body[:at], False
                if prose and whole and _IS_PROSE.match(code):
                    return body[:at], True
                if not whole and (_FENCE.startswith(code[:3]) or back or outer):
                    return body[:at], False
                if (
                    repeats
                    or (code.startswith(_FENCE) and not self._markdown)
                    or (back and not _GOES_ON.match(code) and not _DIRECTIVE.match(code))
                    or (outer and _DEFINITION.match(code))
                ):
                    return body[:at], True
                opens = code.endswith(_OPENS)
                if start is None:
                    start = indent + 1 if opens else indent
                inside = inside or indent > 0 or opens
            commented += line.count("/*") - line.count("*/") + line.count("<!--") - line.count("-->")
            depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
            marks = tuple(map(sum, zip(marks, _marks(line), strict=True)))
            at += len(line) + 1
        return body, False

    def _repeats(self, lines: list[str], final: bool) -> bool | None:
        """Whether `lines` are the suffix again: its first two lines, or its only one. None: more must be seen."""
        wanted = self._suffix_lines[:2]
        if not wanted or self._within_line or not any(character.isalnum() for character in wanted[0]):
            return False  # an end that overlaps, or is brackets only, is looked at by _without_suffix
        given = [line.rstrip() for line in lines if line.strip()]
        unfinished = given.pop() if lines[-1].strip() and not final else ""
        if any(one != other for one, other in zip(given, wanted, strict=False)):
            return False
        if final or len(given) >= len(wanted):
            return True
        return None if wanted[len(given)].startswith(unfinished) else False

    def _without_suffix(self, text: str) -> str:
        """`text` without an end that is the beginning of the suffix, unless the text needs it itself."""
        for length in range(min(len(text), len(self._suffix)), 0, -1):
            tail = self._suffix[:length]
            if not text.endswith(tail):
                continue
            words = [character for character in tail if character.isalnum()]
            first = self._suffix.lstrip().split("\n", 1)[0].rstrip()
            if words and (len(words) < 3 or first not in tail):
                continue
            if not words and _balanced(text) and tail.strip():
                continue
            return text[: len(text) - length]
        return text


def _marks(text: str) -> tuple[int, ...]:
    """How often each mark of a string of several lines occurs. An odd count means that one is open."""
    return text.count('"""'), text.count("'''"), text.count("`") - 3 * text.count(_FENCE)


def overlap(text: str, marker: str) -> int:
    """Length of the longest end of `text` that is a beginning of `marker`."""
    at = text.find(marker[:1], max(0, len(text) - len(marker))) if marker else -1
    while at >= 0:
        if marker.startswith(text[at:]):
            return len(text) - at
        at = text.find(marker[0], at + 1)
    return 0


def _balanced(text: str) -> bool:
    """Every bracket that `text` closes was opened in it, and its quotes pair up."""
    if not any(character in text for character in "()[]{}\"'"):
        return False
    pairs = all(text.count(opening) >= text.count(closing) for opening, closing in ("()", "[]", "{}"))
    return pairs and text.count('"') % 2 == 0 and text.count("'") % 2 == 0
