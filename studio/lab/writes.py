"""How a language model writes: what may come next, and three ways to choose among it.

The ways are written out here, over nothing but `follow`, so that they can be read. They choose token for token as
transformers does: greedily, by sampling, and by a beam search with its length penalty of 1.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.engines.inside import TellsNext
from studio.jobs.context import RunContext
from studio.lab.looking import Lab, Looker, Seen
from studio.request_parts import Message
from studio.requests import ChatRequest, Request
from studio.results import Next, Output, Token

LIKELIEST = 512
"""Tokens that are told of; the probability of all others comes as one number."""
MOST_TAKEN = 200
MOST_CHARACTERS = 2_000
LENGTH = 16
"""Tokens that each way writes at most."""
BEAMS = 4


@dataclass(frozen=True, slots=True)
class Ahead:
    """What may come next.

    Attributes:
        text: the tokens that were read, those that were taken behind the typed ones among them.
    """

    text: tuple[Token, ...]
    next: Next
    vocabulary: int
    ends: frozenset[int]
    warms_first: bool
    model: str


@dataclass(frozen=True, slots=True)
class Bent:
    """How the probabilities are changed before a token is drawn. Zero top-k and min-p, and a top-p of 1, change
    nothing; temperature is above 0."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """A chosen token and the logarithm of its probability, by the model's own odds."""

    token: Token
    logprob: float


@dataclass(frozen=True, slots=True)
class Beam:
    """A text that is under way or at its end.

    Attributes:
        logprob: of all its steps together. score: that, divided by their number; what finished ones are ranked by.
    """

    steps: tuple[Step, ...] = ()
    logprob: float = 0.0

    @property
    def score(self) -> float:
        return self.logprob / max(1, len(self.steps))


@dataclass(frozen=True, slots=True)
class Written:
    """The beginning, gone on with in one way.

    Attributes:
        levels: of a search, the beams that were kept after each token.
        beams: those that it ends with, the best first.
    """

    steps: tuple[Step, ...]
    ends: frozenset[int]
    levels: tuple[tuple[Beam, ...], ...] = ()
    beams: tuple[Beam, ...] = ()


Way = Literal["greedy", "sample", "beam"]
Follow = Callable[[Sequence[Sequence[int]]], Sequence[Next]]


def bend(next: Next, how: Bent, warms_first: bool) -> list[float]:
    """The probability of each of its tokens once temperature, top-k, top-p and min-p have changed it; 0 for those
    that are cut. Sorted as `next` is, the likeliest first."""
    warm = [logprob / how.temperature for logprob in next.logprobs]
    odds = _normal(warm if warms_first else next.logprobs)
    kept = min(how.top_k or len(odds), len(odds))
    before, whole = 0.0, math.fsum(odds[:kept])  # top-p is a share of what top-k left
    for place, one in enumerate(odds[:kept]):  # the token that crosses it still counts
        if before >= how.top_p * whole:
            kept = place
            break
        before += one
    kept = max(1, sum(one >= how.min_p * odds[0] for one in odds[:kept]))
    return [*_normal(warm[:kept]), *[0.0] * (len(odds) - kept)]


def greedy(follow: Follow, start: Sequence[int], length: int, ends: frozenset[int]) -> tuple[Step, ...]:
    """Always the likeliest token."""
    steps: list[Step] = []
    while len(steps) < length and not (steps and steps[-1].token.id in ends):
        next = follow([[*start, *(step.token.id for step in steps)]])[0]
        steps.append(Step(next.tokens[0], next.logprobs[0]))
    return tuple(steps)


def sample(
    follow: Follow, start: Sequence[int], length: int, ends: frozenset[int], how: Bent, warms_first: bool, seed: int
) -> tuple[Step, ...]:
    """Each token drawn at random, by the bent probabilities."""
    dice, steps = random.Random(seed), list[Step]()
    while len(steps) < length and not (steps and steps[-1].token.id in ends):
        next = follow([[*start, *(step.token.id for step in steps)]])[0]
        odds = bend(next, how, warms_first)
        place = dice.choices(range(len(odds)), odds)[0]
        steps.append(Step(next.tokens[place], next.logprobs[place]))
    return tuple(steps)


