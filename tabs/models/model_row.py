"""One model of the panel as HTML: its state, what it takes, and the buttons that make sense in that state.

Knows nothing of what a button does (tabs.models.models_panel). Everything that a catalogue or an error says is escaped
here.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from studio.catalog import licence as licences
from studio.catalog import variants
from studio.catalog.card import Card
from studio.errors import StudioError
from studio.i18n import text
from studio.paths import gigabytes
from studio.results import Update
from studio.status import ModelInfo, Resident
from tabs.shared import job_progress
from tabs.shared.context import TAB_OF
from tabs.shared.other_places import ways

_PLAIN = ("unload", "ask", "cancel", "download")
"""Buttons that never stand out: nothing waits for them, or there are dozens of them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model, and what its newest download or load says; `loading` is what anybody's job says who waits for it."""

    info: ModelInfo
    job: Update | None = None
    loading: Update | None = None

    @property
    def state(self) -> str:
        """What people should know first, as in ``models.<state>``."""
        resident, job, info = self.info.resident, self.job, self.info
        if not info.card.has_files:
            return "working" if resident is not None and resident.in_use else "disk"
        if job is not None and job.kind == "downloading":
            return "downloading"
        if resident is not None:
            if resident.state == "ready" and (resident.in_use or resident.leaving):
                return "leaving" if resident.leaving else "working"
            return "parked_state" if resident.state == "parked" else resident.state
        if info.cooling is not None or (job is not None and job.kind == "failed"):
            return "failed"
        if job is not None and not job.final:
            return "queued"
        return "disk" if info.state == "ready" else info.state

    @property
    def error(self) -> StudioError | None:
        """Why it failed."""
        if self.state != "failed":
            return None
        return self.job.error if self.job is not None and self.job.kind == "failed" else None


def draw(entry: Entry, spoken: str, now: float, acts: bool, tokens: bool = False) -> str:
    """What stands in a model's row.

    Args:
        now: seconds since the epoch. acts: whether this person may do anything about it. tokens: may name a token.
    """
    info, card = entry.info, entry.info.card
    title = variants.title(card, spoken)
    tag = f' <span class="a-tag">{_say("starter", spoken)}</span>' if card.starter else ""
    parts = [
        f'<p class="a-model-name"><strong>{html.escape(title)}</strong>{tag}</p>',
        f'<p class="a-model-state"><i class="a-dot"></i>{_dots(_now(entry, spoken, now))}</p>',
        _track(entry),
        f'<p class="a-model-facts">{_dots(_facts(entry, spoken, now))}</p>',
    ]
    if entry.error is not None:
        what, then = (html.escape(said(spoken)) for said in (entry.error.what, entry.error.next))
        parts.append(f'<p class="a-model-why">{what} {then}</p>')
        if tokens and entry.error.code == "gated":
            parts.append(token_field(spoken))
    elif entry.state == "failed" and info.cooling is not None:
        parts.append(f'<p class="a-model-why">{html.escape(info.cooling.reason)}</p>')
    does = "".join(_button(action, title, spoken, entry) for action in actions(entry)) if acts else ""
    return f'<div class="a-model-main">{"".join(parts)}</div><div class="a-model-do">{does}</div>' + (
        _ask(info, spoken) if 'data-do="ask"' in does else ""
    )


def actions(entry: Entry) -> tuple[str, ...]:
    """What can be done about a model in its state; the likeliest first."""
    info, resident = entry.info, entry.info.resident
    if info.card.host:
        return ("use",)
    if not info.card.has_files:  # there is nothing to fetch, to delete or to keep in memory
        return ()
    ours = info.disk_bytes > 0 and fetched(info) and not info.card.variant  # the files are the model's
    rid = ("ask",) if ours else ()
    match entry.state:
        case "downloading" | "queued":
            return ("cancel",)
        case "failed":
            return ("again", *ways(entry.error), *rid)
        case "absent":
            return (*(("use",) if info.peers else ()), *(("download",) if fetched(info) else ()))
        case "partial":
            return ("resume", *rid)
        case "disk":
            return (*(("use", "load") if info.fits else ()), *rid)
        case "ready" | "working" if resident is not None:
            return ("use", "unload", "unpin" if resident.pinned else "pin", *rid)
        case "parked_state" if resident is not None:
            return ("use", "bring_back", "unload", "unpin" if resident.pinned else "pin", *rid)
        case _:
            return ()


