"""One picture: its caption in the style that was asked for, or several to choose from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from studio.engines.base import Loaded
from studio.jobs.context import Plan, RunContext
from studio.requests import CaptionRequest
from studio.results import Output
from studio.tasks.caption import doubt
from studio.tasks.caption.edits import lacking
from studio.tasks.caption.styles import phrased


@dataclass(frozen=True)
class CaptionChoices(Plan):
    """The caption, or each different one of `request.count`; the first is `Output.text`."""

    request: CaptionRequest

    def run(self, model: Loaded, context: RunContext) -> Output:
        request = self.request
        if request.count == 1:
            output = model.run(request, context)
            text = phrased(output.text, request)
            said = (*output.notes, *(() if doubt.strange(output.notes) else held(text, request)))
            return replace(output, text=doubt.spoken(text, said, request), notes=said)
        found: dict[str, int] = {}
        notes: list[tuple[str, dict[str, Any]]] = []
        last = Output()
        for number in range(request.count):
            if context.cancelled:
                break
            if number:
                context.text("\n")
            one = replace(request, count=1, seed=int(request.seed or 0) + number)
            last = model.run(one, context)
            if doubt.strange(last.notes):
                return replace(last, text=doubt.spoken("", last.notes, request))
            if text := phrased(last.text, one):
                found.setdefault(text, int(one.seed or 0))
                notes += [note for note in (*last.notes, *held(text, one)) if note not in notes]
        if len(found) < request.count and not context.cancelled:
            notes.append(("captions_alike", {"count": len(found)}))
        return replace(
            last, text=next(iter(found), ""), texts=tuple(found) or ("",), notes=tuple(notes),
            seeds=tuple(found.values()) or (int(request.seed or 0),),
            finish="cancelled" if context.cancelled else "stop",
        )  # fmt: skip


def held(text: str, request: CaptionRequest) -> tuple[tuple[str, dict[str, Any]], ...]:
    """What a caption lacks of the words that it must have, and has of those that it must not, as notes."""
    missing = lacking(text, request.require)
    found = [word for word in request.forbid if not lacking(text, (word,))]
    notes = [("words_missing", {"words": ", ".join(missing)})] if missing else []
    return tuple(notes + ([("words_found", {"words": ", ".join(found)})] if found else []))
