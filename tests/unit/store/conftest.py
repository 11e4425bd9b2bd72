"""What fetches runs in the test's own thread, with a cache of its own; `courier` starts the process that users have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.errors import Cancelled
from studio.store import courier as program
from studio.store import fetching, transfer

_PROCESS = fetching.fetch


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub library's cache."""
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
    monkeypatch.setattr(transfer, "WAITS", (0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(fetching, "fetch", _at_once)
    return tmp_path / "hub-cache"


@pytest.fixture
def courier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "fetch", _PROCESS)


def _at_once(
    order: dict[str, Any],
    progress: fetching.Progress,
    cancelled: Callable[[], bool],
    told: fetching.Told,
    wanted: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, str]:
    found: list[dict[str, str]] = []
    raised: list[Exception] = []

    def tell(said: dict[str, Any]) -> None:
        if raised:
            return
        try:
            if cancelled():
                raise Cancelled
            if (files := fetching.hear(said, progress, told, wanted)) is not None:
                found.append(files)
        except Exception as error:
            raised.append(error)
            raise

    program.run(order, tell)
    if raised:
        raise raised[0]
    return found[0]
