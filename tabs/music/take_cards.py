"""The right column of the music tab: takes, each with its player, its views and its files.

The page's own script plays them (assets/page/music.js): one player for all takes, which goes on while the list is
drawn anew, so that a new result never interrupts what is heard. What it cannot do itself it orders here by name and
place: "mp3 0", "star 2".
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.catalog import licence, variants
from studio.errors import StudioError
from studio.i18n import text
from studio.library import music_export
from studio.library.scan import notes
from studio.media.audio import decode_audio
from studio.results import Artifact
from studio.tasks.music import abc, performance
from studio.tasks.music.brief import genres
from studio.tasks.music.reading_text import bar_words, genre_name, key_words, played_tempo
from tabs.music import take_views
from tabs.shared.context import Page
from tabs.shared.uploaded import address
from tabs.shared.widgets import taken_by

MOST = 12
"""Takes that stay on the page; earlier ones are in the list of recent pieces."""
_NAMES = {".mid": "MIDI"}
VIEWS = ("wave", "roll", "spectrum", "score")


@dataclass(frozen=True, slots=True)
class Take:
    """A piece on the page: its file, how it was made, and its card without what changes."""

    file: Path
    recipe: dict[str, Any]
    batch: str
    seconds: float
    url: str
    views: dict[str, str]


def takes(page: Page, artifact: Artifact) -> tuple[Take, ...]:
    """The pieces of an artifact, ready to be shown. Those whose file is gone or broken are left out."""
    found = []
    for file, made in zip(artifact.files, artifact.recipes, strict=True):
        try:
            found.append(_take(page, file, made, artifact.id))
        except (StudioError, OSError):
            continue
    return tuple(found)


def _take(page: Page, file: Path, made: dict[str, Any], batch: str) -> Take:
    audio = decode_audio(file.read_bytes())
    seconds = audio.samples.shape[1] / audio.rate
    views = {"wave": take_views.wave(audio)}
    if notes(file).is_file():
        views["roll"] = take_views.roll(notes(file).read_bytes(), seconds)
    picture = page.offer(take_views.spectrum(audio), "spectrum.png")
    views["spectrum"] = f'<img src="{address(picture)}" alt="" loading="lazy">'
    if (melody := performance.melody(made.get("played", {}))) is not None:
        views["score"] = html.escape(abc.write(melody, str(made["parameters"].get("prompt", ""))), quote=True)
    return Take(file, made, batch, seconds, address(page.publish(file)), views)


def draw(shown: tuple[Take, ...], stars: frozenset[str], page: Page, spoken: str) -> str:
    """The whole list as HTML."""
    library = page.studio.library
    return "".join(_card(page, place, take, library.id(take.file) in stars, spoken) for place, take in enumerate(shown))


def _goes_on(page: Page, take: Take) -> bool:
    """Whether its model can take a piece up at a moment: in notes, or by ear."""
    return "score" in take.views or "continue" in page.studio.hears(take.recipe["model"]["id"])


def _card(page: Page, place: int, take: Take, starred: bool, spoken: str) -> str:
    def say(key: str, **params: object) -> str:
        return html.escape(text(f"music.{key}", spoken, **params), quote=True)

    title = html.escape(" ".join(str(take.recipe["parameters"].get("prompt", "")).split())[:120])
    buttons = "".join(
        f'<button type="button" data-view="{view}" aria-pressed="{"true" if view == "wave" else "false"}">'
        f"{say(f'view_{view}')}</button>"
        for view in VIEWS
        if view in take.views
    )
    stage = "".join(
        f'<div class="a-view" data-view="{view}"{"" if view == "wave" else " hidden"}>{take.views[view]}</div>'
        for view in VIEWS[:3]
        if view in take.views
    )
    sheet = f'<div class="a-sheet" data-abc="{take.views["score"]}" hidden></div>' if "score" in take.views else ""
    files = "".join(
        f'<button type="button" data-order="{suffix[1:]}">{_NAMES.get(suffix, suffix[1:].upper())}</button>'
        for suffix in music_export.formats(take.recipe)
    )
    four = f'<button type="button" class="a-four">{say("four")}</button>' if _is_loop(take) else ""
    onwards = f'<button type="button" data-order="on">{say("on")}</button>' if _goes_on(page, take) else ""
    again = (
        f'{onwards}<button type="button" data-order="use">{say("use")}</button>'
        f'<button type="button" data-order="seed">{say("reuse_seed")}</button>'
    )
    public = page.studio.settings.public
    id = "" if public else html.escape(page.studio.library.id(take.file), quote=True)
    uses = "" if public else _menu(place, "use", text("page.use_in", spoken), taken_by(f'data-id="{id}"'))
    label = say("piece", number=place + 1)
    return (
        f'<article class="a-take" data-place="{place}" data-batch="{html.escape(take.batch, quote=True)}" '
        f'data-url="{take.url}" data-seconds="{take.seconds:.3f}" aria-label="{label}">'
        f'<div class="a-take-head"><button type="button" class="a-play" data-play="{say("play")}" '
        f'data-pause="{say("pause")}" aria-label="{say("play")}"></button>'
        f'<div class="a-take-title"><p>{title}</p><p class="a-note">{html.escape(facts(take.recipe, spoken))}</p></div>'
        f'<span class="a-clock">0:00 / {_clock(take.seconds)}</span>'
        f'<button type="button" class="a-star" data-order="star" aria-pressed="{"true" if starred else "false"}" '
        f'aria-label="{say("star")}" title="{say("star")}"></button></div>'
        f'<div class="a-stage" role="slider" tabindex="0" aria-label="{say("position")}" aria-valuemin="0" '
        f'aria-valuemax="{take.seconds:.0f}" aria-valuenow="0">{stage}<i class="a-needle"></i></div>{sheet}'
        f'<div class="a-take-foot">'
        f'<span class="a-tools" role="group" aria-label="{say("views")}">{buttons}</span>{four}{uses}'
        f"{_menu(place, 'save', text('page.save', spoken), files)}"
        f"{_menu(place, 'more', text('page.also', spoken), again)}</div></article>"
    )


def _menu(place: int, name: str, label: str, buttons: str) -> str:
    """A button that opens a list of further ones (assets/page/menus.js)."""
    id = f"take-{place}-{name}"
    return (
        f'<span class="a-menu"><button type="button" class="a-menu-button" id="{id}-menu">{html.escape(label)}</button>'
        f'<span class="a-menu-list" id="{id}">{buttons}</span></span>'
    )


def facts(made: dict[str, Any], spoken: str) -> str:
    """Style, key, metre, tempo, bars, seed, model and licence in one line."""
    known, model = made.get("played", {}), made["model"]
    style = known.get("style", "")
    said = (
        genre_name(style, spoken) if style in genres() else "",
        key_words(known.get("key", ""), spoken), known.get("metre"),
        played_tempo(made),
        bar_words(known["bars"], spoken) if known.get("bars") else "",
        f"{text('label.seed', spoken)} {made['seed']}", variants.called(model.get("id", ""), model["title"], spoken),
        licence.said(model["licence"], model["commercial"], spoken),
    )  # fmt: skip
    return " · ".join(filter(None, said))


def export(page: Page, take: Take, suffix: str) -> str:
    """The file of a take in another format, as the page may read it. Raises StudioError as `music_export.music`."""
    return page.offer(
        music_export.music(take.file, take.recipe, suffix, page.studio.library.sign), take.file.with_suffix(suffix).name
    )


def _is_loop(take: Take) -> bool:
    return any(take.recipe.get(part, {}).get("loop") is True for part in ("played", "parameters"))


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
