"""Completions as one types: live runs (studio.jobs.live) of code that end soon, whatever the model still has to say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.jobs.live import Live
from studio.jobs.planner import Intake
from studio.requests import CodeRequest

SECONDS = 2.0
"""A completion gets so many; what is there by then is shown, up to its last whole line or word."""
MOST_TOKENS = 64
EDIT_SECONDS, EDIT_TOKENS = 30.0, 512
"""The same of twenty-one lines, which somebody pressed a button for."""


@dataclass(frozen=True, slots=True)
class Written:
    """A completion, and the seconds that were spent on it."""

    text: str
    seconds: float


class Scribe:
    """Where completions are written as one types."""

    def __init__(self, intake: Intake, live: Live) -> None:
        self._intake, self._live = intake, live

    def there(self, request: CodeRequest) -> bool:
        """Whether the model of a request may be used while somebody types (`Live.there`).

        Raises:
            StudioError: as Studio.submit.
        """
        return self._live.there(self._intake.order(request).card)

    def next_edit(self, request: CodeRequest, who: str, place: str = "") -> Written | None:
        """The lines round the cursor as they will be next; None where it gave way to others.

        Args:
            request: with `edits`. place: as `Live.run`.

        Raises:
            StudioError: as Studio.submit; no_next_edit, where the model was not made for that.
        """
        most = request.max_tokens or EDIT_TOKENS
        order = self._intake.order(replace(request, count=1, only_prompt=False, temperature=0.0, max_tokens=most))
        ran = self._live.run(order.card, order.plan, who, place, EDIT_SECONDS)
        if ran is None or ran.output.finish != "stop":
            return None  # half of the lines would delete the others
        return Written(ran.output.text, ran.seconds)

    def write(self, request: CodeRequest, who: str, place: str = "") -> Written | None:
        """A completion, as soon as it can be had; None where it gave way.

        One only, however many are asked for, and of the likeliest tokens, so that what is offered stays while one
        types on.

        Args:
            place: as `Live.run`.

        Raises:
            StudioError: as Studio.submit.
        """
        asked = replace(request, count=1, only_prompt=False, temperature=0.0)
        order = self._intake.order(asked)
        if (filled := order.plan.requests[0]) and isinstance(filled, CodeRequest):
            short = replace(filled, max_tokens=min(filled.max_tokens or MOST_TOKENS, MOST_TOKENS))
            ran = self._live.run(order.card, replace(order.plan, request=short), who, place, SECONDS)
            if ran is not None:
                return Written(whole(ran.output.text, ended=ran.output.finish == "stop"), ran.seconds)
        return None


def whole(text: str, *, ended: bool) -> str:
    """What can be offered of a completion that may have been cut anywhere: whole lines, or whole words of the first;
    nothing of a single word."""
    if ended:
        return text
    line, newline, _ = text.rpartition("\n")
    if newline and line.strip():
        return line
    words = text.rpartition(" ")[0]
    return words if words.strip() else ""