def beam_search(
    follow: Follow, start: Sequence[int], length: int, ends: frozenset[int], beams: int = BEAMS
) -> tuple[list[tuple[Beam, ...]], tuple[Beam, ...]]:
    """Several texts at once: each is gone on with in every way, and the likeliest as a whole stay.

    Returns:
        The beams that were kept after each token, and the finished ones, the best first.
    """
    running, finished, levels = [Beam()], list[Beam](), list[tuple[Beam, ...]]()
    while True:
        following = follow([[*start, *(step.token.id for step in beam.steps)] for beam in running])
        longer = [
            Beam((*beam.steps, Step(token, logprob)), beam.logprob + logprob)
            for beam, next in zip(running, following, strict=True)
            for token, logprob in zip(next.tokens, next.logprobs, strict=True)
        ]
        longer = sorted(longer, key=lambda beam: -beam.logprob)[: beams * max(2, 1 + len(ends))]
        over = [len(beam.steps) >= length or beam.steps[-1].token.id in ends for beam in longer]
        finished += [beam for beam, ended in zip(longer[:beams], over, strict=False) if ended]
        finished = sorted(finished, key=lambda beam: -beam.score)[:beams]
        levels.append(tuple(longer[:beams]))
        running = [beam for beam, ended in zip(longer, over, strict=True) if not ended][:beams]
        if not running or (len(finished) == beams and running[0].score <= finished[-1].score):
            return levels, tuple(finished)


def ahead(lab: Lab, text: str, taken: Sequence[int], model: str, looker: Looker) -> Ahead | None:
    """What a chat model says may follow a text. None and errors as `Lab.look`; also too_long.

    Args:
        taken: tokens behind the text.
    """

    def ask(model: TellsNext, request: Request, context: RunContext) -> Seen[Ahead]:
        assert isinstance(request, ChatRequest)
        told = model.next_tokens(context)
        read = told.read(request.messages[-1].content)
        ids = [*(token.id for token in read), *taken]
        (next,) = told.follow([ids], LIKELIEST)
        known = {token.id: token for token in next.tokens}
        more = tuple(known.get(id, Token(id, b"")) for id in taken)
        found = Ahead((*read, *more), next, told.vocabulary, told.ends, told.warms_first, request.model)
        return Seen(found, Output(text=request.messages[-1].content))

    return lab.look(_asked(text, model), TellsNext, ask, looker)


def write(
    lab: Lab, way: Way, text: str, taken: Sequence[int], model: str, how: Bent, seed: int, looker: Looker
) -> Written | None:
    """The same text gone on with in one way. None and errors as `ahead`.

    Args:
        how, seed: for sampling alone.
    """

    def ask(model: TellsNext, request: Request, context: RunContext) -> Seen[Written]:
        assert isinstance(request, ChatRequest)
        told = model.next_tokens(context)
        start = [*(token.id for token in told.read(request.messages[-1].content)), *taken]
        ends, most = told.ends, LIKELIEST if way == "sample" else BEAMS * max(2, 1 + len(told.ends))
        follow: Follow = lambda rows: told.follow(rows, most)  # noqa: E731
        if way == "greedy":
            found = Written(greedy(follow, start, LENGTH, ends), ends)
        elif way == "sample":
            found = Written(sample(follow, start, LENGTH, ends, how, told.warms_first, seed), ends)
        else:
            levels, beams = beam_search(follow, start, LENGTH, ends)
            found = Written(beams[0].steps, ends, tuple(levels), beams)
        texts = (found.steps, *(beam.steps for beam in found.beams))
        return Seen(found, Output(text="\n".join(_text(steps) for steps in texts)))

    return lab.look(_asked(text, model), TellsNext, ask, looker)


def _asked(text: str, model: str) -> ChatRequest:
    return ChatRequest(messages=(Message("user", text),), model=model)


def _text(steps: Sequence[Step]) -> str:
    return b"".join(step.token.data for step in steps).decode("utf-8", "replace")


def _normal(logs: Sequence[float]) -> list[float]:
    """Numbers whose logarithms these are, up to a factor, as shares of one."""
    top = max(logs)
    parts = [math.exp(one - top) for one in logs]
    whole = math.fsum(parts)
    return [part / whole for part in parts]


SHOWN = (bend, sample, beam_search)
"""The code that the page shows."""
