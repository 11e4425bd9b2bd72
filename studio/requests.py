"""Requests: what can be asked for, one class a task; the values inside them are in studio.request_parts.

All are frozen and picklable, so that a request can later run in another process unchanged. A request holds
everything that decides the output and nothing else; `None` means "the model's own default" and is resolved
by the service before the job starts, so that a recipe never holds `None`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar, get_args

from studio.request_parts import CodeEdit, CodeFile, Control, Detail, Lora, Message, Reference, Region, SoundUse

Task = Literal["chat", "image", "music", "code", "caption", "upscale"]
CaptionLength = Literal["short", "normal", "long"]
CaptionStyle = Literal["plain", "prompt", "tags", "alt"]
Rng = Literal["", "nv"]
Seamless = Literal["", "both", "x", "y"]
"""Ways in which a picture goes on at its opposite edge: not at all, all round, left to right, or top to bottom."""
SEAMLESS: tuple[Seamless, ...] = ("", "both", "x", "y")
RNGS: tuple[Rng, ...] = ("", "nv")
PictureFormat = Literal["png", "webp", "jpeg"]
"""What pictures are written as."""
PICTURE_FORMATS: tuple[PictureFormat, ...] = get_args(PictureFormat)
TASKS: tuple[Task, ...] = ("chat", "image", "music", "code", "caption", "upscale")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A conversation to be continued by one assistant message.

    Attributes:
        opening: what the answer begins with; the model goes on from there.
        schema: a JSON schema that the answer has to fit; empty for any answer.
        summarise: what there is no room for is told in a few sentences in its place, instead of being left out.
        thinking_budget: tokens after which a thought is ended and the answer written; 0 for none.
        only_prompt: nothing is answered; the output is the prompt as the model would be given it.
    """

    messages: tuple[Message, ...]
    model: str = ""
    system: str = ""
    opening: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop: tuple[str, ...] = ()
    schema: str = ""
    thinking_budget: int | None = None
    summarise: bool = False
    only_prompt: bool = False
    seed: int | None = None
    task: Literal["chat"] = "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """`count` pictures; picture i uses seed + i, so that each can be made again alone.

    Where they are varied, all have one seed and picture i uses variation_seed + i: they are relatives of one picture.

    Attributes:
        prompt: what the person wrote, with weights, wildcards and alternatives.
        prompts: what each picture is painted from once those are filled in; empty where it is `prompt` for all.
        styles: names of styles whose words are put round the prompt, in this order.
        image: a picture to start from, as the bytes of its file; empty for none.
        mask: what of `image` is painted anew, as the bytes of a picture: white yes, black no; empty for all of it.
        strength: how far from `image` it may go, 0..1.
        masked_only: what the mask marks is cut out, painted as `width` x `height`, and put back into `image`, whose
            size the picture then has.
        mask_padding: how much round it is cut out as well, in pixels of `image`.
        mask_blur: how softly what is painted begins at the mask's edge, in pixels of `image`.
        variation: how much of the starting noise comes from `variation_seed` instead, 0..1.
        clip_skip: how many of the text encoder's last layers are left out.
        tiling: decode in tiles at any size; without it only where a picture is large.
        seamless: in which way its opposite edges fit together, so that it can be laid out as tiles.
        rng: whose noise a seed gives: "" torch's on a processor, "nv" an NVIDIA card's, on any device.
        loras: adaptations to apply.
        hires_scale: paint small, enlarge so many times, and paint over it; 1 for off.
        hires_strength: how far the second painting may go, 0..1.
        controls: pictures that the painting is held to.
        pictures: files of pictures that the prompt speaks of and a model that edits by instruction reads, in this
            order; the first gives its proportions. Not together with `image`.
        references: pictures that the model is shown beside the words.
        vae: a decoder by the stem of its file; empty for the model's own.
        refiner: what paints the rest of it from `refiner_at` on, 0..1, by the stem of its file; empty for none.
        regions: parts of the picture with prompts of their own; `prompt` is for the rest.
        details: what is painted again in the finished picture, `mask_padding` round it and `mask_blur` soft. With a
            `strength` of 0 and no mask, `image` is that picture, and keeps its size.
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
    masked_only: bool = False
    mask_padding: int = 32
    mask_blur: int = 4
    variation: float = 0.0
    variation_seed: int | None = None
    clip_skip: int = 0
    tiling: bool = False
    seamless: Seamless = ""
    rng: Rng = ""
    loras: tuple[Lora, ...] = ()
    hires_scale: float = 1.0
    hires_strength: float | None = None
    controls: tuple[Control, ...] = ()
    pictures: tuple[bytes, ...] = field(default=(), repr=False)
    references: tuple[Reference, ...] = ()
    vae: str = ""
    refiner: str = ""
    refiner_at: float = 0.8
    regions: tuple[Region, ...] = ()
    details: tuple[Detail, ...] = ()
    task: Literal["image"] = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class MusicRequest:
    """`count` pieces of `duration` seconds; piece i uses seed + i.

    Attributes:
        tempo: beats a minute (a beat of 6/8 and 9/8 has three eighths); 0 leaves it to the prompt.
        key: "D major", "F# minor", "E dorian"; empty leaves it to the prompt.
        metre: "2/4", "3/4", "4/4", "6/8" or "9/8"; empty leaves it to the prompt.
        bars: with a tempo they say how long the piece is, instead of `duration`; 0 leaves them to the prompt.
        players: "flute, guitar"; empty leaves them to the prompt.
        loop: ends so that it can begin again without a seam, exact to the sample.
        melody: what it begins with, in the words of studio.tasks.music.melody_tokens; the rest is composed. Only for
        models
            that write notes.
        sound: sound to start from, as the bytes of its file; empty for none.
        sound_use: "continue": the piece begins with `sound` and goes on for `duration`; "follow": it has its melody.
        sound_keep: going on, how many seconds of `sound` are kept; 0 for all.
    """

    prompt: str
    model: str = ""
    negative_prompt: str = ""
    lyrics: str = ""
    tempo: float = 0.0
    key: str = ""
    metre: str = ""
    bars: int = 0
    players: str = ""
    loop: bool = False
    melody: str = ""
    sound: bytes = field(default=b"", repr=False)
    sound_use: SoundUse = "continue"
    sound_keep: float = 0.0
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
    """Code to be inserted between `prefix` and `suffix`.

    Attributes:
        language: as an editor calls it; it tells where a completion ends.
        path: what the file is called, for models that read names of files.
        files: other files to read, the most important first.
        edits: what was changed lately, the latest first. With it nothing is inserted: the lines round the cursor are
            written as they will be next, by a model that was made for that (studio.tasks.code.next_edit).
        fill_in_middle: read the text behind the cursor as well; without it only what stands before.
        count: how many completions to choose from; completion i is drawn with seed + i.
        only_prompt: nothing is completed; the output is the prompt as the model would be given it.
    """

    prefix: str
    suffix: str = ""
    model: str = ""
    language: str = ""
    path: str = ""
    files: tuple[CodeFile, ...] = ()
    edits: tuple[CodeEdit, ...] = ()
    fill_in_middle: bool = True
    count: int = 1
    only_prompt: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    task: Literal["code"] = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRequest:
    """One picture, as the bytes of its file, to be put into words.

    Attributes:
        prompt: a question about it; empty for a caption.
        style: "plain" as the model says it, "prompt" as picture models are asked, "tags", or "alt" for alt text.
        opening: the words that the caption begins with.
        require, forbid: words that it must have, and must not have.
        count: how many captions to choose from; caption i is drawn with seed + i.
    """

    image: bytes = field(repr=False)
    model: str = ""
    prompt: str = ""
    length: CaptionLength = "normal"
    style: CaptionStyle = "plain"
    opening: str = ""
    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    count: int = 1
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    task: Literal["caption"] = "caption"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleRequest:
    """One picture, as the bytes of its file, to be made `scale` times as wide and as high.

    Attributes:
        tile: side of what is enlarged at once, in pixels of the picture: less memory, and less of the picture is seen
            together. 0 leaves it to the model.
        seed: always 0, because nothing is drawn by chance; every request has one.
    """

    image: bytes = field(repr=False)
    model: str = ""
    scale: int = 4
    tile: int = 0
    seed: int = 0
    task: Literal["upscale"] = "upscale"


