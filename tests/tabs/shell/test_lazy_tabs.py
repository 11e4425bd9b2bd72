"""Tabs that reach the browser when they are first opened: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from gradio.components.api_component import Api

from studio.service import Studio
from tabs.page import build
from tabs.shell.lazy_tabs import LazyBlocks


def ids(layout: dict[str, Any]) -> Iterator[int]:
    for child in layout.get("children", ()):
        yield child["id"]
        yield from ids(child)


@pytest.fixture
def page(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> LazyBlocks:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(studio.instance.shown))
    made = build(studio)
    assert isinstance(made, LazyBlocks)
    return made


def test_the_first_page_and_the_parts_are_the_whole_page(page: LazyBlocks) -> None:
    config: Any = page.get_config_file()
    first = config["page"][""]
    parts = [asyncio.run(page.process_api(opener, []))["render_config"] for opener in page._deferred]
    assert len(parts) == 4
    brought = [one["id"] for part in parts for one in part["components"] if one["id"] != part["render_id"]]
    apart = {id for id, block in page.blocks.items() if isinstance(block, Api)}
    assert sorted([*first["components"], *brought, *apart]) == sorted(one["id"] for one in config["components"])
    brought = [one["id"] for part in parts for one in part["dependencies"]]
    brought += [one["id"] for one in config["dependencies"] if apart.issuperset(one["outputs"]) and one["outputs"]]
    assert sorted(first["dependencies"] + brought) == sorted(one["id"] for one in config["dependencies"])
    layouts = [first["layout"], *[part["layout"] for part in parts]]
    assert sorted([*(id for one in layouts for id in ids(one)), *apart]) == sorted(ids(config["layout"]))
    assert len(first["components"]) < len(config["components"]) / 3


def test_a_tab_brings_its_own_chains_and_what_it_does_when_it_is_opened() -> None:
    with LazyBlocks() as page:
        with gr.Tabs():
            with gr.Tab("one"):
                gr.Textbox()
            with gr.Tab("two") as tab:
                button, field = gr.Button(), gr.Textbox()
                chain = button.click(lambda: "a", None, field).then(lambda: "b", None, field)
                opening = page.load(lambda: "c", None, field)
        page.defer(tab, gr.Button())
    (opener,) = page._deferred
    page.get_config_file()
    parts = asyncio.run(page.process_api(opener, []))["render_config"]
    brought = {one["id"]: one for one in parts["dependencies"]}
    assert {chain["id"], opening["id"], chain["trigger_after"]} == set(brought)
    (box,) = [one for one in parts["components"] if one["id"] == field._id]
    assert box["props"]["interactive"] is False  # it is written to, and nothing reads it
    (run,) = [one for one in parts["components"] if one["id"] == button._id]
    assert run["props"]["attached_events"] == ["click"]


def _crossing() -> None:
    with LazyBlocks() as page:
        outside = gr.Button()
        with gr.Tabs():
            with gr.Tab("one"):
                gr.Textbox()
            with gr.Tab("two") as tab:
                field = gr.Textbox()
        page.defer(tab, gr.Button())
        outside.click(lambda: "a", None, field)


def test_what_would_change_fields_that_may_not_be_there_is_refused_when_the_page_is_built() -> None:
    with pytest.raises(ValueError, match="a tab that may not be there yet"):
        _crossing()
