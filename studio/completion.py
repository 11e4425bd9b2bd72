"""Code completion as text: how a model is asked to fill a gap, and what of its answer is code to insert.

Knows no tokenizer, no model and no torch: the engines ask it whether a vocabulary has a family's tokens, what the
prompt is, and pass each new piece of the answer through a `CompletionCleaner`. The templates are those of the
models' own cards and papers (Qwen2.5-Coder, CodeGemma, StarCoder, Code Llama, DeepSeek-Coder, Codestral).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

STOPS = (
    "<|endoftext|>",
    "<|im_end|>",
    "<|im_start|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|file_sep|>",
    "<|file_separator|>",
    "<|repo_name|>",
    "<file_sep>",
    "<repo_name>",
    "<|EOT|>",
    "<eos>",
    "</s>",
)
"""Marks that end a document or a turn in one family or another. None of them is code that a person wants."""


@dataclass(frozen=True, slots=True)
class FimFamily:
    """One way to write fill-in-the-middle prompts.

    Attributes:
        prefix, suffix, middle: the tokens around the text; `middle` is empty where the prompt ends with the prefix.
        suffix_first: the suffix comes before the prefix.
        stops: strings that end the answer and are never part of it.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    suffix_first: bool = False
    ends: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[str, ...]:
        """The family's own tokens. A vocabulary that has them all belongs to the family."""
        return tuple(token for token in (self.prefix, self.suffix, self.middle) if token)

    @property
    def stops(self) -> tuple[str, ...]:
        return (*self.ends, *self.tokens, *STOPS)

    def pieces(self, prefix: str, suffix: str) -> tuple[tuple[bool, str], ...]:
        """The prompt in order, as (is a special token, text): user text must not be read as special tokens."""
        before, after = ((True, self.prefix), (False, prefix)), ((True, self.suffix), (False, suffix))
        order = (*after, *before) if self.suffix_first else (*before, *after)
        return (*order, (True, self.middle)) if self.middle else order

    def prompt(self, prefix: str, suffix: str) -> str:
        """The prompt as one string, for a tokenizer that reads special tokens in text."""
        return "".join(text for _, text in self.pieces(prefix, suffix))


FAMILIES = (
    FimFamily("qwen", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", ends=("<|fim_pad|>",)),
    FimFamily("starcoder", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", ends=("<fim_pad>",)),
    FimFamily("santacoder", "<fim-prefix>", "<fim-suffix>", "<fim-middle>", ends=("<fim-pad>",)),
    FimFamily("codellama", "▁<PRE>", "▁<SUF>", "▁<MID>", ends=("▁<EOT>", "<EOT>")),
    FimFamily("deepseek", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", ends=("<｜end▁of▁sentence｜>",)),
    FimFamily("codestral", "[PREFIX]", "[SUFFIX]", "", suffix_first=True, ends=("[MIDDLE]",)),
)
"""Tried in order. No vocabulary in use has the tokens of two of them."""


def fim_family(has_token: Callable[[str], bool]) -> FimFamily | None:
    """The family whose tokens a vocabulary has, or None: such a model can only go on from left to right."""
    return next((family for family in FAMILIES if all(map(has_token, family.tokens))), None)


def left_to_right(prefix: str) -> tuple[str, str]:
    """The prompt for a model that only writes on, and the white space before the cursor that it leaves out.

    Tokens of code begin with their white space, so a prompt that ends in some makes the model write something else
    than it would have. Give the second part to `CompletionCleaner`: the answer brings that white space again.
    """
    prompt = prefix.rstrip()
    return (prompt, prefix[len(prompt) :]) if prompt else (prefix, "")


_FENCE = "```"
_PROSE = ("sure", "certainly", "of course", "here is", "here's", "here are", "the following", "the completed")
_GOES_ON = re.compile(r"[)\]}>]|(else|elif|except|finally|catch|case|default|end|fi|done|then|do|public:|private:)\b")
_DIRECTIVE = re.compile(r"#\s*(if|ifdef|ifndef|else|elif|endif|define|undef|include|pragma)\b")
_DEFINITION = re.compile(r"(@|(async |export |pub |public |private |protected |static )*(def|class|function|func|fn) )")
_OPENS = (":", "{", "(", "[", "=>", "->")


class CompletionCleaner:
    """Turns the stream of a model's answer into the code to insert, letting through only what is certain.

    It cuts at stop strings, takes off a markdown fence and the sentence before it, ends where the answer leaves the
    block that it was in, and drops an end that repeats the text behind the cursor. What it has let through is never
    taken back, and how the answer was cut into pieces makes no difference.

    Args:
        suffix: the text behind the cursor.
        stops: strings that end the answer, for example `FimFamily.stops`; `STOPS` always apply.
        prefix: the text before the cursor, where known: it tells the indentation to return to.
        space: white space before the cursor that the prompt left out; see `left_to_right`.
    """

    def __init__(self, suffix: str, stops: tuple[str, ...] = (), prefix: str = "", space: str = "") -> None:
        self._suffix = suffix
        self._suffix_lines = [line.rstrip() for line in suffix.split("\n") if line.strip()]
        self._within_line = bool(suffix.split("\n", 1)[0].strip())
        self._stops = tuple(dict.fromkeys((*stops, *STOPS)))
        self._space = space
        self._line = prefix.rpartition("\n")[2]
        self._marks = _marks(prefix)
        self._markdown = _FENCE in prefix
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
        return fresh

    def _clean(self, final: bool) -> tuple[str, bool]:
        """What can be shown of the answer so far, and whether it is complete."""
        found = [at for stop in self._stops if (at := self._raw.find(stop)) >= 0]
        stopped = bool(found)
        text = self._raw[: min(found)] if found else self._raw
        if not (final or stopped):
            text = text[: len(text) - max(overlap(text, stop) for stop in self._stops)]
        if self._space:
            if not (text.strip() or final or stopped):
                return "", False
            text = _after_space(text, self._space)
        body = self._unfenced(text, final or stopped)
        if body is None:
            return "", False
        kept, left = self._within_block(body, final or stopped)
        if left:
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

    def _within_block(self, body: str, final: bool) -> tuple[str, bool]:
        """`body` up to where it leaves its block, closes a fence or begins the suffix; and whether it does."""
        lines = body.split("\n")
        marks = self._marks
        at = depth = 0
        start: int | None = None  # the indentation of the first line
        inside = False
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
                if repeats is None or (not whole and (_FENCE.startswith(code[:3]) or back or outer)):
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


def _after_space(text: str, space: str) -> str:
    """`text` without the white space that stands before the cursor already."""
    common = next((at for at, (one, other) in enumerate(zip(text, space, strict=False)) if one != other), None)
    common = min(len(text), len(space)) if common is None else common
    on_one_line = common == 0 or "\n" not in space[common:]
    return text[common:].lstrip(" \t") if on_one_line and common < len(space) else text[common:]


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
