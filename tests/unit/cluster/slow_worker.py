"""Workers whose stand-ins take as long as a file says, also after they were killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from studio.cluster import actor
from studio.cluster.host import Host, studio_for
from studio.service import Studio

FILE = "SLOW_WORKER_FILE"


class SlowHost(Host):
    """A host that looks into the file before each part."""

    def __init__(self, studio: Studio, place: str) -> None:
        super().__init__(studio, place)
        self._known, self._cards, self._options = studio, studio.catalog.cards, ""

    def part(self, asker: str, message: bytes) -> Iterator[bytes]:
        options = Path(os.environ[FILE]).read_text()
        if options != self._options:
            self._options = options
            cards = {
                id: replace(card, options={**card.options, **json.loads(options)}) for id, card in self._cards.items()
            }
            object.__setattr__(self._known.catalog, "cards", MappingProxyType(cards))
            self._known.models.unload()
        yield from super().part(asker, message)


class SlowCalls(actor.Calls):
    """Those of a worker with such a host, and what tests ask beside."""

    def parts(self) -> int:
        """Jobs that it has to do."""
        return sum(not job.done for job in self._host._studio.jobs())

    def _made(self, settings: dict[str, Any], place: str) -> Host:
        return SlowHost(studio_for(settings), place)


make = partial(actor.make, kind=actor.remote(SlowCalls))
