"""The pictures of a run as a list: small picture, name, what was there, and the caption in a field of its own.

What is typed into a field is saved by assets/page/captions.js. Everything that a file or a model said is escaped here.
"""

from __future__ import annotations

import html
import io
import secrets
import time
from collections.abc import Sequence
from urllib.parse import quote

from studio.errors import StudioError
from studio.i18n import text
from studio.media.image import decode_image
from studio.tasks.bounds import MAX_IMAGE_BYTES
from studio.tasks.caption import folder
from studio.tasks.caption.journal import Line
from studio.tasks.caption.run import Run
from tabs.shared.context import Page

ROWS = 25
"""Pictures of one page of the list."""
_SIDE = 144
_WITH_TEXT = ("planned", "written", "typed", "same")
_SECONDS = 1.5
"""What small pictures of one page of the list may take; large ones further down are shown without."""
_KEPT = 2000


class Rows:
    """Draws lists, and remembers the small pictures that it has made."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._small: dict[tuple[str, float], str] = {}

    def draw(self, run: Run, number: int, spoken: str, busy: bool = False) -> str:
        """One page of the list as HTML.

        Args:
            number: of the page, from 0. While the run is `busy`, the newest captions are shown instead.
        """
        keys = run.plan.keys
        every = run.lines()
        if busy:
            done = [at for at, line in enumerate(every) if line is not None and line.state != "skipped"]
            shown = done[-ROWS:][::-1]
        else:
            shown = list(range(number * ROWS, min((number + 1) * ROWS, len(keys))))
        until = time.monotonic() + _SECONDS
        rows = [self._row(run, keys[at], every[at], spoken, busy, until) for at in shown]
        # What the browser has in a field outlives the drawing of a new list in the same place: the mark tells it apart.
        mark = f'data-run="{run.id}" data-drawn="{secrets.token_hex(4)}"'
        return f'<ol class="a-rows" {mark}>{"".join(rows)}</ol>' if rows else ""

    def _row(self, run: Run, key: str, line: Line | None, spoken: str, busy: bool, until: float) -> str:
        state = line.state if line else "waiting"
        name = html.escape(key)
        label = html.escape(text(f"caption.state_{state}", spoken))
        if line is not None and line.unsure and state in _WITH_TEXT and state != "typed":
            label += (
                f' <span class="a-unsure">{html.escape(text("caption.unsure", spoken, percent=line.unsure))}</span>'
            )
        small = "" if busy else self._picture(run, key, until)
        none = "" if busy else '<span class="a-row-none" aria-hidden="true"></span>'
        picture = f'<img src="{small}" alt="" loading="lazy">' if small else none
        parts = [f'<p class="a-row-name">{name} <span class="a-row-state">{label}</span></p>']
        if line is not None and line.state == "failed":
            error = StudioError(line.error, **line.params)
            parts.append(f'<p class="a-warn">{html.escape(error.what(spoken))}</p>')
        old = line.old.strip() if line else ""
        if line is not None and old and line.state not in ("failed", "same"):
            parts.append(f'<p class="a-row-before"><span>{html.escape(text("caption.before", spoken))}</span> ')
            parts[-1] += f"{html.escape(old)}</p>"
        parts.append(self._field(run, key, line, spoken, busy))
        if line is not None and line.cut:
            cut = text("caption.cut", spoken, cut=line.cut)
            parts.append(f'<p class="a-warn">{html.escape(cut)}</p>')
        return f'<li class="a-row" data-state="{state}">{picture}<div>{"".join(parts)}</div></li>'

    def _field(self, run: Run, key: str, line: Line | None, spoken: str, busy: bool) -> str:
        said = line.after if line and line.state in _WITH_TEXT else ""
        said = said if busy else run.caption(key)
        tokens = text("caption.tokens", spoken, count=line.tokens) if line and line.state in _WITH_TEXT else ""
        label = html.escape(text("caption.of", spoken, picture=key), quote=True)
        frozen = " readonly" if busy or run.rolled_back else ""
        count = html.escape(tokens)
        return (
            f'<textarea rows="2" data-caption="{quote(key, safe="")}" aria-label="{label}"{frozen}>'
            f'\n{html.escape(said)}</textarea><p class="a-row-tokens">{count}</p>'
        )

    def _picture(self, run: Run, key: str, until: float) -> str:
        """The address of a small picture; none where there is no time for it, or it cannot be read."""
        try:
            place = folder.place(run.root, key)
            known = (str(place), place.stat().st_mtime)
            if known in self._small:
                return self._small[known]
            if time.monotonic() > until:
                return ""
            picture = decode_image(folder.read_picture(run.root, key, MAX_IMAGE_BYTES))
        except (StudioError, OSError):
            return ""
        picture.thumbnail((_SIDE, _SIDE))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=80)
        if len(self._small) > _KEPT:
            self._small.clear()
        self._small[known] = "gradio_api/file=" + quote(self._page.offer(out.getvalue(), "small.jpg"))
        return self._small[known]


def entry(run: Run, spoken: str) -> str:
    """How the run is called in a list of runs: when it was begun, and how it stands."""
    day, moment, _ = run.id.split("-")
    return f"{day[:4]}-{day[4:6]}-{day[6:]} {moment[:2]}:{moment[2:4]} · {summary(run, spoken)}"


def left_out(run: Run, spoken: str) -> str:
    """The files that were passed over, each with its reason, and those that have another name here; folded."""
    said = [(one.key, one.error.what(spoken)) for one in run.plan.passed]
    said += [(old, text("caption.renamed", spoken, name=new)) for old, new in run.plan.renamed]
    if not said:
        return ""
    rows = "".join(f"<li><b>{html.escape(key)}</b> {html.escape(why)}</li>" for key, why in said)
    head = html.escape(text("caption.left_out", spoken, count=len(said)))
    return f'<details class="a-left-out"><summary>{head}</summary><ul>{rows}</ul></details>'


def summary(run: Run, spoken: str) -> str:
    """How the run stands, in a line."""
    counts = run.counts()
    order: Sequence[str] = (
        "planned", "written", "typed", "same", "skipped", "failed", "undone", "kept", "waiting",
    )  # fmt: skip
    parts = [f"{text(f'caption.state_{state}', spoken)} {counts[state]}" for state in order if counts.get(state)]
    where = run.plan.root or text("caption.sent", spoken)
    return f"{where} · {text('caption.mode_' + run.plan.mode, spoken)} · {text('page.comma', spoken).join(parts)}"
