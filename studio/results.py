"""Results: sounds, outputs, artifacts, updates and offers, the values that come back. All are frozen and picklable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from studio.errors import StudioError
from studio.i18n import text
from studio.requests import ImageRequest, Task, UpscaleRequest

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Tokens:
    """How much of a prompt a model reads.

    Attributes:
        count: tokens of the prompt, without those that every prompt gets; 0 where nobody can tell.
        limit: how many the model reads; 0 where it has no limit or nobody can tell.
        cut: the end of the prompt that it does not read.
    """

    count: int
    limit: int
    cut: str


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a model's context a conversation takes.

    Attributes:
        count: tokens of all of it, with the system prompt; at least that many are wanted.
        limit: tokens that question and answer may have together; 0 where nobody can tell.
        room: of these, what is left for the question; the rest is kept for the answer.
        exact: counted by the model's own tokenizer; else estimated from the letters.
        cut: exchanges that will be left out.
        left_out: the place of the first of their messages, and of the first behind them.
        fits: False where the last message alone is longer than what there is for it.
    """

    count: int
    limit: int = 0
    room: int = 0
    exact: bool = False
    cut: int = 0
    fits: bool = True
    left_out: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a language model.

    Attributes:
        data: its bytes; a character may need several tokens.
    """

    id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Next:
    """What may come next in a text, by a language model.

    Attributes:
        tokens: the likeliest first.
        logprobs: of each its natural logarithm of the probability among all tokens of the vocabulary.
        rest: the probability of all others together, 0 to 1.
    """

    tokens: tuple[Token, ...]
    logprobs: tuple[float, ...]
    rest: float


@dataclass(frozen=True, slots=True)
class PaintedStep:
    """A step of a painting, as pictures.

    Attributes:
        time: where in its noise the model is, as the scheduler counts: large where all is noise.
        noisy: what the step began with. estimate: the clean picture that the model expects from there.
    """

    time: float
    noisy: Image.Image
    estimate: Image.Image


@dataclass(frozen=True, slots=True)
class PaintedWord:
    """A word of a prompt, and its places among the tokens that the model reads."""

    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Painting:
    """A picture with its way from noise.

    Attributes:
        attention: of each step how much each place of the picture looks at each token, an array (steps, tokens, height,
            width), over all layers and heads; over the tokens it sums to one at every place.
        words: those of the prompt; the tokens that are in none of them begin, end or fill it.
    """

    picture: Image.Image
    steps: tuple[PaintedStep, ...]
    attention: np.ndarray
    words: tuple[PaintedWord, ...]


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound.

    Attributes:
        samples: float32 in -1..1, shape (channels, frames).
        rate: frames a second.
        midi: the file of its notes, where it has any.
        played: what is known of it beyond what was asked for (studio.tasks.music.performance).
    """

    samples: np.ndarray
    rate: int
    midi: bytes = field(default=b"", repr=False)
    played: dict[str, Any] = field(default_factory=dict)


Note = tuple[str, dict[str, Any]]
"""A text under `note.` that the user should see, and its parameters."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One completion of several.

    Attributes:
        score: the mean log-probability of its tokens, 0 the surest; None where the engine does not tell.
        parses: whether the file is correct with it; None where that cannot be told.
        times: how many of those that were drawn came out like this.
    """

    text: str
    seed: int
    score: float | None = None
    parses: bool | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Output:
    """What an engine returns. The service turns it into files; engines never write.

    Attributes:
        text: the answer, the completion or the caption.
        texts: all captions or completions, where there are several to choose from; `text` is the first.
        candidates: what is known of completions, the best first.
        prompt: the prompt as the model would be given it, where only that was asked for.
        images: RGB pictures, one a seed; RGBA where a transparent one was enlarged.
        audio: pieces, one a seed.
        seeds: the exact seed of each picture or piece.
        variation_seeds: the exact variation seed of each picture, where these step and the seed stays.
        finish: "stop" (complete), "length" (cut by the limit) or "cancelled" (stopped; what there is is kept).
        stats: measured figures, for example ``{"tokens": 42, "tokens_per_second": 91.5}``.
        notes: i18n keys under `note.` that the user should see, with their parameters.
        requests: the request of each picture, where they differ (a grid).
    """

    text: str = ""
    texts: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    prompt: str = ""
    images: tuple[Image.Image, ...] = ()
    audio: tuple[Audio, ...] = ()
    seeds: tuple[int, ...] = ()
    variation_seeds: tuple[int, ...] = ()
    finish: Literal["stop", "length", "cancelled"] = "stop"
    stats: dict[str, float] = field(default_factory=dict)
    notes: tuple[tuple[str, dict[str, Any]], ...] = ()
    requests: tuple[ImageRequest | UpscaleRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished output on disk.

    Attributes:
        files: one a picture or piece; for text the `.txt` or `.json` that holds it.
        text: the text of a text task, else empty. texts: all of them, where there are several.
        recipe: how it was made (see studio.recipes.recipe), one for the whole artifact.
        recipes: the same with the exact seed, one a file.
        sheet: a grid's pictures on one, with labels; not among the files.
        candidates, prompt: as in Output.
    """

    id: str
    task: Task
    files: tuple[Path, ...]
    text: str
    recipe: dict[str, Any]
    recipes: tuple[dict[str, Any], ...] = ()
    finish: str = "stop"
    stats: dict[str, float] = field(default_factory=dict)
    notes: tuple[tuple[str, dict[str, Any]], ...] = ()
    sheet: Path | None = None
    texts: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    prompt: str = ""


AGAIN = "again"
"""The offer to try once more at once, with nothing changed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way on.

    Attributes:
        kind: what it is, a key below `offer.`.
        changes: fields of the request, with what they become; None leaves one to the model's default.
        params: what its text says.
    """

    kind: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    def said(self, language: str) -> str:
        """What its button says."""
        return text(f"offer.{self.kind}", language, **self.params)


PREVIEW_SECONDS = 0.4
"""Least time between two previews: encoding them more often costs more than an eye can use."""


Kind = Literal["queued", "downloading", "loading", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Update:
    """The state of a job at one moment, plus the text that is new since this reader's last update.

    Attributes:
        position: how many jobs are in front, while queued.
        step, steps: progress in the engine's own unit (denoising steps, tokens, files); steps is 0 where unknown.
        bytes_done, bytes_total, bytes_per_second: while downloading; total is 0 where unknown.
        fraction: 0..1 while loading, where the engine knows.
        seconds_left: an estimate from measured steps or bytes; None where there is nothing honest to say.
        text: new text since this reader's last update.
        previews: pictures in work or finished before the others, by their place among all, as PNG bytes; those that are
            new to this reader.
        live: some of the sound in work can be heard already (Job.live).
        wait: seconds that a busy server is given before it is asked again, while downloading.
        noted: what came up on the way, a key below `progress.`; "" for nothing.
        held: it is on hold, and waits until it is let go.
        stopping: Stop was pressed and the step in flight is being finished.
        offers: what may be tried where it failed for want of memory.
    """

    job: str
    seq: int
    kind: Kind
    elapsed: float = 0.0
    position: int = 0
    step: int = 0
    steps: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: float = 0.0
    fraction: float | None = None
    seconds_left: float | None = None
    text: str = ""
    previews: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    live: bool = False
    stopping: bool = False
    held: bool = False
    wait: float = 0.0
    noted: str = ""
    artifact: Artifact | None = None
    error: StudioError | None = None
    offers: tuple[Offer, ...] = ()

    @property
    def final(self) -> bool:
        """No further update follows."""
        return self.kind in ("done", "failed", "cancelled")
