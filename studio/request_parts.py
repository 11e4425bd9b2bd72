"""Values inside requests: a message with its files, a picture that steers, a region, a file beside the code.

All are frozen and picklable, as the requests are (studio.requests).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Role = Literal["user", "assistant"]
SoundUse = Literal["continue", "follow"]
ControlFit = Literal["crop", "fill", "stretch"]
ReferenceUse = Literal["", "style", "composition"]
"""What of a reference picture counts: all of it, how it is painted, or where things stand in it."""
CONTROL_FITS: tuple[ControlFit, ...] = get_args(ControlFit)
PREPROCESSORS = ("", "canny", "lineart", "scribble", "tile", "color_grid", "luminance", "invert", "depth")
"""What a steering picture can be made into (studio.media.control_maps); "" takes it as it is. Depth needs a network."""
REFERENCE_USES: tuple[ReferenceUse, ...] = get_args(ReferenceUse)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message: a picture, or a text as UTF-8. `data` is empty where it is only named."""

    name: str
    sha256: str
    size: int
    picture: bool
    data: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, with what came along (studio.tasks.chat.attachments)."""

    role: Role
    content: str
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Lora:
    """A low-rank adaptation by the stem of its file, and how strongly it counts."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Control:
    """A picture that says where things stand, and the ControlNet or T2I-Adapter that holds the painting to it.

    Attributes:
        model: the ControlNet by the stem of its file or the name of its folder.
        image: the bytes of the picture's file.
        preprocessor: what makes a map of the picture (studio.media.control_maps); "" where it is one already.
        weight: how strongly it counts, 0..2. start, end: from where to where in the painting, 0..1.
        fit: how a picture of another shape comes to the size that is painted: its middle, all of it with a margin, or
            pulled.
    """

    model: str
    image: bytes = field(default=b"", repr=False)
    preprocessor: str = ""
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    fit: ControlFit = "crop"


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture that is shown to the model beside the words, and the IP-Adapter through which it sees it.

    Attributes:
        model: the IP-Adapter by the stem of its file.
        image: the bytes of the picture's file.
        weight: how strongly it counts, 0..2. start, end: from where to where in the painting, 0..1.
        use: what of it counts; "" for all.
        mask: where in the painting it counts, as the bytes of a picture: white yes, black no; empty for everywhere.
    """

    model: str
    image: bytes = field(default=b"", repr=False)
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    use: ReferenceUse = ""
    mask: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the picture with a prompt of its own.

    Attributes:
        mask: where it is, as the bytes of a picture of any size: white inside, black outside. It is pulled to the
            picture's shape.
        weight: how much of the painting there is its prompt's and not the picture's, 0..1.
    """

    prompt: str
    mask: bytes = field(default=b"", repr=False)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Detail:
    """What a detector finds in a finished picture, painted again at full resolution.

    Attributes:
        detector: the name of its folder.
        strength: how far the second painting may go, 0..1.
        prompt: what is painted there; empty for the picture's own prompt.
        confidence: how sure the detector has to be, 0..1.
    """

    detector: str
    strength: float = 0.4
    prompt: str = ""
    confidence: float = 0.5


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
class CodeFile:
    """Another file, for the model to read beside the one that is written: its name as a path, and its text."""

    name: str
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CodeEdit:
    """Lines that were changed lately: in which file, what they were, what they became."""

    name: str
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)
