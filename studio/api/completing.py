"""Completions of code, as three kinds of clients ask for them: one job, its text cut where the client says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request

from studio.api.submitting import Desk, Work, artifact
from studio.results import Artifact


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a completion ends, whatever its model would still write.

    Attributes:
        stops: words at which it ends, themselves left out.
        indent: white space that its lines have at least, but for the first; 0 for any.
        seconds: of writing after which it ends with its line; 0 for any.
    """

    stops: tuple[str, ...] = ()
    indent: int = 0
    seconds: float = 0.0


class Cutting:
    """Lets through of a stream what is certain to be before the cut."""

    def __init__(self, cut: Cut) -> None:
        self._cut, self._said, self._told = cut, "", 0
        self._began = 0.0
        self.over = False

    def feed(self, delta: str, *, last: bool = False) -> str:
        """The new text that counts.

        Args:
            last: nothing follows.
        """
        if self.over:
            return ""
        self._said += delta
        self._began = self._began or (monotonic() if self._said else 0.0)
        end = self._end()
        certain = len(self._said)
        if end is not None:
            self.over, certain = True, end
        elif not last:
            certain -= self._uncertain()
            if self._late() and (line := self._said.find("\n", max(self._told, 1))) >= 0:
                self.over, certain = True, line
        new, self._told = self._said[self._told : certain], max(self._told, certain)
        return new

    def _end(self) -> int | None:
        """Where it ends, once that is known."""
        found = [at for stop in self._cut.stops if (at := self._said.find(stop)) >= 0]
        if self._cut.indent:
            at = self._said.find("\n")
            while at >= 0:
                line = self._said[at + 1 :].partition("\n")[0]
                bare = line.lstrip(" \t")
                if bare and len(line) - len(bare) < self._cut.indent:
                    found.append(at)
                    break
                at = self._said.find("\n", at + 1)
        return min(found, default=None)

    def _uncertain(self) -> int:
        """Letters at the end that may still be cut off."""
        longest = 0
        for stop in self._cut.stops:
            for size in range(min(len(stop) - 1, len(self._said)), longest, -1):
                if self._said.endswith(stop[:size]):
                    longest = size
                    break
        if self._cut.indent:
            blank = len(self._said) - len(self._said.rstrip(" \t\n"))
            if "\n" in self._said[len(self._said) - blank :]:
                longest = max(longest, blank)
        return min(longest, len(self._said) - self._told)

    def _late(self) -> bool:
        return bool(self._cut.seconds and self._began and monotonic() - self._began > self._cut.seconds)


@dataclass(frozen=True, slots=True)
class Piece:
    """A step of a completion that is written: which one, its new text, and at the end what it is."""

    number: int
    text: str
    made: Artifact | None = None
    cut: bool = False


async def pieces(desk: Desk, work: Work, cut: Cut) -> AsyncIterator[Piece | None]:
    """The text of completions as it comes, each job stopped where its text is cut; None for a sign of life.

    Raises:
        StudioError: why there is none.
    """
    cuttings = [Cutting(cut) for _ in work.jobs]
    async for found in work.updates():
        if found is None:
            yield None
            continue
        number, update = found
        cutting = cuttings[number]
        new = cutting.feed(update.text, last=update.final)
        if cutting.over and not update.final:
            desk.stop(work.jobs[number])
        if new:
            yield Piece(number, new)
        if update.final:
            if update.artifact is None and cutting.over:
                yield Piece(number, "", None, cut=True)
            else:
                yield Piece(number, "", artifact(update), cut=cutting.over)


@dataclass(frozen=True, slots=True)
class Completed:
    """A whole completion; `made` is None where it was stopped before the studio had anything of it to keep."""

    text: str
    made: Artifact | None
    cut: bool

    @property
    def finish(self) -> str:
        """How it ended, in OpenAI's words."""
        return "length" if self.made is not None and self.made.finish == "length" and not self.cut else "stop"

    def tokens(self, kind: str) -> int:
        """`tokens`, `prompt_tokens` or `cached_tokens`, as the engine counted them."""
        return int(self.made.stats.get(kind, 0)) if self.made is not None else 0


async def whole(desk: Desk, work: Work, http: Request, cut: Cut) -> list[Completed]:
    """All completions, once they have ended.

    Raises:
        StudioError: of the first that failed. Gone: whoever asked went away.
    """
    texts = [""] * len(work.jobs)
    ends: list[Piece | None] = [None] * len(work.jobs)

    async def collect() -> None:
        async for piece in pieces(desk, work, cut):
            if piece is not None:
                texts[piece.number] += piece.text
                if not piece.text:
                    ends[piece.number] = piece

    await work.while_there(http, collect())
    return [Completed(text, end.made if end else None, bool(end and end.cut))
            for text, end in zip(texts, ends, strict=True)]  # fmt: skip