def taking_up(card: Card) -> str:
    """Attributes of a button that closes the panel and goes to the model's tab, with the model chosen there."""
    tab = TAB_OF.get(card.tasks[0], card.tasks[0])
    chosen = f' data-model="{html.escape(card.id, quote=True)}"' if tab in card.tasks else ""
    return f'data-do="use" data-goto="{tab}"{chosen}'


def token_field(spoken: str) -> str:
    """A field for an access token, which the hub's own library keeps."""
    return (
        f'<p class="a-model-facts">{_say("token_help", spoken)}</p><div class="a-ask-row"><input type="password" '
        f'autocomplete="off" data-words="token" aria-label="{_say("token", spoken)}" placeholder="hf_…">'
        f'<button type="button" data-do="token">{_say("token_keep", spoken)}</button></div>'
    )


def fetched(info: ModelInfo) -> bool:
    """Whether anything of it comes from elsewhere; only that is ours to fetch and to delete."""
    return info.card.source.kind in ("hub", "package") or bool(info.card.parts)


def since(seconds: float, spoken: str, words: str) -> str:
    """How long ago, in the words below ``models.<words>_``."""
    if seconds < 60:
        return text(f"models.{words}_now", spoken)
    if seconds < 3600:
        return text(f"models.{words}_minutes", spoken, count=int(seconds / 60))
    if seconds < 86_400 or words == "ago":
        return text(f"models.{words}_hours", spoken, count=int(seconds / 3600))
    return text(f"models.{words}_days", spoken, count=int(seconds / 86_400))


def clock(until: float) -> str:
    """Time that counts down in the browser to `until`, seconds since the epoch."""
    return f'<time data-until="{until:.0f}"></time>'


def _now(entry: Entry, spoken: str, now: float) -> list[str]:
    """The line about this moment."""
    state, info, job = entry.state, entry.info, entry.job
    resident = info.resident
    name = _say(state, spoken)
    if state == "queued":
        name = _say("queued", spoken, position=job.position) if job and job.position else _say("queued_next", spoken)
    elif host := info.elsewhere_only:
        name = html.escape(text("page.computed_on_help", spoken, host=host))
    elif state in ("disk", "absent") and not fetched(info) and not info.disk_bytes:
        name = _say("built_in", spoken)
    said = [f"<b>{name}</b>"]
    if state == "downloading" and job is not None:
        total = gigabytes(job.bytes_total) if job.bytes_total else "?"
        said.append(_say("bytes", spoken, done=gigabytes(job.bytes_done), total=total))
        if job.bytes_per_second:
            said.append(_say("speed", spoken, size=gigabytes(job.bytes_per_second)))
        said += map(html.escape, job_progress.told(job, spoken) or [job_progress.left(job, spoken)])
    elif state == "loading" and entry.loading is not None and entry.loading.fraction is not None:
        said.append(_say("percent", spoken, percent=f"{entry.loading.fraction * 100:.0f}"))
    elif state == "failed" and info.cooling is not None:
        said.append(_say("cooling", spoken, time="{}").format(clock(now + info.cooling.seconds)))
    if resident is not None and info.card.has_files:
        said += _resident(resident, spoken, now)
    elif not info.fits and not info.elsewhere_only and state in ("disk", "absent", "partial"):
        needed = gigabytes(info.card.needed)
        said.append(f'<span class="a-warn">{html.escape(text("page.does_not_fit", spoken, needed=needed))}</span>')
        if fitting := [variants.title(one.card, spoken) for one in info.variants if one.fits]:
            names = text("page.comma", spoken).join(fitting)
            said.append(html.escape(text("page.fits_as", spoken, names=names)))
    return said


def _resident(resident: Resident, spoken: str, now: float) -> list[str]:
    said = [_say("pinned", spoken)] if resident.pinned else []
    if resident.seconds_left is not None and resident.state in ("ready", "parked"):
        words = _say("leaves_in" if resident.parks else "frees_in", spoken, time="{}")
        said.append(words.format(clock(now + resident.seconds_left)))
    if resident.state == "parked":
        said += [_say("holds", spoken, size=gigabytes(resident.host))] if resident.host else []
    elif resident.nbytes > 0:
        said.append(_say("takes", spoken, size=gigabytes(resident.nbytes)))
    if resident.beside is not None:
        said.append(_say("apart_more", spoken, size=gigabytes(resident.beside)))
    elif resident.process:
        said.append(_say("apart", spoken, size=gigabytes(resident.process)))
    if resident.work > 0:
        said.append(_say("keeps", spoken, size=gigabytes(resident.work)))
    return said


