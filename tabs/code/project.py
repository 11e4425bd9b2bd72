"""A folder of the person's own beside the editor: its files as a tree, opened and saved (assets/page/project.js).

On one's own machine only: whoever reaches a studio in a network or on a Space sees nothing of its disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from starlette.responses import JSONResponse, Response

from studio.errors import StudioError
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.code.languages import TITLES, of_file
from studio.tasks.code.project import Project
from tabs.shared.asker import Asker, table_of
from tabs.shared.i18n import said, t
from tabs.shared.widgets import fold

_SAID = (
    "code.unsaved", "code.save", "code.saved", "code.save_as", "code.throw_away", "code.cancel", "code.changed_on_disk",
    "code.save_over", "code.read_again", "code.name_taken", "code.unsaved_in", "code.new_file", "code.folder_empty",
    "code.more_entries", "code.nothing_found", "code.more_found", "code.file_name", "code.no_answer",
    "code.untitled", "code.search",
)  # fmt: skip
"""What the script says."""


def offered(settings: Settings) -> bool:
    """Whether folders can be opened."""
    return settings.profile == "local"


def side() -> None:
    """The column beside the editor: which folder, a search, and the tree, which the script draws."""
    for key in _SAID:
        t(key)
    with fold("code-folder", "code.folder"):
        gr.Textbox(
            "", label=t("code.folder_path"), info=t("code.folder_help"), max_lines=1, elem_id="code-root",
            placeholder=t("code.folder_example"),
        )  # fmt: skip
        tree = '<div class="a-tree"></div><p class="a-note a-tree-note"></p>'
        sought = '<input type="search" class="a-tree-search" autocomplete="off" spellcheck="false">'
        gr.HTML(f'<label class="a-unseen">{said("code.search")}</label>{sought}{tree}', elem_id="code-tree")


def bar() -> None:
    """What is open: its name, whether it was changed, and Save; the script fills it."""
    gr.HTML('<div class="a-file"></div><div class="a-ask" role="alert" hidden></div>', elem_id="code-file")


def _list(opened: Project, message: Any) -> dict[str, Any]:
    (folder,) = table_of(message, folder=str)
    entries, more = opened.entries(folder)
    return {"entries": [{"file": one.path, "name": one.name, "folder": one.folder} for one in entries], "more": more}


def _search(opened: Project, message: Any) -> dict[str, Any]:
    (words,) = table_of(message, words=str)
    found = opened.search(words)
    return {"hits": [{"file": hit.path, "line": hit.line, "text": hit.text} for hit in found.hits], "more": found.more}


def _read(opened: Project, message: Any) -> dict[str, Any]:
    (file,) = table_of(message, file=str)
    found = opened.read(file)
    return {"text": found.text, "stamp": found.stamp, "language": language(file)}


def _save(opened: Project, message: Any) -> dict[str, Any]:
    file, words, stamp = table_of(message, file=str, text=str, stamp=str)
    found = opened.save(file, words, stamp)
    return {"changed": True} if found is None else {"stamp": found.stamp}


def language(file: str) -> str:
    """The language of a file as the page's list has it."""
    found = of_file(file)
    return found if found in TITLES else ""


def _answer(act: Callable[[Project, Any], dict[str, Any]]) -> Callable[[Studio, Any, Asker], Response]:
    def answer(studio: Studio, message: Any, asker: Asker) -> Response:
        """Raises StudioError: not_for_public, bad_message, and as the project's own."""
        del asker
        if not offered(studio.settings):
            raise StudioError("not_for_public")
        (root,) = table_of(message, root=str)
        return JSONResponse(act(Project(root), message), headers={"Cache-Control": "no-store"})

    return answer


ANSWERS: Mapping[str, Callable[[Studio, Any, Asker], Response]] = {
    "list": _answer(_list), "search": _answer(_search), "read": _answer(_read), "save": _answer(_save),
}  # fmt: skip
