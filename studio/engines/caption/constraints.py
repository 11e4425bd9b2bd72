"""Words that a generated text must have and must not have, held while it is generated.

What is forbidden is never chosen. What is required and still missing where the model would end, or where there is only
just room left, is put there after a comma, and ends the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.tasks.caption.edits import lacking


def forbidden(tokenizer: Any, words: Sequence[str]) -> list[list[int]]:
    """`bad_words_ids` of `generate`: each word as it is written at a beginning and after a space, small and large."""
    found: dict[tuple[int, ...], None] = {}
    for word in words:
        if not (flat := word.strip()):
            continue
        for form in (flat, flat.lower(), flat.capitalize()):
            for text in (form, " " + form):
                if ids := _ids(tokenizer, text):
                    found[tuple(ids)] = None
    return [list(ids) for ids in found]


def required(tokenizer: Any, words: Sequence[str], ends: set[int], most: int, continues: bool) -> Any:
    """A list of logits processors that sees to it that a text has `words`.

    Args:
        ends: the tokens that end a text.
        most: how many tokens it may have.
        continues: the model's input is the beginning of the text itself, not a prompt before it.
    """
    import torch
    from transformers import LogitsProcessor, LogitsProcessorList

    class _Required(LogitsProcessor):
        def __init__(self) -> None:
            self._begin: int | None = None
            self._due: dict[int, list[int]] = {}
            self._room = 1 + sum(len(_ids(tokenizer, f", {word}")) for word in words)

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if self._begin is None:
                self._begin = int(input_ids.shape[1])
            left = most - (int(input_ids.shape[1]) - self._begin)
            likeliest = scores.argmax(dim=-1).tolist()
            for row in range(input_ids.shape[0]):
                due = self._due.setdefault(row, [])
                if not due and (likeliest[row] in ends or left <= self._room):
                    text = tokenizer.decode(input_ids[row, 0 if continues else self._begin :], skip_special_tokens=True)
                    for word in lacking(text, words):
                        listed = _ids(tokenizer, f", {word}") if text.strip() else []
                        due += listed or _ids(tokenizer, word)
                    due += sorted(ends)[:1] if due else []  # or the model might write on at the last word
                if due:
                    forced = torch.full_like(scores[row], float("-inf"))
                    forced[due.pop(0)] = 0.0
                    scores[row] = forced
            return scores

    return LogitsProcessorList([_Required()])


def _ids(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text; none where the vocabulary does not have it."""
    ids = list(tokenizer(text, add_special_tokens=False).input_ids)
    return [] if tokenizer.unk_token_id in ids else ids
