"""The strip of what was made lately, in all tabs, under a result: one press takes it up in its own tab."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from studio.i18n import text
from studio.requests import Task
from studio.results import Artifact
from tabs.shared.context import TAB_OF, Page
from tabs.shared.events import quick
from tabs.shared.i18n import language
from tabs.shared.uploaded import address

MOST = 16
SIDE = 112
"""Pixels of a thumbnail, twice what it is shown at."""
_TASKS: tuple[Task, ...] = ("image", "upscale", "music")

_TAKING = "(_, ...rest) => [atelier.taking, ...rest]"

Put = Callable[..., dict[Any, Any]]
"""Shows an artifact of the library in its tab, in a language; then come the values of the inputs."""


class Lately:
    """The strip at the bottom of a column. Empty on a public studio, which keeps nothing."""

    def __init__(
        self, page: Page, task: Task, put: Put | None = None, outputs: Sequence[Any] = (), inputs: Sequence[Any] = ()
    ) -> None:
        self._page, self._put = page, put
        if page.studio.settings.public:
            return
        strip = gr.HTML(elem_id=f"{task}-lately", elem_classes="a-lately")
        again = gr.Button(visible="hidden", elem_classes="a-hidden a-lately-again")
        again.click(self._draw, None, strip, **quick())
        page.localised(self._draw, None, strip)
        if put is not None:
            chosen = gr.Textbox(visible="hidden", elem_classes="a-hidden")
            take = gr.Button(visible="hidden", elem_id=f"{task}-take-up", elem_classes="a-hidden")
            take.click(self._taken, [chosen, *inputs], list(outputs), js=_TAKING, **quick())

    def _taken(self, request: gr.Request, id: str, *values: Any) -> dict[Any, Any]:
        found = self._page.studio.library.named([id or ""])
        return self._put(found, language(request), *values) if self._put is not None and found is not None else {}

    def _draw(self, request: gr.Request) -> str:
        spoken = language(request)
        found = self._page.studio.library.recent(_TASKS, MOST)
        if not found:
            return ""
        name = html.escape(text("page.lately", spoken))
        return f'<h3 class="a-lately-name">{name}</h3><div class="a-lately-row">{"".join(map(self._one, found))}</div>'

    def _one(self, artifact: Artifact) -> str:
        file, tab = artifact.files[0], TAB_OF.get(artifact.task, artifact.task)
        prompt = " ".join(str(artifact.recipe["parameters"].get("prompt") or file.stem).split())[:120]
        words = html.escape(prompt, quote=True)
        if tab == "image":
            inside = f'<img src="{address(self._page.thumbnails.of(file, SIDE))}" alt="" loading="lazy">'
        else:
            inside = f"<span>{words}</span>"
        id = html.escape(self._page.studio.library.id(file), quote=True)
        return (
            f'<button type="button" class="a-lately-{tab}" data-take="{id}" data-tab="{tab}" '
            f'aria-label="{words}" title="{words}">{inside}</button>'
        )