def _facts(entry: Entry, spoken: str, now: float) -> list[str]:
    """The line about what does not change from moment to moment."""
    info, said = entry.info, list[str]()
    card = info.card
    if len(card.tasks) > 1:
        said.append(html.escape(text("page.comma", spoken).join(text(f"tab.{task}", spoken) for task in card.tasks)))
    if info.disk_bytes > 1:
        said.append(_say("on_disk", spoken, size=gigabytes(info.disk_bytes)))
    if info.copy_bytes:
        said.append(_say("of_it_copy", spoken, size=gigabytes(info.copy_bytes)))
    if info.state != "ready" and entry.state != "downloading" and card.disk_bytes > 1:
        said.append(_say("download_size", spoken, size=gigabytes(card.disk_bytes)))
    licence = html.escape(licences.name(card.licence, spoken))
    if card.licence_url:
        url = html.escape(card.licence_url, quote=True)
        licence = f'<a href="{url}" target="_blank" rel="noopener noreferrer" data-do="licence">{licence}</a>'
    if info.came and info.state != "absent":
        said.append(_say("came", spoken, host=info.came))
    said.append(licence)
    if info.peers and not info.elsewhere_only:
        hosts = text("page.comma", spoken).join(info.peers)
        said.append(html.escape(text("page.may_be_computed", spoken, hosts=hosts)))
    if limit := licences.limit(card.commercial, spoken):
        said.append(html.escape(limit))
    idle = [now - info.last_used] if info.last_used is not None else []
    idle += [info.resident.idle] if info.resident is not None and info.resident.state == "ready" else []
    if info.resident is not None and info.resident.in_use:
        idle = []
    return [*said, html.escape(since(min(idle), spoken, "used"))] if idle else said


def _track(entry: Entry) -> str:
    """A bar where something is on its way."""
    if entry.state not in ("downloading", "loading", "placing"):
        return ""
    update, share = entry.job if entry.state == "downloading" else entry.loading, None
    if update is not None:
        share = update.bytes_done / update.bytes_total if update.bytes_total else update.fraction
    if share is None:
        return '<span class="a-track"><span class="a-fill a-moving"></span></span>'
    return f'<span class="a-track"><span class="a-fill" style="width:{min(max(share, 0), 1) * 100:.1f}%"></span></span>'


def _button(action: str, title: str, spoken: str, entry: Entry) -> str:
    word = {"ask": "delete", "again": "try_again"}.get(action, action)
    says = _say(word, spoken)
    label = html.escape(text("models.of_model", spoken, action=text(f"models.{word}", spoken), model=title), quote=True)
    first = ' class="a-first"' if action == actions(entry)[0] and action not in _PLAIN else ""
    if action == "use":
        return f'<button type="button"{first} {taking_up(entry.info.card)} aria-label="{label}">{says}</button>'
    return f'<button type="button"{first} data-do="{action}" aria-label="{label}">{says}</button>'


def _ask(info: ModelInfo, spoken: str) -> str:
    """The question before files are deleted; shown by the script once it is asked for."""
    title = variants.title(info.card, spoken)
    question = _say("delete_ask_shared" if info.elsewhere else "delete_ask", spoken, size=gigabytes(info.disk_bytes))
    buttons = "".join(
        f'<button type="button" data-do="{action}" aria-label="'
        + html.escape(text("models.of_model", spoken, action=text(f"models.{action}", spoken), model=title), quote=True)
        + f'">{_say(action, spoken)}</button>'
        for action in ("keep", "delete")
    )
    return f'<div class="a-model-ask" role="group"><span>{question}</span>{buttons}</div>'


def _dots(parts: Sequence[str]) -> str:
    return "".join(f"<span>{part}</span>" for part in parts if part)


def _say(key: str, spoken: str, **params: object) -> str:
    return html.escape(text(f"models.{key}", spoken, **params), quote=False)
