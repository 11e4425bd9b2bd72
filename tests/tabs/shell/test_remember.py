"""Which fields of a tab are remembered, and what a browser may say of a tab that it had open."""

from __future__ import annotations

import json

import gradio as gr
import pytest

from tabs.shared.context import standing
from tabs.shared.widgets import PASSING
from tabs.shell.remember import fields


def test_every_field_that_a_person_fills_is_remembered_and_nothing_else() -> None:
    with gr.Blocks(), gr.Tab("one") as tab:
        with gr.Column():
            kept = [gr.Textbox(elem_id="a"), gr.Dropdown(["x"], elem_id="b"), gr.Checkbox(elem_id="c", visible=False)]
        gr.Textbox(elem_id="hidden", visible="hidden")
        gr.Textbox(elem_id="shown", interactive=False)
        gr.Textbox(elem_id="search", elem_classes=["wide", PASSING])
        with gr.Column(elem_classes="a-hidden"):
            gr.Textbox(elem_id="within")
        gr.HTML("words")
    assert fields(tab) == kept


def test_a_field_without_a_name_does_not_build() -> None:
    with gr.Blocks(), gr.Tab("one") as tab:
        gr.Textbox(label="nameless")
    with pytest.raises(ValueError, match="Textbox"):
        fields(tab)


@pytest.mark.parametrize(
    ("left", "ids", "job"),
    [
        ('{"made": ["image/a.png"], "job": "1f"}', ["image/a.png"], "1f"),
        ("{}", [], ""),
        ("", [], ""),
        ("null", [], ""),
        ("[1]", [], ""),
        ('{"made": 7}', [], ""),
        ("not json", [], ""),
        (json.dumps({"made": ["x" * 5_000] * 500}), ["x" * 1_000] * 100, ""),
    ],
)
def test_what_a_browser_says_is_read_with_care(left: str, ids: list[str], job: str) -> None:
    assert standing(left) == (ids, job)
