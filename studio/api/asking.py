"""What several addresses take alike: files inside JSON, sizes, models by name, and fields that nobody understood."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from studio.errors import StudioError

OPEN = ConfigDict(extra="allow", protected_namespaces=())
"""Of every message: what is not known is kept, so that it can be named."""
DEFAULT = ("", "default")
"""Names of the model that the studio would take by itself."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0, 0.0), "presence_penalty": (0, 0.0), "logit_bias": ({},), "logprobs": (False, 0),
    "top_logprobs": (0,), "best_of": (1,), "echo": (False,), "tools": ([],), "functions": ([],), "include": ([],),
    "store": (False, True), "parallel_tool_calls": (False, True), "tool_choice": ("auto", "none"),
    "modalities": (["text"],),
    "truncation": ("disabled", "auto"), "service_tier": ("auto", "default"), "moderation": ("auto", "low"),
    "quality": ("auto", "standard"), "background": ("auto", "opaque"), "style": ("vivid", "natural"),
    "stream": (False,), "partial_images": (0,),
}  # fmt: skip
"""Values with which a field that we do not have changes nothing."""
QUIET = ("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "client_metadata")
"""Fields that are meant for somebody's books."""
IGNORED = "X-Atelier-Ignored"
"""The header that names the fields nobody understood."""
_DATA = re.compile(r"data:([\w.+/-]*)(?:;[\w.+=-]+)*?;base64,", re.ASCII | re.IGNORECASE)
_SIZE = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"[^\x21-\x2b\x2d-\x7e]")


def model(name: str | None) -> str:
    """A model's id, empty for the one that the studio takes by itself."""
    return "" if name is None or name.strip().lower() in DEFAULT else name.strip()


def ignored(message: BaseModel, *, known: Collection[str] = ()) -> dict[str, str]:
    """A header with the names of the fields that are not known and not without effect; none where there are none.

    Args:
        known: fields that were read all the same.
    """
    return header(
        [
            name
            for name, value in (message.model_extra or {}).items()
            if name not in known and name not in QUIET and value is not None and value not in NEUTRAL.get(name, ())
        ]
    )


def header(names: Collection[str]) -> dict[str, str]:
    """The header that names fields, as a header may."""
    said = [_NAME.sub("", name)[:60] for name in names]
    return {IGNORED: ", ".join(filter(None, said))[:1000]} if any(said) else {}


def data(field: str, given: str) -> bytes:
    """A file from a data: address, or from base64 alone.

    Raises:
        StudioError: api_remote for another address, api_data.
    """
    head = given[:200].lstrip().lower()
    if head.startswith(("http:", "https:", "file:", "ftp:")):
        raise StudioError("api_remote")
    found = _DATA.match(given)
    if found is None and head.startswith("data:"):
        raise StudioError("api_data", field=field)
    try:
        return base64.b64decode(given[found.end() if found else 0 :].strip(), validate=True)
    except (binascii.Error, ValueError):
        raise StudioError("api_data", field=field) from None


def size(given: str | None) -> tuple[int | None, int | None]:
    """Width and height; None twice where they are left to the model.

    Raises:
        StudioError: api_size.
    """
    if given is None or given.strip().lower() in ("", "auto"):
        return None, None
    found = _SIZE.fullmatch(given.strip())
    if found is None:
        raise StudioError("api_size", size=given[:20])
    return int(found[1]), int(found[2])


def stepped(seed: int | None, number: int) -> int | None:
    """The seed of one of several answers."""
    return seed if seed is None or seed < 0 else seed + number
