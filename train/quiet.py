"""The context of a run that nobody watches: what an engine tells goes nowhere, and it is never stopped."""

from __future__ import annotations

from typing import Any


class Quiet:
    """See studio.engines.base.Context."""

    adapters, previews, cancelled = (), False, False

    def alive(self) -> None: ...

    def check(self) -> None: ...

    def skipped(self) -> bool:
        return False

    def step(self, done: int, total: int = 0) -> None: ...

    def text(self, delta: str) -> None: ...

    def sound(self, samples: Any, rate: int) -> None: ...

    def preview(self, picture: Any, number: int = 0, whole: bool = False) -> None: ...