Request = ChatRequest | ImageRequest | MusicRequest | CodeRequest | CaptionRequest | UpscaleRequest
REQUESTS: Mapping[Task, type[Request]] = {
    "chat": ChatRequest, "image": ImageRequest, "music": MusicRequest, "code": CodeRequest,
    "caption": CaptionRequest, "upscale": UpscaleRequest,
}  # fmt: skip
"""The request of each task."""
R = TypeVar("R", bound=Request)


def light(request: R) -> R:
    """A request without the pictures and sounds it came with: what is over is remembered, and these are large."""
    values = {part.name: getattr(request, part.name) for part in fields(request)}
    heavy: dict[str, Any] = {name: b"" for name, value in values.items() if isinstance(value, bytes) and value}
    controls = values.get("controls", ())
    if any(one.image for one in controls):
        heavy["controls"] = tuple(replace(one, image=b"") for one in controls)
    if any(values.get("pictures", ())):
        heavy["pictures"] = (b"",) * len(values["pictures"])
    if references := values.get("references"):
        heavy["references"] = tuple(replace(one, image=b"", mask=b"") for one in references)
    regions = values.get("regions", ())
    if any(one.mask for one in regions):
        heavy["regions"] = tuple(replace(one, mask=b"") for one in regions)
    messages = values.get("messages", ())
    if any(message.files for message in messages):
        heavy["messages"] = tuple(
            replace(message, files=tuple(replace(one, data=b"") for one in message.files)) for message in messages
        )
    return replace(request, **heavy) if heavy else request
