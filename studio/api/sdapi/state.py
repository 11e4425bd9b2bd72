"""State that AUTOMATIC1111 keeps between two calls, here for each who asks: options, and who looks at progress."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

PREFIX = "/sdapi/v1"
TAG = "sdapi"
"""Marks the jobs that were asked for here."""
OPTIONS: Mapping[str, Any] = {
    "sd_model_checkpoint": "", "sd_vae": "Automatic", "CLIP_stop_at_last_layers": 1, "randn_source": "CPU",
}  # fmt: skip
"""Those that are understood, as they are at first."""
_REMEMBERED = 1_000


class States:
    """The newest thousand who ask. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._options: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._looking: OrderedDict[str, None] = OrderedDict()

    def options(self, who: str) -> dict[str, Any]:
        """What somebody has set."""
        with self._lock:
            return dict(self._options.get(who, {}))

    def set(self, who: str, options: Mapping[str, Any]) -> None:
        """Set some of OPTIONS."""
        with self._lock:
            self._options[who] = {**self._options.get(who, {}), **options}
            _newest(self._options, who)

    def looks(self, who: str) -> None:
        """Somebody has asked for the work in progress: from now on there is some to see, which takes its time."""
        with self._lock:
            self._looking[who] = None
            _newest(self._looking, who)

    def looking(self, who: str) -> bool:
        """Whether somebody has."""
        with self._lock:
            return who in self._looking


def _newest(known: OrderedDict[str, Any], who: str) -> None:
    known.move_to_end(who)
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
