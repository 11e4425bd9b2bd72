"""The fields of the code tab, and what is asked for with their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.media.encodings import decoded
from studio.request_parts import CodeEdit, CodeFile
from studio.requests import CodeRequest
from studio.tasks.code.languages import TITLES
from studio.tasks.limits import TEXTS
from tabs.shared import uploaded
from tabs.shared.context import Page
from tabs.shared.i18n import t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.widgets import number, read_number, read_whole, seed_row

TASK = "code"
_COLOURED = (
    "python", "javascript", "typescript", "html", "css", "json", "markdown", "shell", "sql", "c", "cpp", "r", "yaml",
    "dockerfile", "latex",
)  # fmt: skip
"""Languages that Gradio's editor can colour. Java, Go, Rust and the others between braces have strings, comments and
indentation as C++ has them."""
PLAIN = ("", "ruby")
_MOST_BYTES = 4_000_000
"""Of a file beside the one that is written: of more than that, no model reads the beginning."""
EMPTY: Mapping[str, Any] = {
    "model": "", "language": "", "fill_in_middle": True, "count": "", "max_tokens": "", "temperature": "", "top_p": "",
    "seed": "", "files": [],
}  # fmt: skip
"""Every field, as it is where the page says nothing of it."""


class Fields:
    """The parts, by the names of the request's fields; the caller says where each stands."""

    def __init__(self, page: Page) -> None:
        self.picker = ModelPicker(page, TASK)
        self.of: dict[str, Any] = {"model": self.picker.list}

    def language(self) -> None:
        plain = (t("code.plain"), "")
        self.of["language"] = gr.Dropdown(
            [*((title, name) for name, title in TITLES.items()), plain], value="python", label=t("label.language"),
            min_width=140, elem_id="code-language", filterable=False, scale=0,
        )  # fmt: skip

    def count(self) -> None:
        self.of["count"] = number(TASK, "count", placeholder="code.one")

    def more(self) -> None:
        """Those that few people change."""
        for name in ("max_tokens", "temperature", "top_p"):
            self.of[name] = number(TASK, name)
        self.of["seed"] = seed_row(TASK)
        self.of["fill_in_middle"] = gr.Checkbox(
            True, label=t("label.fill_in_middle"), info=t("help.fill_in_middle"), elem_id="code-fill-in-middle"
        )

    def files(self) -> None:
        """Other files for the model to read."""
        self.of["files"] = gr.File(
            file_count="multiple", label=t("label.other_files"), elem_id="code-files", height=140, allow_reordering=True
        )

    @property
    def inputs(self) -> list[Any]:
        """In the order of EMPTY."""
        return [self.of[name] for name in EMPTY]


def coloured(language: str) -> str:
    """What Gradio's editor is told of a language. Where it has no grammar of it: of one that is lexed like it, or of
    any, whose colours are then not shown (`PLAIN`); that there is none it cannot be told."""
    return language if language in _COLOURED else "r" if language in PLAIN else "cpp"


def request(
    values: Mapping[str, Any], before: str, after: str, path: str, edits: tuple[CodeEdit, ...] = ()
) -> CodeRequest:
    """What is asked for.

    Args:
        values: by name, as their fields have them.
        before, after: the text on both sides of the cursor.
        path: what the file is called.
        edits: what was changed lately, where the next edit is asked for.

    Raises:
        StudioError: a field holds no number, or a file is no text.
    """
    given = {**EMPTY, **values}
    count = read_whole("count", given["count"])
    return CodeRequest(
        prefix=before, suffix=after, path=path, model=given["model"] or "", language=given["language"] or "",
        fill_in_middle=bool(given["fill_in_middle"]), count=1 if count is None else count,
        max_tokens=read_whole("max_tokens", given["max_tokens"]),
        temperature=read_number("temperature", given["temperature"]), top_p=read_number("top_p", given["top_p"]),
        seed=read_whole("seed", given["seed"]), files=_others(given["files"]),
        edits=edits,
    )  # fmt: skip


def _others(sent: Any) -> tuple[CodeFile, ...]:
    """The files that were dropped, the first the most important.

    Raises:
        StudioError: not_uploaded, upload_too_large, not_a_text_file.
    """
    longest = TEXTS["code"]["prefix"].high  # far more than any model reads; what is left out is told by the engine
    found: list[CodeFile] = []
    for file in sent if isinstance(sent, list) else [sent] if sent else []:
        place = uploaded.path(file)
        if place is None:
            continue
        named = file.get("orig_name") if isinstance(file, dict) else None
        name = str(named or place.name)[: int(TEXTS["code"]["path"].high)]
        text = decoded(uploaded.read_upload(file, _MOST_BYTES))
        if text is None:
            raise StudioError("not_a_text_file", path=name)
        found.append(CodeFile(name, text.replace("\r\n", "\n")[:longest]))
    return tuple(found)
