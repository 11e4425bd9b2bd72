"""Files that come with a message: what may come, and how a model is given them.

A picture goes to the model as a picture. A text is written into the message, before what was typed, under its name and
between fences that are longer than any in it; of a PDF its text counts::

    File: notes.md
    ```markdown
    ...
    ```
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import PurePosixPath

from studio.errors import StudioError
from studio.media import charsets, formats, pdf
from studio.request_parts import Attachment, Message
from studio.requests import ChatRequest
from studio.results import Note
from studio.tasks.bounds import (
    MAX_IMAGE_BYTES,
    MAX_IMAGE_BYTES_PUBLIC,
    Letters,
    check_bytes,
    check_picture,
    check_text,
    label,
)

TEXT = Letters(200_000, 20_000)
NAME = 120
SHOWN = "shown"
"""Marks a conversation with pictures (studio.tasks.rules.Rules.marks)."""
PICTURE = "\ufffc"
"""Where a picture stands in a text: Unicode's own sign for an object. One that was typed is left out."""
_CUT = "\n\n[Cut: {count} of {pages} pages are here.]"
_TAGS = {
    "py": "python", "js": "javascript", "ts": "typescript", "md": "markdown", "sh": "bash", "yml": "yaml", "rs": "rust",
    "h": "c", "cc": "cpp", "hpp": "cpp", "cs": "csharp", "rb": "ruby", "kt": "kotlin", "txt": "", "pdf": "",
}  # fmt: skip
"""Endings of names that are not what the language is called behind a fence."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def read_attachment(
    name: str, data: bytes, public: bool = False, told: Callable[[Note], object] = lambda _: None
) -> Attachment:
    """A file as it comes with a message: a picture as it is, a text as UTF-8, a PDF as its text.

    Args:
        told: hears what is to be known of it: pdf_cut where only the beginning is read.

    Raises:
        StudioError: empty_file, unreadable_file for what is neither, too_long, file_too_large, as pictures are refused,
            or as `studio.media.pdf.read`.
    """
    name = _name(name)
    if not data:
        raise StudioError("empty_file", name=name)
    if formats.kind(data) is not None:
        check_picture("file", data, public)
        return Attachment(name, hashlib.sha256(data).hexdigest(), len(data), True, data)
    if pdf.is_pdf(data):
        said = _read_pdf(name, data, public, told)
    else:
        said = charsets.plain(data)
        if not said.strip() or _CONTROL.search(said[:100_000]):
            raise StudioError("unreadable_file", name=name)
    check_text("file", said, TEXT, public)
    data = said.replace("\r\n", "\n").encode()
    return Attachment(name, hashlib.sha256(data).hexdigest(), len(data), False, data)


def _read_pdf(name: str, data: bytes, public: bool, told: Callable[[Note], object]) -> str:
    check_bytes(data, MAX_IMAGE_BYTES_PUBLIC if public else MAX_IMAGE_BYTES)
    found = pdf.read(data, (TEXT.public if public else TEXT.high) - 100, name)
    if not found.cut:
        return found.text
    told(("pdf_cut", {"name": name, "count": found.read, "pages": found.pages}))
    return found.text + _CUT.format(count=found.read, pages=found.pages)


def check(files: object, public: bool) -> int:
    """Letters of all texts among the files of one message. Raises StudioError where one cannot be."""
    if not isinstance(files, tuple | list) or not all(isinstance(one, Attachment) for one in files):
        raise StudioError("not_text", field=label("file"))
    letters = 0
    for one in files:
        if one.picture:
            check_picture("file", one.data, public)
        else:
            said = one.data.decode("utf-8", "replace")
            check_text("file", said, TEXT, public)
            letters += len(said)
    return letters


def written(message: Message) -> str:
    """What a model reads of a message, with `PICTURE` in the place of each picture."""
    if not message.files:
        return message.content
    pictures = PICTURE * sum(one.picture for one in message.files)
    texts = [_fenced(one.name, one.data.decode("utf-8", "replace")) for one in message.files if not one.picture]
    content = message.content.replace(PICTURE, "")
    return pictures + "\n\n".join([*(text.replace(PICTURE, "") for text in texts), *([content] if content else [])])


def pictures(message: Message) -> tuple[bytes, ...]:
    """The files of its pictures, in the order in which `written` has their places."""
    return tuple(one.data for one in message.files if one.picture)


def marks(request: ChatRequest) -> tuple[str, ...]:
    """`SHOWN` where there are pictures."""
    return (SHOWN,) if any(one.picture for message in request.messages for one in message.files) else ()


def _fenced(name: str, said: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", said)), default=2)
    fence = "`" * (longest + 1)
    ending = PurePosixPath(name).suffix.lower().removeprefix(".")
    tag = _TAGS.get(ending, ending if ending.isascii() and ending.isalnum() and len(ending) < 12 else "")
    return f"File: {name}\n{fence}{tag}\n{said}{'' if said.endswith(chr(10)) else chr(10)}{fence}"


def _name(name: str) -> str:
    """What a file is called, without where it lay and without signs that would end its line."""
    last = re.split(r"[\\/]", name)[-1].encode("utf-8", "replace").decode()
    last = "".join(letter for letter in last if letter.isprintable() and letter not in "`" + PICTURE).strip()
    stem, dot, ending = last.rpartition(".")
    return last if len(last) <= NAME else f"{(stem or last)[:NAME]}{dot}{ending[:12]}"
