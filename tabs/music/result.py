"""The right column of the music tab: the cards of the pieces, and what their buttons order.

The browser orders by name and place, "mp3 0" or "star 2", and tells the moment at which that piece is
(assets/page/music.js); which piece stands at a place, the server knows from its own state.
"""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.library.music_export import MUSIC
from studio.results import Artifact, Update
from studio.tasks.music import reading_text
from tabs.music import take_cards
from tabs.music.fields import TASK, Fields
from tabs.music.take_cards import Take
from tabs.shared import job_progress
from tabs.shared.audio_stream import PREFIX
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, said
from tabs.shared.widgets import heading, read_number, tries

_ORDERED = "(_, ...rest) => [atelier.ordered, ...rest]"
_FETCH = "() => { if (atelier.fetching) atelier.press('#music-file'); atelier.fetching = false; }"
EXAMPLES = tuple(f"music.example{number}" for number in range(1, 7))
_KNOWN = reading_text.NOTES
"""Notes of an engine that the line under the prompt has said already."""


class Result:
    """The parts of the column."""

    def __init__(self, page: Page, fields: Fields) -> None:
        self._page, self._fields = page, fields
        heading(TASK)
        tries(TASK, EXAMPLES)
        self.progress = gr.HTML(elem_id="music-progress", elem_classes="a-live")
        self.live = gr.HTML(elem_id="music-live", elem_classes="a-live")
        self.cards = gr.HTML(elem_id="music-takes", elem_classes="a-takes")
        self.said = gr.HTML(elem_id="music-said", elem_classes="a-live")
        with gr.Column(elem_classes="a-empty") as self.empty:
            gr.HTML(tunes())
        self._order = gr.Textbox(visible="hidden", elem_id="music-order", elem_classes="a-hidden")
        self._obey = gr.Button(visible="hidden", elem_id="music-obey", elem_classes="a-hidden")
        self._file = gr.DownloadButton("", visible="hidden", elem_id="music-file", elem_classes="a-hidden")
        self.shown = gr.State(())

    @property
    def outputs(self) -> list[Any]:
        return [self.progress, self.live, self.cards, self.said, self.empty, self.shown]

    def put(self, takes: tuple[Take, ...], spoken: str) -> dict[Any, Any]:
        """Show these pieces."""
        takes = takes[: take_cards.MOST]
        library = self._page.studio.library
        stars = library.stars.all()
        return {
            self.shown: takes,
            self.cards: take_cards.draw(takes, stars, self._page, spoken)
            + job_progress.made([] if self._page.studio.settings.public else [library.id(each.file) for each in takes]),
            self.empty: gr.update(visible=not takes),
        }

    def beside(self, artifact: Artifact, spoken: str, before: tuple[Take, ...]) -> dict[Any, Any]:
        """Show an artifact's pieces above those that are shown."""
        new = take_cards.takes(self._page, artifact)
        older = tuple(take for take in before if take.file not in {each.file for each in new})
        return self.put((*new, *older), spoken)

    def show(self, update: Update, spoken: str, before: tuple[Take, ...] = ()) -> dict[Any, Any]:
        """What changes in the column for an update; new pieces come above those from before."""
        changes: dict[Any, Any] = {
            self.progress: job_progress.progress(update, spoken) + job_progress.notes(update, spoken, _KNOWN),
            self.live: _listen(update, spoken) if update.live or update.final else "",
        }
        if update.artifact is not None and update.artifact.files:
            new = take_cards.takes(self._page, update.artifact)
            older = tuple(take for take in before if take.batch != update.artifact.id)
            changes |= {self.said: "", **self.put((*new, *older), spoken)}
        return changes

    def wire(self) -> None:
        outputs = [self._file, self.said, self.cards, self.shown, self.empty, *self._fields.restoring]
        self._obey.click(self._obeyed, [self._order, self.shown], outputs, js=_ORDERED, **quick()).then(
            None, None, None, js=_FETCH, **quick()
        )

    def _obeyed(self, ordered: str, takes: tuple[Take, ...], request: gr.Request) -> dict[Any, Any]:
        what, place, at = [*(ordered or "").split(), "", "", ""][:3]
        take = takes[int(place)] if place.isdecimal() and int(place) < len(takes) else None
        spoken = language(request)
        try:
            if take is None:
                return {self.said: ""}
            if what == "star":
                library = self._page.studio.library
                library.stars.turn(library.id(take.file))
                return self.put(takes, spoken)
            if what == "use":
                return self._fields.filled(take.recipe, spoken)
            if what == "on":
                return self._fields.onwards(take.recipe, take.file, read_number("duration", at) or 0.0, spoken)
            if what == "seed":
                return {self._fields.of["seed"]: str(take.recipe["seed"])}
            if f".{what}" in MUSIC:
                return {self._file: take_cards.export(self._page, take, f".{what}"), self.said: ""}
        except StudioError as error:
            return {self.said: job_progress.failure(error, spoken)}
        return {self.said: ""}


def tunes() -> str:
    """Notes that the starter composed of EXAMPLES, each of which composes another piece of its kind."""
    notes = "".join(
        f'<button type="button" class="a-tile a-tune" data-try style="--at:{place}"><i></i>{said(key)}</button>'
        for place, key in enumerate(EXAMPLES)
    )
    return f'{said("music.empty", "h2", "a-ask")}<div class="a-tiles a-tunes">{notes}</div>'


def _listen(update: Update, spoken: str) -> str:
    """The button that plays what there is of the piece in work (assets/page/music.js).

    After the end it is there only as long as somebody listens, who may be behind.
    """
    listen, quiet = (html.escape(text(f"music.{word}", spoken), quote=True) for word in ("listen", "quiet"))
    over = " a-over" if update.final else ""
    address = f"{PREFIX.lstrip('/')}{update.job}.wav"
    return (
        f'<button type="button" class="a-listen{over}" data-live="{address}" data-play="{listen}" data-pause="{quiet}">'
        f"{listen}</button>"
    )
