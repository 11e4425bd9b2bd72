"""Values between the studio and a process of ours that holds a model: written to a pipe, read on the other side.

A message is JSON and, behind it, the bytes of its pictures and sounds. Only what is named here can be read: nothing
that arrives becomes code, so a model whose file breaks its own process gets no further. Knows nothing of what messages
mean.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import IO, Any

from PIL import Image

from studio import request_parts, requests, results
from studio.catalog import card
from studio.devices.device import Device

CLASSES: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        *(requests.ChatRequest, requests.ImageRequest, requests.MusicRequest, requests.CodeRequest),
        *(requests.CaptionRequest, requests.UpscaleRequest),
        *(request_parts.Message, request_parts.Attachment, request_parts.CodeFile, request_parts.CodeEdit),
        *(request_parts.Lora, request_parts.Control, request_parts.Reference, request_parts.Region),
        request_parts.Detail,
        *(card.Card, card.Source, card.Part, Device),
        *(results.Output, results.Audio, results.Candidate, results.Usage),
    )
}
"""What may cross beside plain values, pictures and arrays. All of it is data: no class here does anything when made."""

HELLO = b"atelier worker\n"
"""The first line that a worker writes. What a module printed while Python started stands before it and is left out."""

LARGEST = 1 << 26
"""Most bytes of a message without its pictures and sounds; more is noise."""

_ARRAYS = "biufc"
"""Kinds of numpy arrays that hold numbers; one of objects could not be read without running what it holds."""


class Closed(Exception):
    """Nobody is at the other end any more."""


class Channel:
    """One end of two pipes. Messages keep their order; several threads may send, one reads.

    Args:
        reading, writing: binary streams. `reading` is buffered, so that a read brings all it asked for or the end.
    """

    def __init__(self, reading: IO[bytes], writing: IO[bytes]) -> None:
        self._reading, self._writing = reading, writing
        self._turn = threading.Lock()

    def send(self, op: str, *values: Any) -> None:
        """Write one message.

        Raises:
            Closed: the other end is gone. TypeError: a value that cannot cross; nothing was sent.
        """
        pieces = pack(op, *values)
        try:
            with self._turn:
                for piece in pieces:
                    self._writing.write(piece)
                self._writing.flush()
        except (OSError, ValueError):  # a broken pipe; a stream that was closed
            raise Closed from None

    def receive(self) -> tuple[Any, ...]:
        """Wait for the next message: its name and its values.

        Raises:
            Closed: the other end is gone, or what it says cannot be understood.
        """
        try:
            (length,) = struct.unpack("<I", self._exactly(4))
            if length > LARGEST:
                raise ValueError(f"{length} bytes")
            sizes, tree = json.loads(self._exactly(length))
            blobs = [self._exactly(size) for size in sizes]
            return (tree[0], *(decode(value, blobs) for value in tree[1:]))
        except Closed:
            raise
        except Exception as error:  # whatever arrives there
            raise Closed(f"a message cannot be understood: {error}") from error

    def hang_up(self) -> None:
        """Write nothing more: the other end comes to the end of its stream."""
        with self._turn:
            try:
                self._writing.close()
            except (OSError, ValueError):  # what was not yet written has nobody to read it
                return

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        if self._reading.readinto(data) != size:  # pyright: ignore[reportAttributeAccessIssue]
            raise Closed
        return data


def pack(*values: Any) -> list[bytes | memoryview]:
    """A message as its bytes, in pieces: the length of its head, the head, its pictures and sounds.

    Raises:
        TypeError: a value that cannot cross.
    """
    blobs: list[bytes | memoryview] = []
    tree = [encode(value, blobs) for value in values]
    head = json.dumps([[memoryview(blob).nbytes for blob in blobs], tree]).encode()
    if len(head) > LARGEST:
        raise TypeError(f"a message of {len(head)} bytes cannot cross to another process")
    return [struct.pack("<I", len(head)) + head, *blobs]


def unpack(data: bytes | bytearray) -> tuple[Any, ...]:
    """The values that `pack` put into a message, which is here whole, from whomever it is.

    Raises:
        ValueError: nothing that `pack` wrote.
    """
    try:
        rest = memoryview(data)
        (length,) = struct.unpack("<I", rest[:4])
        if length > LARGEST:
            raise ValueError(f"{length} bytes")
        sizes, tree = json.loads(bytes(rest[4 : 4 + length]))
        blobs, rest = list[bytearray](), rest[4 + length :]
        if not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) != len(rest):
            raise ValueError("other sizes than there are bytes")
        for size in sizes:
            blobs.append(bytearray(rest[:size]))
            rest = rest[size:]
        return tuple(decode(value, blobs) for value in tree)
    except Exception as error:  # whatever arrives there
        raise ValueError(f"a message cannot be understood: {type(error).__name__}") from error


def encode(value: Any, blobs: list[bytes | memoryview]) -> Any:
    """`value` as JSON knows it; a list begins with what it stands for. Large bytes go to `blobs`.

    Raises:
        TypeError: a value that cannot cross.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return ["list" if isinstance(value, list) else "tuple", *(encode(item, blobs) for item in value)]
        case Mapping():
            return ["dict", *([encode(key, blobs), encode(item, blobs)] for key, item in value.items())]
        case bytes():
            blobs.append(value)
            return ["bytes", len(blobs) - 1]
        case Path():
            return ["path", str(value)]
        case Image.Image():
            picture = value if value.mode not in ("P", "PA") else value.convert("RGBA")
            blobs.append(picture.tobytes())
            return ["picture", len(blobs) - 1, picture.mode, *picture.size]
    if is_dataclass(value) and CLASSES.get(type(value).__name__) is type(value):
        values = ([field.name, encode(getattr(value, field.name), blobs)] for field in fields(value))
        return [type(value).__name__, *values]
    return _encode_numbers(value, blobs)


def _encode_numbers(value: Any, blobs: list[bytes | memoryview]) -> Any:
    import numpy as np

    if isinstance(value, np.generic) and value.dtype.kind in _ARRAYS:
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in _ARRAYS:
        blobs.append(np.ascontiguousarray(value).data.cast("B") if value.size else b"")
        return ["array", len(blobs) - 1, value.dtype.str, *value.shape]
    raise TypeError(f"a {type(value).__name__} cannot cross to another process")


def decode(tree: Any, blobs: list[bytearray]) -> Any:
    """The value that `encode` made into `tree`.

    Raises:
        KeyError, ValueError, TypeError, IndexError: it made no such thing.
    """
    if not isinstance(tree, list):
        return tree
    kind, *rest = tree
    match kind:
        case "list":
            return [decode(item, blobs) for item in rest]
        case "tuple":
            return tuple(decode(item, blobs) for item in rest)
        case "dict":
            return {decode(key, blobs): decode(item, blobs) for key, item in rest}
        case "bytes":
            return bytes(blobs[rest[0]])
        case "path":
            return Path(rest[0])
        case "picture":
            at, mode, width, height = rest
            return Image.frombytes(mode, (width, height), blobs[at])
        case "array":
            return _decode_array(blobs[rest[0]], rest[1], rest[2:])
    return CLASSES[kind](**{name: decode(item, blobs) for name, item in rest})


def _decode_array(data: bytearray, dtype: str, shape: list[int]) -> Any:
    import numpy as np

    if np.dtype(dtype).kind not in _ARRAYS:
        raise ValueError(f"an array of {dtype}")
    return np.ndarray(shape, dtype, buffer=data)
