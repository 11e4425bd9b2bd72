"""Code in a gap: one completion, or several to choose from, the one that the model is surest of first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from studio.engines.base import Loaded
from studio.jobs.context import PartContext, Plan, RunContext
from studio.requests import CodeRequest
from studio.results import Candidate, Output
from studio.tasks.code.syntax import parses


@dataclass(frozen=True)
class CodeChoices(Plan):
    """Each different completion of `request.count`; the best is `Output.text`.

    The first is shown while it is written. Engines write one completion a run; that there are several tells them to
    measure how sure they are.
    """

    request: CodeRequest

    def run(self, model: Loaded, context: RunContext) -> Output:
        request = self.request
        if request.only_prompt:
            return self.noted(model.run(request, context))
        drawn: dict[str, tuple[Candidate, Output]] = {}
        notes: list[tuple[str, dict[str, Any]]] = []
        last = Output()
        for number in range(request.count):
            if context.cancelled:
                break
            seed = int(request.seed or 0) + number
            last = model.run(replace(request, seed=seed), _Unseen(context) if number else context)
            notes += [note for note in last.notes if note not in notes]
            if last.finish == "cancelled" and drawn:
                break  # half a completion is no choice
            self._add(drawn, last, seed)
        ranked = sorted(drawn.values(), key=lambda one: -(one[0].score if one[0].score is not None else -1e9))
        if 0 < len(ranked) < request.count and not context.cancelled:
            notes.append(("candidates_alike", {"count": len(ranked)}))
        best = ranked[0][1] if ranked else last
        candidates = tuple(one for one, _ in ranked)
        output = replace(
            best, candidates=candidates, notes=tuple(notes),
            texts=tuple(one.text for one in candidates) if request.count > 1 else (),
            seeds=tuple(one.seed for one in candidates) or (int(request.seed or 0),),
            finish="cancelled" if context.cancelled else best.finish,
        )  # fmt: skip
        return self.noted(output)

    def _add(self, drawn: dict[str, tuple[Candidate, Output]], output: Output, seed: int) -> None:
        """Take a completion in; one that was drawn before counts again, by its better score."""
        text = output.text
        if not text.strip():
            return
        score = output.stats.get("mean_logprob")
        if text in drawn:
            known, first = drawn[text]
            scores = [one for one in (known.score, score) if one is not None]
            drawn[text] = (replace(known, times=known.times + 1, score=max(scores, default=None)), first)
            return
        request = self.request
        fine = parses(request.prefix, text, request.suffix, request.language)
        drawn[text] = (Candidate(text, seed, score, fine), output)


class _Unseen(PartContext):
    """What is written now is not shown: another completion stands where it would."""

    def text(self, delta: str) -> None:
        del delta
