"""PDF files as text: read in a process of its own, which hostile ones may fill, hang or crash.

That process (studio.media.pdf_pages) has limits of time and memory; what it had read when it met one counts. Nothing is
drawn, so a page that was scanned has no text.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError

SECONDS = 20
MEMORY = 1_000_000_000
"""Bytes that the process may have, Python and its libraries included."""
PAGES = 1000
AT_ONCE = 2
_BEGIN = b"%PDF-"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_JOINED = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
"""Letters that a typesetter joined."""
_MOST_KEPT = 8
_FORGET = 60.0
"""Seconds for which a failure is remembered; a machine that was busy may have time again."""
_room = threading.BoundedSemaphore(AT_ONCE)
_kept: OrderedDict[tuple[str, int], tuple[float, PdfText | StudioError]] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class PdfText:
    """The text of a PDF, each page under a line with its number.

    Attributes:
        read: how many of its `pages` are in it, the last of them perhaps in part.
        cut: something is missing at the end.
    """

    text: str
    pages: int
    read: int
    cut: bool


def is_pdf(data: bytes) -> bool:
    """Whether it calls itself one: within the first kilobyte, as readers have it (ISO 32000, annex of Adobe's)."""
    return _BEGIN in data[:1024]


def read(data: bytes, letters: int, name: str = "") -> PdfText:
    """The text of a PDF, of at most so many letters. What was read last is remembered.

    Args:
        name: what errors call it.

    Raises:
        StudioError: pdf_locked, pdf_broken, pdf_no_text; pdf_too_hard where it wants more time or memory than it gets;
            too_busy where others are being read for all that time.
    """
    key = hashlib.sha256(data).hexdigest(), letters
    with _lock:
        when, found = _kept.get(key, (0.0, None))
    if found is None or (isinstance(found, StudioError) and time.monotonic() - when > _FORGET):
        try:
            found = _read(data, letters)
        except StudioError as error:
            if error.code == "too_busy":
                raise
            found = error
        with _lock:
            _kept[key] = time.monotonic(), found
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
    if isinstance(found, StudioError):
        raise StudioError(found.code, name=name)
    return found


def _read(data: bytes, letters: int) -> PdfText:
    if not _room.acquire(timeout=SECONDS):
        raise StudioError("too_busy")
    try:
        lines, ended = _lines(data, letters)
    finally:
        _room.release()
    head, pages = (lines[0] if lines else {}), [line for line in lines[1:] if isinstance(line.get("text"), str)]
    if not isinstance(count := head.get("pages"), int):
        code = head.get("error")
        raise StudioError(code if code in ("pdf_locked", "pdf_broken") else "pdf_too_hard")
    texts = [_clean(page["text"]) for page in pages]
    if not any(texts):
        raise StudioError("pdf_no_text" if ended and len(pages) == min(count, PAGES) else "pdf_too_hard")
    said = "\n\n".join(f"[Page {number}]\n{text}" for number, text in enumerate(texts, 1) if text)
    cut = len(said) > letters or len(pages) < count or not all(page.get("whole") is True for page in pages)
    return PdfText(said[:letters], count, len(pages), cut)


def _lines(data: bytes, letters: int) -> tuple[list[dict[str, Any]], bool]:
    """What the process wrote, and whether it came to its end."""
    program = [sys.executable, "-I", str(Path(__file__).with_name("pdf_pages.py"))]
    limits = map(str, (PAGES, letters, SECONDS, MEMORY))
    try:
        done = subprocess.run([*program, *limits], input=data, capture_output=True, timeout=SECONDS, check=False)
        said, ended = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as late:
        said, ended = late.stdout or b"", False
    lines = []
    for line in said.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # it was ended in the middle of it
            break
    return lines, ended


def _clean(said: str) -> str:
    return _CONTROL.sub("", said.replace("\r", "\n")).translate(_JOINED).strip()
