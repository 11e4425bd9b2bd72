"""A page that is opened and used warns of nothing in the terminal: no list is given what it does not have."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import expect

from e2e.conftest import Visit
from e2e.desk import PATIENCE, TABS
from e2e.test_drop import drop
from e2e.test_library import Shelf
from studio.requests import ImageRequest
from studio.service import Studio


def test_every_list_holds_what_it_is_given(
    visit: Visit, url: str, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd: list[tuple[str | None, Any]] = []
    look = gr.Dropdown._warn_if_invalid_choice

    def noted(part: gr.Dropdown, value: Any) -> None:
        if not part.allow_custom_value and value not in [meant for _, meant in part.choices]:
            odd.append((part.elem_id, value))
        look(part, value)

    monkeypatch.setattr(gr.Dropdown, "_warn_if_invalid_choice", noted)
    done = list(studio.submit(ImageRequest(prompt="a quiet hill", seed=3, steps=1, styles=("ink",))).events())[-1]
    assert done.artifact is not None
    desk = visit(url, locale="zh-CN")
    for tab in TABS:
        desk.go(tab)
    drop(desk, done.artifact.files[0].read_bytes(), "a.png", "#tabs")
    desk.tab = "image"
    expect(desk.field("prompt")).to_have_value("a quiet hill", timeout=PATIENCE)
    desk.painted()
    Shelf(desk)
    assert odd == []
