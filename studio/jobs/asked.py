"""What was asked: all that it takes to ask for a job once more, as it was asked and not as it was settled.

A seed that was left open is open again, so that a repeated picture is another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from studio.library.file_names import Keep
from studio.request_parts import Axis
from studio.requests import Request, light

How = Literal["request", "grid", "captions", "chat", "several"]
HOWS: tuple[How, ...] = ("request", "grid", "captions", "chat")
"""Those that are kept over a restart."""
LATER = "later"
"""The tag of what was put into the queue beside what a tab runs: the tab follows neither it nor its Stop."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One wish.

    Attributes:
        how: a request by itself; a grid over it; a run over many pictures; the answer to a conversation; several
            pictures that have nothing in common, which are not asked for again.
        request: the question's settings, where it answers a conversation: the messages are in its file.
        axes: of a grid: x, y, z as far as there are.
        series: of a grid: its prompts.
        keep: how pictures are named and written.
        tag: what the caller keeps with it: the conversation, or the run.
        bare: the pictures and sounds that it came with are no longer in it.
        painted: of a grid that a dead studio had begun, the ids of the outputs that are there.
    """

    request: Request
    how: How = "request"
    axes: tuple[Axis | None, ...] = ()
    keep: Keep | None = None
    tag: str = ""
    previews: bool = False
    bare: bool = False
    series: str = ""
    painted: tuple[str, ...] = ()

    @property
    def again(self) -> bool:
        """Whether it can be asked for once it is over: a conversation has gone on by then, and a run is done."""
        return self.how in ("request", "grid")

    def light(self) -> Self:
        """Without the pictures and sounds that it came with."""
        without = light(self.request)
        return replace(self, request=without, bare=self.bare or without is not self.request)
