"""Pieces that several tabs share: the run/stop pair, number fields, examples, the line under a result."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr

from studio.catalog import licence, variants
from studio.errors import StudioError
from studio.i18n import text
from studio.requests import Task
from studio.results import Artifact
from tabs.shared import job_progress
from tabs.shared.events import quick
from tabs.shared.i18n import said, t

PASSING = "a-passing"
"""The class of a field that the page does not remember (tabs.shell.remember)."""

FIELDS = (gr.Textbox, gr.Dropdown, gr.Radio, gr.Checkbox, gr.Image, gr.Audio, gr.File)
"""What a person fills in, and the page remembers."""


def lasting(block: Any) -> bool:
    """Whether the page remembers a field, or what is in a part: it is neither hidden nor PASSING."""
    classes = " ".join(block.elem_classes or ()).split()
    return block.visible != "hidden" and "a-hidden" not in classes and PASSING not in classes


def run_row(task: Task, label: str, stop: Callable[[gr.Request], None]) -> tuple[gr.Button, gr.Button]:
    """The run and the stop button in one place; Ctrl/Cmd+Enter and Esc press them (assets/page/page.js)."""
    with gr.Row(elem_classes="a-run"):
        return run_pair(task, label, stop)


def run_pair(task: Task, label: str, stop: Callable[[gr.Request], None]) -> tuple[gr.Button, gr.Button]:
    """As `run_row`, in a row that stands already."""
    run = gr.Button(t(label), variant="primary", elem_id=f"{task}-run", elem_classes="a-run-button")
    halt = gr.Button(
        t("page.stop"), variant="stop", visible=False, elem_id=f"{task}-stop", elem_classes="a-stop-button"
    )
    halt.click(stop, None, None, **quick())
    return run, halt


def later_button(task: Task) -> gr.Button:
    """Beside Stop while a job runs: puts what the fields ask for now into the queue (Ctrl/Cmd+Shift+Enter)."""
    return gr.Button(
        t("page.later"), visible=False, elem_id=f"{task}-later", elem_classes="a-later-button", min_width=0
    )


def queued_line(task: Task) -> gr.HTML:
    """What is said of that."""
    return gr.HTML(elem_id=f"{task}-queued", elem_classes="a-live a-queued")


@contextmanager
def fold(id: str, label: str) -> Iterator[gr.Column]:
    """A part that opens under its name and stays as it was left (assets/page/page.js).

    Gradio's accordion draws what is in it only when it is opened: drafts would come back too late, and what the
    server writes into it would be lost.
    """
    gr.Button(t(label), size="sm", elem_id=f"{id}-fold", elem_classes="a-fold-button")
    with gr.Column(elem_id=id, elem_classes="a-fold", min_width=0) as column:
        yield column


def heading(task: Task) -> gr.HTML:
    """The heading of a result: unseen, for an outline and for the keyboard (assets/page/focus.js)."""
    return gr.HTML(said("page.result", "h2", "a-unseen"), elem_id=f"{task}-heading", elem_classes="a-bare")


@contextmanager
def menu(id: str, label: str) -> Iterator[gr.Column]:
    """A button that opens a short list of further buttons below it (assets/page/menus.js)."""
    with gr.Column(elem_classes="a-menu", min_width=0, scale=0):
        gr.Button(t(label), size="sm", elem_id=f"{id}-menu", elem_classes="a-menu-button", min_width=0)
        with gr.Column(elem_id=id, elem_classes="a-menu-list", min_width=0) as column:
            yield column


def taking_menu(said: str, but: Iterable[str], words: str = "") -> gr.HTML:
    """In a `menu` of a result, whatever else takes that up, by the table of the library (assets/page/uses.js).

    Args:
        said: selector of the part that names the result (job_progress.chosen).
        but: takers that have a button of their own there (tabs.shared.taking).
        words: selector of the field that holds the result's words, where a person may change them.
    """
    t("library.shift")
    return gr.HTML(taken_by(f'data-from="{said}" data-words="{words}"', but), elem_classes="a-bare a-taking")


def taken_by(named: str, but: Iterable[str] = ()) -> str:
    """The place of such entries, as HTML; `named` says of what, as attributes."""
    return f'<span class="a-uses" data-uses {named} data-but="{" ".join(but)}"></span>'


def number(
    task: Task, name: str, help: str | None = "", placeholder: str = "page.model_default", **more: Any
) -> gr.Textbox:
    """A number that may be left empty for the model's default.

    A text field, because Gradio's number field turns "empty" into 0; `read_number` makes a number of it, and the studio
    checks its range.

    Args:
        help: key of the line below its name; by default `help.<name>`, none where it is None.
    """
    options: dict[str, Any] = {"max_length": 20, "min_width": 120, "elem_id": f"{task}-{name.replace('_', '-')}"}
    options |= {"elem_classes": "a-number"} | more
    info = None if help is None else t(help or f"help.{name}")
    return gr.Textbox(
        "", label=t(f"label.{name}"), info=info, placeholder=t(placeholder), max_lines=1, **options,
    )  # fmt: skip


def seed_row(task: Task, **more: Any) -> gr.Textbox:
    """The seed: empty means a new one each time."""
    return number(task, "seed", placeholder="page.random", **more)


def read_number(field: str, value: str | None) -> float | None:
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


def typed_number(value: float) -> str:
    """A number as it is typed into a field: `read_number` makes the same of it again, to the last digit."""
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def read_whole(field: str, value: str | None) -> int | None:
    """As `read_number`, for a whole number; a fraction is left for the studio to refuse."""
    typed = (value or "").strip()
    if re.fullmatch(r"-?[0-9]{1,40}", typed):
        return int(typed)  # a seed has more digits than a float
    found = read_number(field, value)
    return int(found) if found is not None and found.is_integer() else found  # pyright: ignore[reportReturnType]


def tries(task: Task, keys: Sequence[str], english: bool = False) -> gr.HTML:
    """Things to try that work on this machine now. One press fills the prompt and runs it (assets/page/tries.js)."""
    return gr.HTML(examples(keys, english), elem_id=f"{task}-examples", elem_classes="a-examples")


def examples(keys: Sequence[str], english: bool = False) -> str:
    """The buttons of `tries`, in the page's language or, for a model that reads nothing else, in English."""
    words = [f'<span lang="en">{html.escape(text(key))}</span>' if english else said(key) for key in keys]
    return "".join(f'<button type="button" class="a-example" data-try>{one}</button>' for one in words)


def made_on(recipe: Mapping[str, Any], language: str) -> list[str]:
    """On which other computer it was made; nothing for this one."""
    if recipe.get("device") != "remote":
        return []
    return [text("page.computed_on", language, host=recipe.get("hardware", "?"))]


def made(artifact: Artifact, language: str) -> str:
    """The line under a result: its seeds, the model, the time it took and the licence."""
    recipe, model = artifact.recipe, artifact.recipe["model"]
    seeds = ", ".join(dict.fromkeys(str(each["seed"]) for each in artifact.recipes))
    if len(artifact.recipes) > 1 and recipe["parameters"].get("variation"):
        relatives = ", ".join(dict.fromkeys(str(each["parameters"]["variation_seed"]) for each in artifact.recipes))
        seeds += f" · {text('label.variation_seed', language)} {relatives}"
    seconds = f"{recipe['seconds']:.1f}"
    called = variants.called(model["id"], model["title"], language)
    line = " · ".join([text("page.made_with", language, model=called, seconds=seconds), *made_on(recipe, language)])
    named = licence.name(model["licence"], language)
    return job_progress.note(f"{text('label.seed', language)} {seeds} · {line} · {named}")
