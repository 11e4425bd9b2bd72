"""Recent pieces: what the library holds, newest first, as a list to open from. Not on a public studio."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.i18n import text
from studio.results import Artifact
from tabs.music import take_cards
from tabs.music.result import Result
from tabs.music.take_cards import Take
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import PASSING, fold

MOST = 60


class Recent:
    """The list; its files are read when it is opened. Starred ones come first."""

    def __init__(self, page: Page) -> None:
        self._page = page
        with fold("music-recent", "music.recent"):
            self.list = gr.Dropdown(
                [],
                value=None,
                label=t("music.recent_choose"),
                elem_id="music-recent-list",
                filterable=True,
                elem_classes=PASSING,
            )
        self.found = gr.State(())

    def wire(self, result: Result) -> None:
        opening = gr.Button(visible="hidden", elem_id="music-recent-open", elem_classes="a-hidden")
        opening.click(self._read, None, [self.list, self.found], **quick())

        def look(chosen: object, found: tuple[Artifact, ...], takes: tuple[Take, ...], request: gr.Request) -> Any:
            if not isinstance(chosen, int) or not 0 <= chosen < len(found):
                return {}
            return result.beside(found[chosen], language(request), takes)

        self.list.input(look, [self.list, self.found, result.shown], result.outputs, preprocess=False, **quick())

    def _read(self, request: gr.Request) -> tuple[Any, tuple[Artifact, ...]]:
        library, spoken = self._page.studio.library, language(request)
        stars = library.stars.all()
        found = sorted(library.recent("music", MOST), key=lambda artifact: artifact.id not in stars)
        choices = [(self._line(artifact, artifact.id in stars, spoken), place) for place, artifact in enumerate(found)]
        return gr.update(choices=choices, value=None), tuple(found)

    def _line(self, artifact: Artifact, starred: bool, spoken: str) -> str:
        made = artifact.recipe
        prompt = " ".join(str(made["parameters"].get("prompt", "")).split())[:60]
        mark = text("music.starred", spoken) + " · " if starred else ""
        return f"{mark}{made['made'][:16].replace('T', ' ')} · {prompt} · {take_cards.facts(made, spoken)}"
