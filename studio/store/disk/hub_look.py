"""Look at a repository of the hub without fetching it: its files, its small ones, and the header of a large one.

The one place through which models that a person names ask the hub. The list comes from studio.store.listing.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from studio.catalog.card import PICKLES
from studio.errors import StudioError
from studio.store import origin
from studio.store.disk.weights import Weights, read_weights
from studio.store.listing import listing as list_repository
from studio.store.wanted import Entry, choose, inside

log = logging.getLogger("studio")

_SMALL = 1 << 20
_HEADER = 32 << 20
_GGUF = 4 << 20
"""Bytes of a GGUF file in which its architecture stands, in front of its vocabulary."""
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at its newest commit: name -> bytes, without what could run code."""

    repo: str
    commit: str
    sizes: Mapping[str, int]


def listing(repo: str) -> Listing:
    """The files of a repository.

    Raises:
        StudioError: hub_offline, not_on_hub, gated, or why the hub does not answer as one.
    """
    found = list_repository(repo, "", repo)
    safe = [entry for entry in found.entries if inside(entry.name) and not entry.name.lower().endswith(PICKLES)]
    return Listing(repo, found.commit, {entry.name: entry.size for entry in safe})


def usual(found: Listing) -> dict[str, int]:
    """Name -> bytes of what a download takes where nobody names files. Raises StudioError: missing_files."""
    entries = [Entry(name, size) for name, size in found.sizes.items()]
    return {entry.name: entry.size for entry in choose(entries, (), "", found.repo)}


def small(found: Listing, name: str) -> bytes:
    """A small file; empty where it is not there, too large, or does not come."""
    if found.sizes.get(name, _SMALL + 1) > _SMALL:
        return b""
    return _begin(found, name, _SMALL)


def weights(found: Listing, name: str) -> Weights:
    """What a file of weights is, from its header; nothing more of it is fetched."""
    size = found.sizes[name]
    start = _begin(found, name, _GGUF if name.lower().endswith(".gguf") else 8)
    if not name.lower().endswith(".gguf"):
        length = int.from_bytes(start[:8], "little")
        start = _begin(found, name, 8 + length) if 2 <= length <= _HEADER else start
    if not start:
        return Weights("unusable", nbytes=size, reason="not_readable")
    with tempfile.TemporaryDirectory(prefix="atelier-") as folder:
        file = Path(folder) / Path(name).name
        with file.open("wb") as stream:  # the same file with a hole for its weights: it takes no room
            stream.write(start)
            stream.truncate(size)
        return read_weights(file)


def page(repo: str) -> str:
    """The address at which people read of a repository."""
    return f"https://huggingface.co/{repo}"


def _begin(found: Listing, name: str, count: int) -> bytes:
    """The first bytes of a file; fewer or none where they do not come. Raises StudioError gated."""
    from huggingface_hub import get_session, get_token
    from huggingface_hub.errors import GatedRepoError
    from huggingface_hub.utils import hf_raise_for_status

    url = f"{origin.endpoint()}/{found.repo}/resolve/{found.commit}/{quote(name)}"
    asked = {"Range": f"bytes=0-{count - 1}"} | ({"Authorization": f"Bearer {token}"} if (token := get_token()) else {})
    data = b""
    try:
        with get_session().stream("GET", url, headers=asked, timeout=_SECONDS, follow_redirects=True) as answer:
            hf_raise_for_status(answer)
            for piece in answer.iter_bytes():
                data += piece
                if len(data) >= count:
                    break
    except GatedRepoError:
        raise StudioError("gated", model=found.repo, url=page(found.repo)) from None
    except Exception as error:  # the hub's library raises many kinds; what is not known is said so
        log.info("%s of %s could not be looked at: %s", name, found.repo, error)
        return b""
    return data[:count]
