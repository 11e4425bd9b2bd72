"""Stream of generated tokens as text that can be shown as it comes.

Imports torch only where a tensor is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.tasks.code.completion import overlap

_BROKEN = "\ufffd"


class Detokenizer:
    """Tokens in, text out, never half a character.

    A token may be a part of a character, and how one is written may depend on its neighbours. So a short window is
    decoded twice, without and with the new tokens, and the difference is let through once it is whole.

    Args:
        before: the last tokens of the prompt, so that the first new one keeps the space in front of it.
    """

    def __init__(self, tokenizer: Any, before: list[int] | None = None) -> None:
        self._tokenizer = tokenizer
        self._ids = list(before or ())
        self._from = 0
        self._read = len(self._ids)

    def feed(self, token: int) -> str:
        """The text that became certain with `token`; often empty in the middle of a character."""
        self._ids.append(token)
        before = self._decode(self._ids[self._from : self._read])
        after = self._decode(self._ids[self._from :])
        if len(after) <= len(before) or after.endswith(_BROKEN):
            return ""
        self._from, self._read = self._read, len(self._ids)
        return after[len(before) :].replace(_BROKEN, "")

    def finish(self) -> str:
        """What is left; a character that never became whole is dropped."""
        before = self._decode(self._ids[self._from : self._read])
        return self._decode(self._ids[self._from :])[len(before) :].replace(_BROKEN, "")

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


class StopCutter:
    """Lets text through up to the first stop string, which is never shown, not even in part."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.ended = False

    def feed(self, delta: str) -> str:
        """Text that is certain not to begin a stop string."""
        if self.ended:
            return ""
        text = self._held + delta
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.ended, self._held = True, ""
            return text[: min(found)]
        keep = max((overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """What was held back, once it is known not to become a stop string."""
        rest, self._held = self._held, ""
        return rest


class Odds:
    """Logits processor for `generate` that changes nothing and remembers how likely each token was, before sampling."""

    def __init__(self) -> None:
        self._scores: Any = None
        self._logprobs: list[float] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        del input_ids
        self._scores = scores
        return scores

    def chosen(self, token: int) -> None:
        """Told of each token that was drawn from the last scores."""
        if self._scores is not None:
            self._logprobs.append(float(self._scores[0].float().log_softmax(-1)[token]))

    def stats(self) -> dict[str, float]:
        """The mean of the log-probabilities, as a figure of an output; nothing where none was measured."""
        return {"mean_logprob": sum(self._logprobs) / len(self._logprobs)} if self._logprobs else {}


def after_each_token(look: Callable[[Any], bool]) -> Any:
    """Stopping criteria for `generate` that call `look(sequences)` after every token and stop once it says True."""
    import torch
    from transformers import StoppingCriteria, StoppingCriteriaList

    class _Look(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:  # noqa: ARG002
            stop = look(input_ids)
            return torch.full((input_ids.shape[0],), stop, dtype=torch.bool, device=input_ids.device)

    return StoppingCriteriaList([_Look()])
