"""Eyes of a GGUF model: the file beside it that turns pictures into what it reads (mmproj), and how it is asked then.

The library's calls in Python take no pictures beside a prompt that is written already, and with eyes no tokens either.
Its own port takes both, so such a model is asked over loopback, with the key that nobody else has. The place of a
picture in the text is a mark that is drawn by chance for this process: nobody can type one.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.media.image import decode_image
from studio.tasks.chat.attachments import PICTURE

TOKENS = 1024
"""Most that a picture takes, and what one is counted as before it is read: only the library knows what it becomes."""
SIDE = 1024
_MARK = "LLAMA_MEDIA_MARKER"
_PATIENCE = 600.0
"""Seconds of silence after which the server counts as gone: it says nothing while it looks at a picture."""


def mark() -> str:
    """The place of a picture in a text, for this process. The library looks for it when it first loads a model."""
    return os.environ.setdefault(_MARK, f"<picture-{secrets.token_hex(16)}>")


def find_mmproj(card: Card, files: Path) -> Path | None:
    """The file that sees: the one that the card names, else the one in the model's folder."""
    folder = files if files.is_dir() else files.parent
    if named := card.options.get("mmproj"):
        return next(iter(sorted(folder.glob(f"**/{Path(str(named)).name}"))), None)
    return next(iter(sorted(files.glob("**/mmproj*.gguf"))), None) if files.is_dir() else None


def prompt(text: str, pictures: Sequence[bytes]) -> dict[str, Any]:
    """What the port takes in place of a prompt. Raises StudioError where a picture cannot be read."""
    return {"prompt_string": text.replace(PICTURE, mark()), "multimodal_data": [_png(one) for one in pictures]}


def ask(address: str, key: str, body: dict[str, Any], take: Callable[[dict[str, Any]], bool]) -> None:
    """Have a prompt with pictures continued, piece by piece in the form of the library's own calls.

    Args:
        take: is given each piece; True ends it.

    Raises:
        OSError: the server does not answer.
    """
    host, _, port = address.rpartition("//")[2].rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=_PATIENCE)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/completion", json.dumps(body), headers)
        answer = connection.getresponse()
        if answer.status != 200:
            take(json.loads(answer.read()))
            return
        for piece in _pieces(answer):
            if take(_as_choice(piece)):
                return  # the server stops where nobody listens any more
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def _pieces(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in answer:
        kind, _, said = line.decode("utf-8", "replace").partition(": ")
        if kind == "data" and said.startswith("{"):
            yield json.loads(said)
        elif kind == "error":
            yield {"error": json.loads(said)}


def _as_choice(piece: dict[str, Any]) -> dict[str, Any]:
    if "error" in piece:
        return piece
    ended = {"limit": "length"}.get(piece.get("stop_type", ""), "stop") if piece.get("stop") else None
    found: dict[str, Any] = {"choices": [{"text": piece.get("content", ""), "finish_reason": ended}]}
    return found | ({"timings": piece["timings"]} if "timings" in piece else {})


def _png(data: bytes) -> str:
    """A picture in the form that the library reads, upright and no larger than it looks at."""
    picture = decode_image(data)
    picture.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()
