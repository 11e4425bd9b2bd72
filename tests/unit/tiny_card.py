"""A card of a tiny model, for tests of where files come from."""

from __future__ import annotations

from typing import Any

from studio.catalog.card import Card, Source


def tiny_card(source: Source, disk_bytes: int, **changes: Any) -> Card:
    """A card whose files come from `source`; everything else is the least that a card says."""
    values: dict[str, Any] = {
        "id": "tiny", "title": "Tiny", "tasks": ("chat",), "engine": "llama", "source": source, "licence": "MIT",
        "licence_url": "", "commercial": True, "parameters": 1, "disk_bytes": disk_bytes, "memory_bytes": 1,
        "least_memory": 1, "languages": (), "summary": {},
    }  # fmt: skip
    return Card(**values | changes)
