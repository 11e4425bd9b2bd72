"""What the page has shown is cleared away in time, and what belongs to the page itself is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradio.route_utils import delete_files_created_by_app

from studio.service import Studio
from tabs.page import build
from tabs.shared.context import Page


def test_pictures_of_examples_outlive_gradios_own_cleaner(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(studio.instance.shown))
    page = build(studio)
    shown = [path for path in studio.instance.shown.rglob("*") if path.is_file()]
    assert shown, "an example's picture is served from here"
    every, age = page.delete_cache or (0, 0)
    assert 0 < every <= age
    delete_files_created_by_app(page, 0)
    assert all(path.exists() for path in shown)
    own = {Path(path) for block in page.blocks.values() for path in block.keep_in_cache}
    assert set(shown) <= own  # what our own cleaner leaves


def test_what_is_published_lies_where_it_is_cleared(studio: Studio) -> None:
    page = Page(studio, None)  # type: ignore[arg-type]
    assert Path(page.offer(b"x", "a.png")).is_relative_to(studio.instance.shown)
