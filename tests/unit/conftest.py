"""Shared by the tests with stand-in models."""

from __future__ import annotations

from typing import Any

import pytest

from studio.engines.demo.fake import FakeModel
from studio.results import Output


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the models of this process are asked, whole."""
    found: list[Any] = []
    run = FakeModel.run

    def note(model: FakeModel, request: Any, context: Any) -> Output:
        found.append(request)
        return run(model, request, context)

    monkeypatch.setattr(FakeModel, "run", note)
    return found
