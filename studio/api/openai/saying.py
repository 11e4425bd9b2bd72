"""Answers of models of text: thought and answer told apart while they come, tokens counted, ends named."""

from __future__ import annotations

from functools import partial

import anyio

from studio.api.submitting import Desk
from studio.errors import StudioError
from studio.requests import ChatRequest
from studio.results import Artifact
from studio.tasks.chat import thoughts


class Parting:
    """Parts a stream of text into what is thought aloud and what is answered.

    Args:
        opening: what the answer begins with and is not said again.
    """

    def __init__(self, opening: str = "") -> None:
        self._said, self._opening = "", opening
        self._thought = self._answer = 0

    def feed(self, delta: str, *, last: bool = False) -> tuple[str, str]:
        """New words: (of the thought, of the answer).

        Args:
            last: nothing follows.
        """
        self._said += delta
        said = self._said
        if not last and self._opening and len(said) < len(self._opening) and self._opening.startswith(said):
            return "", ""
        said = said.removeprefix(self._opening)
        begun = said.lstrip()
        if not last and len(begun) < len(thoughts.OPEN) and thoughts.OPEN.startswith(begun):
            return "", ""  # it may become a thought
        if not begun.startswith(thoughts.OPEN):
            new, self._answer = said[self._answer :], len(said)
            return "", new
        inner = begun[len(thoughts.OPEN) :]
        thought, closed, answer = inner.partition(thoughts.CLOSE)
        if not closed and not last:
            thought = thought[: len(thought) - len(thoughts.CLOSE)] if len(thought) > len(thoughts.CLOSE) else ""
        thought, answer = thought.lstrip(), answer.lstrip()
        new_thought, self._thought = thought[self._thought :], max(self._thought, len(thought))
        new_answer, self._answer = answer[self._answer :], max(self._answer, len(answer))
        return new_thought, new_answer


def parted(text: str, opening: str = "") -> tuple[str, str]:
    """(what was thought aloud, the answer)."""
    return thoughts.split(text.removeprefix(opening))


async def usage(desk: Desk, requests: tuple[ChatRequest, ...], made: tuple[Artifact, ...]) -> dict[str, object]:
    """Tokens that were read, once, and written, of all answers together, as the engines count them."""
    read = await _read(desk, requests[0], made[0])
    written = sum(int(one.stats.get("tokens", 0)) for one in made)
    cached = int(made[0].stats.get("cached_tokens", 0))
    return {
        "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": cached},
    }  # fmt: skip


async def _read(desk: Desk, request: ChatRequest, artifact: Artifact) -> int:
    """Tokens of a prompt, as its engine said; where it does not, as its tokenizer counts now."""
    if "prompt_tokens" in artifact.stats:
        return int(artifact.stats["prompt_tokens"])
    try:
        return (await anyio.to_thread.run_sync(partial(desk.studio.usage, request))).count
    except StudioError:
        return 0


def finish(artifact: Artifact) -> str:
    """How an answer ended, in OpenAI's words."""
    return "length" if artifact.finish == "length" else "stop"
