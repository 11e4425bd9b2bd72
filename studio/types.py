"""The values that cross seams: requests, updates, outputs, artifacts.

All are frozen and picklable, so that a request can later run in another process unchanged. A request holds
everything that decides the output and nothing else; `None` means "the model's own default" and is resolved
by the service before the job starts, so that a recipe never holds `None`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from studio.errors import StudioError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

Task = Literal["chat", "image", "music", "code", "caption", "upscale"]
TASKS: tuple[Task, ...] = ("chat", "image", "music", "code", "caption", "upscale")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A conversation to be continued by one assistant message."""

    messages: tuple[Message, ...]
    model: str = ""
    system: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    task: Literal["chat"] = "chat"


@dataclass(frozen=True, slots=True)
class Lora:
    """A low-rank adaptation by the stem of its file, and how strongly it counts."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """`count` pictures; picture i uses seed + i, so that each can be made again alone.

    Attributes:
        prompt: what the person wrote, with weights, wildcards and alternatives.
        prompts: what each picture is painted from once those are filled in; empty where it is `prompt` for all.
        styles: names of styles whose words are put round the prompt, in this order.
        image: a picture to start from, as the bytes of its file; empty for none.
        mask: what of `image` is painted anew, as the bytes of a picture: white yes, black no; empty for all of it.
        strength: how far from `image` it may go, 0..1.
        variation: how much of the starting noise comes from `variation_seed` instead, 0..1.
        clip_skip: how many of the text encoder's last layers are left out.
        tiling: decode in tiles at any size; without it only where a picture is large.
        loras: adaptations to apply.
        hires_scale: paint small, enlarge so many times, and paint over it; 1 for off.
        hires_strength: how far the second painting may go, 0..1.
    """

    prompt: str
    model: str = ""
    negative_prompt: str = ""
    prompts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str = ""
    count: int = 1
    seed: int | None = None
    image: bytes = field(default=b"", repr=False)
    mask: bytes = field(default=b"", repr=False)
    strength: float | None = None
    variation: float = 0.0
    variation_seed: int | None = None
    clip_skip: int = 0
    tiling: bool = False
    loras: tuple[Lora, ...] = ()
    hires_scale: float = 1.0
    hires_strength: float | None = None
    task: Literal["image"] = "image"


@dataclass(frozen=True, slots=True)
class Axis:
    """One side of a grid of pictures.

    Attributes:
        field: a field of ImageRequest, or "replace": each value takes the place of the first one in the prompt.
        values: as a person typed them.
    """

    field: str
    values: tuple[str, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MusicRequest:
    """`count` pieces of `duration` seconds; piece i uses seed + i."""

    prompt: str
    model: str = ""
    negative_prompt: str = ""
    lyrics: str = ""
    duration: float | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    count: int = 1
    seed: int | None = None
    task: Literal["music"] = "music"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """Code to be inserted between `prefix` and `suffix`."""

    prefix: str
    suffix: str = ""
    model: str = ""
    language: str = ""
    fill_in_middle: bool = True
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    task: Literal["code"] = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRequest:
    """One picture, as the bytes of its file, to be put into words."""

    image: bytes = field(repr=False)
    model: str = ""
    prompt: str = ""
    length: Literal["short", "normal", "long"] = "normal"
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    task: Literal["caption"] = "caption"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleRequest:
    """One picture, as the bytes of its file, to be made `scale` times as wide and as high.

    Attributes:
        seed: always 0, because nothing is drawn by chance; every request has one.
    """

    image: bytes = field(repr=False)
    model: str = ""
    scale: int = 4
    seed: int = 0
    task: Literal["upscale"] = "upscale"


Request = ChatRequest | ImageRequest | MusicRequest | CodeRequest | CaptionRequest | UpscaleRequest


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound: float32 samples in -1..1, shape (channels, frames). `midi`: the file of its notes, where it has any."""

    samples: np.ndarray
    rate: int
    midi: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Output:
    """What an engine returns. The service turns it into files; engines never write.

    Attributes:
        text: the answer, the completion or the caption.
        images: RGB pictures, one a seed.
        audio: pieces, one a seed.
        seeds: the exact seed of each picture or piece.
        finish: "stop" (complete), "length" (cut by the limit) or "cancelled" (stopped; what there is is kept).
        stats: measured figures, for example ``{"tokens": 42, "tokens_per_second": 91.5}``.
        notes: i18n keys under `note.` that the user should see, with their parameters.
        requests: the request of each picture, where they differ (a grid).
    """

    text: str = ""
    images: tuple[Image.Image, ...] = ()
    audio: tuple[Audio, ...] = ()
    seeds: tuple[int, ...] = ()
    finish: Literal["stop", "length", "cancelled"] = "stop"
    stats: dict[str, float] = field(default_factory=dict)
    notes: tuple[tuple[str, dict[str, Any]], ...] = ()
    requests: tuple[ImageRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished output on disk.

    Attributes:
        files: one a picture or piece; for text the `.txt` or `.json` that holds it.
        text: the text of a text task, else empty.
        recipe: how it was made (see studio.recipe), one for the whole artifact.
        recipes: the same with the exact seed, one a file.
        sheet: a grid's pictures on one, with labels; not among the files.
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
        preview: PNG bytes of the newest preview, only when it is new to this reader.
        stopping: Stop was pressed and the step in flight is being finished.
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
    preview: bytes | None = field(default=None, repr=False)
    stopping: bool = False
    artifact: Artifact | None = None
    error: StudioError | None = None

    @property
    def final(self) -> bool:
        """No further update follows."""
        return self.kind in ("done", "failed", "cancelled")
