"""The music tab: a prompt in, pieces out. Puts its parts together; each stands in a module of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio import recipe
from studio.errors import StudioError
from studio.exports import MUSIC
from studio.i18n import text
from studio.requests import MusicRequest
from studio.types import Update
from tabs import music_takes, pump
from tabs.i18n import language, t
from tabs.music_fields import TASK, Fields, fields_of, reading_line, wanted
from tabs.music_recent import Recent
from tabs.music_takes import Take
from tabs.parts import examples, run_row
from tabs.shared import Page, pumping, quick

_ORDERED = "(_, ...rest) => [atelier.ordered, ...rest]"
_FETCH = "() => { if (atelier.fetching) atelier.press('#music-file'); atelier.fetching = false; }"


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    public = page.studio.settings.public
    with gr.Row(elem_classes="a-frame"):
        with gr.Column(elem_classes="a-input", scale=38, elem_id="music-input"):
            fields = Fields(page)
            run, stop = run_row(TASK, "music.run", page.stop(TASK))
        with gr.Column(elem_classes="a-result", scale=62):
            progress = gr.HTML(elem_id="music-progress", elem_classes="a-live")
            cards = gr.HTML(elem_id="music-takes", elem_classes="a-takes")
            said = gr.HTML(elem_id="music-said", elem_classes="a-live")
            with gr.Column(elem_classes="a-empty") as empty:
                gr.Markdown(t("music.empty"))
                examples(TASK, fields.of["prompt"], ("music.example1", "music.example2", "music.example3"))
            recent = None if public else Recent(page)
    order = gr.Textbox(visible="hidden", elem_id="music-order", elem_classes="a-hidden")
    obey = gr.Button(visible="hidden", elem_id="music-obey", elem_classes="a-hidden")
    file = gr.DownloadButton("", visible="hidden", elem_id="music-file", elem_classes="a-hidden")
    shown = gr.State(())
    page.prompts[TASK] = fields.of["prompt"]
    outputs = [run, stop, progress, cards, said, empty, shown]

    def put(takes: tuple[Take, ...], spoken: str) -> dict[Any, Any]:
        stars = page.studio.library.stars.all()
        return {shown: takes, cards: music_takes.draw(takes, stars, page, spoken), empty: gr.update(visible=not takes)}

    def show(update: Update, spoken: str, before: tuple[Take, ...] = ()) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), pump.running(on), strict=True))
        changes[progress] = pump.progress(update, spoken) + pump.notes(update, spoken, ("unknown_words",))
        if update.artifact is not None and update.artifact.files:
            new = music_takes.takes(page, update.artifact)
            older = tuple(take for take in before if take.batch != update.artifact.id)
            changes |= {said: "", **put((*new, *older)[: music_takes.MOST], spoken)}
        return changes

    def generate(request: gr.Request, before: tuple[Take, ...], *given: Any) -> Iterator[dict[Any, Any]]:
        def ask() -> MusicRequest:
            return wanted(dict(zip(fields.of, given, strict=True)))

        yield from page.run(TASK, ask, lambda update, spoken: show(update, spoken, before), progress, request)

    def follow(ordered: str, takes: tuple[Take, ...], request: gr.Request) -> dict[Any, Any]:
        what, _, place = (ordered or "").partition(" ")
        take = takes[int(place)] if place.isdecimal() and int(place) < len(takes) else None
        if take is None:
            return {said: ""}
        try:
            return _obeyed(page, fields, what, take, takes, put, file, said, language(request))
        except StudioError as error:
            return {said: pump.failure(error, language(request))}

    run.click(generate, [shown, *fields.inputs], outputs, **pumping())
    obey.click(
        follow, [order, shown], [file, said, cards, shown, empty, fields.restored, *fields.inputs],
        js=_ORDERED, **quick(),
    ).then(None, None, None, js=_FETCH, **quick())  # fmt: skip
    page.blocks.load(page.attach(TASK, show, progress), None, outputs, **pumping())

    def restore(dropped: str | None, request: gr.Request) -> dict[Any, Any]:
        changes = _restored(page, fields, dropped, language(request)) if dropped else {}
        return {**changes, fields.restore: None}  # so that the same file can be dropped again

    fields.restore.upload(
        restore, fields.restore, [fields.restored, fields.restore, fields.reading, *fields.inputs], **quick()
    )
    fields.wire()
    if recent is not None:
        recent.wire(shown, put, [cards, shown, empty])


def _obeyed(
    page: Page, fields: Fields, what: str, take: Take, takes: tuple[Take, ...], put: Any, file: Any, said: Any,
    spoken: str,
) -> dict[Any, Any]:  # fmt: skip
    """What a card's button does."""
    if what == "star":
        page.studio.library.stars.turn(page.studio.library.id(take.file))
        return put(takes, spoken)
    if what == "use":
        return _filled(fields, take.recipe, spoken)
    if what == "seed":
        return {fields.of["seed"]: str(take.recipe["seed"])}
    if f".{what}" in MUSIC:
        return {file: music_takes.export(page, take, f".{what}"), said: ""}
    return {said: ""}


def _restored(page: Page, fields: Fields, dropped: str, spoken: str) -> dict[Any, Any]:
    try:
        made = recipe.read(Path(dropped).read_bytes())
    except OSError:
        made = None
    if made is None or made["task"] != TASK:
        return {fields.restored: pump.note(text("music.nothing_restored", spoken))}
    changes = _filled(fields, made, spoken)
    if not any(info.card.id == made["model"]["id"] for info in page.studio.models(TASK)):
        changes.pop(fields.of["model"])
    values = {name: changes.get(part, "") for name, part in fields.of.items()}
    return {**changes, fields.reading: reading_line(page, values, spoken)}


def _filled(fields: Fields, made: dict[str, Any], spoken: str) -> dict[Any, Any]:
    """All fields as a piece has them, and a line that says so."""
    values = {"model": made["model"]["id"], **fields_of(made)}
    changes: dict[Any, Any] = {fields.of[name]: value for name, value in values.items()}
    return {**changes, fields.restored: pump.note(text("music.restored", spoken, seed=made["seed"]))}
