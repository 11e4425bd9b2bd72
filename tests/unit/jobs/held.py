"""A stand-in that stops in the middle of its work until it is let go."""

from __future__ import annotations

import threading

import pytest

from studio.engines.demo.fake import FakeModel


class Held:
    """Stops before its second step, or word, until `go` is set; `came` says that it stands there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.came, self.go = threading.Event(), threading.Event()
        step = FakeModel._step

        def held(model: FakeModel, context: object, done: int, total: int = 0) -> None:
            step(model, context, done, total)  # pyright: ignore[reportArgumentType]
            if done == 1:
                self.came.set()
                assert self.go.wait(10)

        monkeypatch.setattr(FakeModel, "_step", held)
