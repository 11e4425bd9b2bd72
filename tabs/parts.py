"""Pieces that several tabs share: the run/stop pair, number fields, examples, the line under a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.types import Artifact, Task
from tabs import pump
from tabs.i18n import language, t
from tabs.shared import quick


def run_row(task: Task, label: str, stop: Callable[[gr.Request], None]) -> tuple[gr.Button, gr.Button]:
    """The run and the stop button in one place; Ctrl/Cmd+Enter and Esc press them (assets/page/page.js)."""
    with gr.Row(elem_classes="a-run"):
        run = gr.Button(t(label), variant="primary", elem_id=f"{task}-run", elem_classes="a-run-button")
        halt = gr.Button(
            t("page.stop"), variant="stop", visible=False, elem_id=f"{task}-stop", elem_classes="a-stop-button"
        )
    halt.click(stop, None, None, **quick())
    return run, halt


def number(task: Task, name: str, help: str = "", placeholder: str = "page.model_default", **more: Any) -> gr.Textbox:
    """A number that may be left empty for the model's default.

    A text field, because Gradio's number field turns "empty" into 0; `read` makes a number of it, and the studio
    checks its range.
    """
    return gr.Textbox(
        "", label=t(f"label.{name}"), info=t(help or f"help.{name}"), placeholder=t(placeholder), max_lines=1,
        max_length=20, min_width=120, elem_id=f"{task}-{name.replace('_', '-')}", elem_classes="a-number a-remember",
        **more,
    )  # fmt: skip


def seed_row(task: Task) -> gr.Textbox:
    """The seed: empty means a new one each time."""
    return number(task, "seed", placeholder="page.random")


def read(field: str, value: str | None) -> float | None:
    """What was typed into a number field; None where it is empty.

    Raises:
        StudioError: not a number.
    """
    typed = (value or "").strip().replace(",", ".")
    if not typed:
        return None
    try:
        return float(typed)
    except ValueError:
        raise StudioError("not_a_number", field=field) from None


def read_whole(field: str, value: str | None) -> int | None:
    """As `read`, for a whole number; a fraction is left for the studio to refuse."""
    found = read(field, value)
    return int(found) if found is not None and found.is_integer() else found  # pyright: ignore[reportReturnType]


def examples(task: Task, target: gr.Textbox, keys: tuple[str, ...]) -> gr.Row:
    """Things to try that work on this machine now; a click fills the prompt."""
    with gr.Row(elem_classes="a-examples", elem_id=f"{task}-examples") as row:
        for key in keys:
            button = gr.Button(t(key), size="sm", elem_classes="a-example")
            button.click(_example(key), None, target, **quick())
    return row


def _example(key: str) -> Callable[[gr.Request], str]:
    def fill(request: gr.Request) -> str:
        return text(key, language(request))

    return fill


def made(artifact: Artifact, language: str) -> str:
    """The line under a result: its seeds, the model, the time it took and the licence."""
    recipe, model = artifact.recipe, artifact.recipe["model"]
    seeds = ", ".join(str(each["seed"]) for each in artifact.recipes)
    seconds = f"{recipe['seconds']:.1f}"
    line = text("page.made_with", language, model=model["title"], seconds=seconds, licence=model["licence"])
    return pump.note(f"{text('label.seed', language)} {seeds} · {line}")
