"""What the benchmarks share: whether a model of the catalogue is on this machine."""

from __future__ import annotations

from pathlib import Path

from studio import settings
from studio.errors import StudioError
from studio.service import Studio


def files_of(model: str) -> Path | None:
    """The files of a model that is here; None where it is not."""
    try:
        with Studio(settings.load()) as studio:
            card = studio.catalog.get(model)
            if studio.store.state(card) == "ready":
                print(f"model: {card.title}")
                return studio.store.path(card)
    except StudioError:
        pass
    return None
