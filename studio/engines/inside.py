"""Insides of models: what only some show of how they come to an answer, a protocol each (studio.lab asks for them)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from studio.engines.base import Context
from studio.requests import ImageRequest
from studio.results import Next, Painting, Token

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


class NextTokens(Protocol):
    """What follows a text, for as long as one run takes.

    Attributes:
        ends: tokens behind which nothing follows.
        vocabulary: how many tokens there are.
        warms_first: temperature changes the probabilities before top-k, top-p and min-p cut them, as in transformers;
            else after, as in llama.cpp.
    """

    ends: frozenset[int]
    vocabulary: int
    warms_first: bool

    def read(self, text: str) -> tuple[Token, ...]:
        """A text as tokens, with the one in front that begins a text, where the model wants one."""
        ...

    def follow(self, rows: Sequence[Sequence[int]], most: int) -> tuple[Next, ...]:
        """For each row of ids, none of them empty, its `most` likeliest next tokens. Computes.

        Raises:
            Cancelled: the run was stopped.
        """
        ...


@runtime_checkable
class TellsNext(Protocol):
    """A loaded model of text that tells how likely each token is to come next."""

    def next_tokens(self, context: Context) -> NextTokens:
        """The model for one run; the length of the text is for whoever asks to bound."""
        ...


@runtime_checkable
class ShowsPainting(Protocol):
    """A loaded model of pictures that shows how noise becomes one."""

    def painting(self, request: ImageRequest, context: Context) -> Painting:
        """The one picture of a request, the same that `run` makes, with its way there.

        Args:
            request: from words alone; a guidance scale of 0 leaves them aside.

        Raises:
            Cancelled, StudioError: as `run`; not_open_none, where the model has no such inside.
        """
        ...


@runtime_checkable
class KnowsSpace(Protocol):
    """A loaded model of pictures with a space in which each is a few numbers."""

    def encode(self, pictures: Sequence[Image.Image], context: Context) -> np.ndarray:
        """Pictures of one size, whose sides are those of the model, as latents (count, channels, height, width).

        Raises:
            Cancelled; StudioError: not_open_none, where the model has no such space.
        """
        ...

    def decode(self, latents: np.ndarray, context: Context) -> tuple[Image.Image, ...]:
        """Latents as pictures. Raises as `encode`."""
        ...
