"""Prompts of code: the text round a cursor as a model is given to read, the same for every engine.

A model with marks for a gap gets them, one that only talks is asked (studio.tasks.code.asking), and any other goes on
from what stands before the cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.engines.text import chat_templates, context_window
from studio.engines.text.prompts import Notes, Reading
from studio.errors import StudioError
from studio.request_parts import CodeEdit, CodeFile
from studio.requests import CodeRequest
from studio.results import Output
from studio.tasks.code import asking, next_edit, repository
from studio.tasks.code.asking import AskedCleaner
from studio.tasks.code.completion import STOPS, CompletionCleaner, FimFamily, left_to_right
from studio.tasks.code.next_edit import WindowCleaner

_SPACE_PROBE = "☺"
"""A character that no vocabulary joins to what follows: behind it, a text has no space put in front of it."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What a model reads of a file, and how its answer is read.

    Attributes:
        ids: the tokens; none where there is nothing to read.
        text: the same as text, special tokens included, for a person who wants to see it.
        stops: strings that end the answer.
        cleaner: takes the answer piece by piece.
        notes: what was left out, and how the model was asked where that is not by its own marks.
    """

    ids: list[int]
    text: str
    stops: tuple[str, ...]
    cleaner: CompletionCleaner | AskedCleaner | WindowCleaner
    notes: Notes = field(default=())

    def shown(self) -> Output:
        """The prompt itself, for a request that wants only that."""
        return Output(prompt=self.text, stats={"prompt_tokens": float(len(self.ids))}, notes=self.notes)


def code(
    reading: Reading,
    request: CodeRequest,
    family: FimFamily | None,
    limit: int,
    check: Callable[[], None],
    *,
    ask: bool,
    rewrites: bool = False,
) -> Filling:
    """The text round the cursor; what is furthest from it goes first.

    Args:
        family: the marks that the model's tokenizer has.
        limit: tokens that prompt and completion may have together.
        check: raises once the person pressed Stop.
        ask: a model that only talks is asked; without, it goes on too.
        rewrites: it was made to tell the next edit.

    Raises:
        StudioError: broken_model: no use of the chat template; no_next_edit; no_room_for_edit.
    """
    if request.edits and not (rewrites and reading.has(next_edit.MARK)):
        raise StudioError("no_next_edit", model=request.model)
    return _Prompt(reading, request, limit, check).filling(family, ask)


class _Prompt:
    """One request on its way to a prompt."""

    def __init__(self, reading: Reading, request: CodeRequest, limit: int, check: Callable[[], None]) -> None:
        self._reading, self._request, self._check = reading, request, check
        self._room = context_window.room_for_prompt(limit, request.max_tokens or 1)
        self._prefix, self._suffix = (text.replace("\r\n", "\n") for text in (request.prefix, request.suffix))
        self._notes: list[tuple[str, dict[str, Any]]] = []

    def filling(self, family: FimFamily | None, ask: bool) -> Filling:
        request = self._request
        if request.edits:
            return self._next_edit()
        if family is not None and request.fill_in_middle:
            return self._marked(family)
        if ask and request.fill_in_middle and self._suffix.strip() and self._reading.render is not None:
            return self._asked()
        return self._left_to_right()

    def _marked(self, family: FimFamily) -> Filling:
        form = repository.repository_form(family, self._reading.has)
        files = self._files()
        before, after = self._around(self._prefix, self._suffix, files)
        if files and form is not None:
            pieces = form.pieces(family, files, self._request.path, before, after)
        else:
            comments = repository.commented(files, self._request.language)
            pieces = repository.joined(family.pieces(comments + before, after))
        ids, text = self._opening()
        follows_suffix = False
        for special, part in pieces:
            if special:
                ids.append(self._reading.token(part))
                follows_suffix = part == family.suffix
            else:
                ids += self._unspaced(part) if follows_suffix else self._reading.tokens(part)
            text += part
        cleaner = CompletionCleaner(
            self._request.suffix, family.stops, self._request.prefix, language=self._request.language
        )
        return Filling(ids, text, family.stops, cleaner, tuple(self._notes))

    def _next_edit(self) -> Filling:
        lines = next_edit.window(self._prefix, self._suffix).text
        rest = self._room - 2 * self._size(lines) - 3 * self._size(self._request.path) - 20
        edits: list[CodeEdit] = []
        for one in self._request.edits:
            rest -= self._size(one.name + one.before + one.after) + 12
            if rest < 0 and edits:
                break
            edits.append(one)
        files, _, _ = context_window.beginnings(self._request.files, max(rest // 2, 0), self._size, self._check)
        ids, text = self._opening()
        for special, part in next_edit.pieces(lines, self._request.path or "file", edits, files):
            ids += [self._reading.token(part)] if special else self._reading.tokens(part)
            text += part
        if len(ids) > self._room:
            raise StudioError("no_room_for_edit", model=self._request.model)
        return Filling(ids, text, next_edit.STOPS, WindowCleaner())

    def _asked(self) -> Filling:
        files = self._files()
        system, shown, empty = asking.messages("", "", self._request.path, files)
        examples = [
            {"role": role, "content": content}
            for pair in shown
            for role, content in zip(("user", "assistant"), pair, strict=True)
        ]
        ours = [system, empty, *(turn["content"] for turn in examples)]
        words = sum(map(self._size, ours)) + context_window.TURN * len(ours)
        if words > self._room // 2:  # a window in which the question would leave no room for the file
            self._notes.clear()
            return self._left_to_right()
        before, after = self._around(self._prefix, self._suffix, files, words)
        system, shown, question = asking.messages(before, after, self._request.path, files)
        (question,), separator = chat_templates.guarded((question,), self._reading.special)
        turns = [*examples, {"role": "user", "content": question}]
        try:
            text = chat_templates.written(self._reading.render, system, turns)
        except chat_templates.Refused as error:
            raise StudioError("broken_model", model=self._request.model, reason=f"chat template: {error}") from None
        if text.rstrip().endswith("<think>"):  # it is not asked to think, and must not stay in its thoughts
            text = f"{text.rstrip()}\n\n</think>\n\n"
        parts = (text + asking.OPENING).split(separator)
        ids = [
            token
            for at, part in enumerate(parts)
            for token in self._reading.tokens(part, special=True, opening=at == 0)
        ]
        cleaner = AskedCleaner(self._request.suffix, self._request.prefix, STOPS, self._request.language)
        self._notes.append(("asked_to_fill", {}))
        return Filling(ids, "".join(parts), (asking.CLOSING,), cleaner, tuple(self._notes))

    def _left_to_right(self) -> Filling:
        request = self._request
        whole, space = left_to_right(self._prefix)
        cleaner = CompletionCleaner(request.suffix, STOPS, request.prefix, space, ahead=True, language=request.language)
        if not whole.strip():
            return Filling([], "", (), cleaner, (("nothing_before", {}),))
        files = self._files()
        before, _ = self._around(whole, "", files)
        if request.fill_in_middle and self._suffix.strip():
            self._notes.append(("no_fim", {}))
        ids, text = self._opening()
        prompt = repository.commented(files, request.language) + before
        return Filling(ids + self._reading.tokens(prompt), text + prompt, STOPS, cleaner, tuple(self._notes))

    def _opening(self) -> tuple[list[int], str]:
        ids = self._reading.tokens("", opening=True)
        return ids, self._reading.first if ids else ""

    def _around(self, prefix: str, suffix: str, files: Sequence[CodeFile], words: int = 0) -> tuple[str, str]:
        """What of the file fits beside other files and `words` tokens of ours."""
        room = self._room - sum(self._size(file.text) + self._size(file.name) + 4 for file in files)
        room = max(1, room - len(self._reading.tokens("", opening=True)) - 3 - words)
        before, after, cut = context_window.around(prefix, suffix, room, self._size, self._check)
        if cut:
            self._notes.append(("code_cut", {"count": cut}))
        return before, after

    def _files(self) -> tuple[CodeFile, ...]:
        """The beginnings of other files that fit, and a note of what does not."""
        room = min(self._room // 2, context_window.FILES_TOKENS)
        kept, shortened, left = context_window.beginnings(self._request.files, room, self._size, self._check)
        if shortened:
            self._notes.append(("files_cut", {"names": ", ".join(shortened)}))
        if left:
            self._notes.append(("files_left", {"names": ", ".join(left)}))
        return kept

    def _size(self, text: str) -> int:
        return len(self._reading.tokens(text))

    def _unspaced(self, text: str) -> list[int]:
        """`text` as tokens without the space that some tokenizers put in front of every text.

        Code Llama's and Mistral's own programs do so with what stands behind the gap.
        """
        read = self._reading.tokens
        probe = read(_SPACE_PROBE)
        joined = read(f"{_SPACE_PROBE}x")
        spaced = joined[: len(probe)] == probe and joined[len(probe) :] != read("x")
        whole = read(_SPACE_PROBE + text) if spaced else []
        return whole[len(probe) :] if whole[: len(probe)] == probe and whole else read(text)
