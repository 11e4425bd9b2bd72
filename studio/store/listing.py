"""List of a repository's files on the hub, asked for in this process: one question, and no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.errors import StudioError
from studio.store import origin
from studio.store.wanted import Entry


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit: its files, and what the hub tells of it."""

    commit: str
    entries: Sequence[Entry]
    told: Mapping[str, Any]


def listing(repo: str, revision: str, model: str) -> Listing:
    """What the hub (or HF_ENDPOINT) says of a repository; `model` is what people call it.

    Raises:
        StudioError: hub_offline, not_on_hub, version_gone, gated, or why the hub does not answer as one.
    """
    from studio.store.courier import explained
    from studio.store.remotes import Hub
    from studio.store.transfer import Line

    if origin.offline():
        raise StudioError("hub_offline", model=model)
    order = {
        "kind": "hub", "endpoint": origin.endpoint(), "repo": repo, "revision": revision, "place": ".", "model": model,
    }  # fmt: skip
    line = Line(lambda _: None, 0)
    hub = Hub(order, line)
    try:
        commit, entries = line.retry(lambda _: hub.listing())
    except Exception as error:
        raise explained(error, order, hub.host) from None
    return Listing(commit, tuple(entries), hub.told)
