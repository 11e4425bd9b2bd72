"""Models that a person brings: one named by its address, and those that other programs left on this disk.

What is looked for takes seconds, so it is done aside, and the panel, which asks once a second while it is open, shows
what came of it. Only on one's own machine: a name may be a path.
"""

from __future__ import annotations

import html
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.catalog import licence
from studio.errors import StudioError
from studio.i18n import text
from studio.own import Named, Place, Report, Seen, family_name
from studio.paths import gigabytes
from studio.service import Studio
from tabs.models.model_row import taking_up, token_field
from tabs.shared import job_progress
from tabs.shared.context import TAB_OF
from tabs.shared.failing import explained

_BROWSERS = 200
_MOST = 200
"""Models of a look that are listed."""


@dataclass(slots=True)
class _Asked:
    """What one browser asked for last."""

    words: str = ""
    busy: bool = False
    named: Named | None = None
    fits: bool = True
    error: StudioError | None = None
    added: str = ""
    report: Report | None = None


class Adding:
    """The part of the panel."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether people may bring models of their own here."""
        return self._studio.settings.profile == "local" and not self._studio.settings.demo

    def do(self, what: str, words: str, who: str) -> bool:
        """Do what a button says; False where it is none of this part's.

        Raises:
            StudioError: not_for_public.
        """
        tasks: dict[str, Callable[[_Asked], None]] = {
            "name": lambda asked: self._name(asked, words, ""),
            "choose": lambda asked: self._name(asked, asked.words, words),
            "dropped": lambda asked: self._dropped(asked, words),
            "add": lambda asked: self._add(asked, who),
            "token": lambda asked: self._token(asked, words, who),
            "find": lambda asked: self._look(asked, ()),
            "look_into": lambda asked: self._look(asked, (Path(words.strip()).expanduser(),)),
            "use_folder": lambda _: self._point(words, True),
            "forget_folder": lambda _: self._point(words, False),
        }
        if what not in tasks:
            return False
        if not self.open:
            raise StudioError("not_for_public")
        asked = self._of(who)
        with self._lock:
            if asked.busy:
                return True
            asked.busy, asked.error, asked.added = True, None, ""
        if what in ("name", "dropped"):
            asked.words = words
        threading.Thread(target=self._aside, args=(tasks[what], asked), name="adding", daemon=True).start()
        return True

    def draw(self, who: str, spoken: str) -> dict[str, str]:
        """The part as HTML: what was named, and what lies on this disk."""
        asked = self._of(who)
        return {"named": self._drawn(asked, spoken), "folders": self._drawn_folders(asked, spoken)}

    # ---- doing

    def _of(self, who: str) -> _Asked:
        with self._lock:
            found = self._asked.setdefault(who, _Asked())
            self._asked.move_to_end(who)
            while len(self._asked) > _BROWSERS:
                self._asked.popitem(last=False)
            return found

    def _aside(self, task: Callable[[_Asked], None], asked: _Asked) -> None:
        try:
            task(asked)
        except StudioError as error:
            asked.error = error
        except Exception as error:  # whatever a repository or a disk may hold, the panel goes on
            asked.error = explained(error)
        finally:
            asked.busy = False

    def _name(self, asked: _Asked, words: str, choice: str) -> None:
        asked.named = None
        named = self._studio.own.name(words, choice)
        asked.fits = not named.files or self._studio.own.fits(named)
        asked.named = named

    def _dropped(self, asked: _Asked, words: str) -> None:
        """`words`: the name and the bytes of a file, or the name of a folder and a slash."""
        name, _, size = words.rpartition("/")
        path = self._studio.own.dropped(name, int(size[:20]) if size.isdecimal() else None)
        asked.words = str(path)
        if path.is_dir():
            self._look(asked, (path,))
        else:
            self._name(asked, asked.words, "")

    def _add(self, asked: _Asked, who: str) -> None:
        if asked.named is None:
            return
        card = self._studio.own.add(asked.named)
        asked.named, asked.added = None, card.id
        if self._studio.store.state(card) != "ready":
            self._studio.models.download(card.id, who)

    def _token(self, asked: _Asked, words: str, who: str) -> None:
        """Keep a token, and go on with what asked for it: a model's download, or a look at one that was named."""
        id, _, token = words.rpartition(" ")
        self._studio.own.keep_token(token)
        if id:
            self._studio.models.download(id, who)
        elif asked.words:
            self._name(asked, asked.words, "")

    def _look(self, asked: _Asked, folders: Sequence[Path]) -> None:
        asked.report = None
        asked.report = self._studio.own.look(folders)

    def _point(self, folder: str, at: bool) -> None:
        own = self._studio.own
        if at:
            own.remember([Path(folder)])
        else:
            own.forget(Path(folder))

    # ---- showing

    def _drawn(self, asked: _Asked, spoken: str) -> str:
        def say(key: str, **params: object) -> str:
            return html.escape(text(f"models.{key}", spoken, **params))

        if asked.busy:
            return f'<p class="a-note" role="status">{say("looking")}</p>'
        if asked.error is not None:
            asks = asked.error.code == "gated"
            return job_progress.failure(asked.error, spoken) + (token_field(spoken) if asks else "")
        if asked.added:
            return self._added(asked.added, spoken)
        if (named := asked.named) is None:
            return ""
        tabs = text("page.comma", spoken).join(text(f"tab.{TAB_OF.get(one, one)}", spoken) for one in named.tasks)
        facts = [tabs, family_name(named.family), licence.said(named.licence, named.commercial, spoken)]
        size = gigabytes(named.nbytes) if named.files else ""
        facts += [size, "" if asked.fits else text("page.too_large", spoken)]
        lines = [f"<strong>{html.escape(named.title)}</strong>", f'<p class="a-note">{_joined(facts)}</p>']
        for part in named.parts:
            what = f"{part.source.repo} {gigabytes(part.disk_bytes)}"
            lines.append(f'<p class="a-note">{say("also_fetched", what=what)}</p>')
        if named.choices:
            lines.append(f'<p>{say("which")}</p><div class="a-choices-row">')
            for one in named.choices:
                fits = self._studio.own.fits(named, one.nbytes)
                note = "" if fits else f" · {text('page.too_large', spoken)}"
                said = html.escape(f"{one.name} · {gigabytes(one.nbytes)}{note}")
                lines.append(_button("choose", said, one.name))
            lines.append("</div>")
        else:
            away = named.where.kind == "hub" or any(part.disk_bytes for part in named.parts)
            fetched = named.nbytes if named.where.kind == "hub" else sum(part.disk_bytes for part in named.parts)
            said = say("add_fetch", size=gigabytes(fetched)) if away else say("add_now")
            lines.append(_button("add", said, first=True))
        return f'<div class="a-named">{"".join(lines)}</div>'

    def _added(self, id: str, spoken: str) -> str:
        card = self._studio.catalog.find(id)
        if card is None:
            return ""
        tab = TAB_OF.get(card.tasks[0], card.tasks[0])
        said = html.escape(text("models.added", spoken, model=card.title))
        go = html.escape(text("models.open_tab", spoken, tab=text(f"tab.{tab}", spoken)))
        return f'<p role="status">{said}</p><button type="button" {taking_up(card)}>{go}</button>'

    def _drawn_folders(self, asked: _Asked, spoken: str) -> str:
        def say(key: str, **params: object) -> str:
            return html.escape(text(f"models.{key}", spoken, **params))

        kept = self._studio.own.folders()
        lines = [
            f"<li><code>{html.escape(str(one))}</code>{_button('forget_folder', say('forget_folder'), str(one))}</li>"
            for one in kept
        ]
        said = [f"<p>{say('folders_kept')}</p><ul>{''.join(lines)}</ul>"] if lines else []
        if asked.report is not None:
            said += [self._place(asked.report, place, kept, spoken) for place in asked.report.places]
            if not asked.report.places:
                said.append(f'<p class="a-note">{say("nothing_found")}</p>')
        return "".join(said)

    def _place(self, report: Report, place: Place, kept: Sequence[Path], spoken: str) -> str:
        def say(key: str, **params: object) -> str:
            return html.escape(text(f"models.{key}", spoken, **params))

        folder, program = place.folder, place.program
        inside = [one for one in report.seen if one.found.path.is_relative_to(folder)]
        usable = [one for one in inside if one.card is not None]
        loras = sum(one.found.reason == "lora" for one in inside)
        rest = [one for one in inside if one.card is None and one.found.reason != "lora"]
        title = f"<h4>{html.escape(program or folder.name)} <code>{html.escape(str(folder))}</code></h4>"
        good = "".join(f"<li>{_usable(one, spoken)}</li>" for one in usable[:_MOST])
        bad = "".join(f"<li>{_refused(one, spoken)}</li>" for one in rest[:_MOST])
        good += f"<li>{say('loras_found', count=loras)}</li>" if loras else ""
        button = ""
        if (usable or loras) and folder not in kept:
            button = _button("use_folder", say("use_folder", count=len(usable) + loras), str(folder), first=True)
        more = f"<details><summary>{say('cannot', count=len(rest))}</summary><ul>{bad}</ul></details>" if rest else ""
        return f'<section class="a-place">{title}{button}<ul>{good}</ul>{more}</section>'


def _usable(one: Seen, spoken: str) -> str:
    card = one.card
    if card is None:
        return ""
    tabs = text("page.comma", spoken).join(dict.fromkeys(text(f"tab.{TAB_OF.get(t, t)}", spoken) for t in card.tasks))
    weights = one.found.weights
    fetched = sum(part.disk_bytes for part in one.what.parts)
    facts = [
        tabs, family_name(weights.family, weights.variant), gigabytes(weights.nbytes),
        "" if one.fits else text("page.too_large", spoken),
        text("models.also_fetched", spoken, what=gigabytes(fetched)) if fetched else "",
    ]  # fmt: skip
    return f'<strong>{html.escape(one.found.title)}</strong> <span class="a-note">{_joined(facts)}</span>'


def _refused(one: Seen, spoken: str) -> str:
    kind = one.found.weights.kind
    what = text(f"disk.kind.{kind}", spoken) if kind != "unusable" else ""
    family = f" ({family_name(one.found.weights.family)})" if one.found.reason == "family" else ""
    reason = text(one.reason, spoken) if one.reason else ""
    about = ": ".join(filter(None, (f"{what}{family}", reason)))
    return f'<code>{html.escape(one.found.path.name)}</code> <span class="a-note">{html.escape(about)}</span>'


def _joined(facts: Sequence[str]) -> str:
    return html.escape(" · ".join(filter(None, facts)))


def _button(what: str, said: str, words: str = "", first: bool = False) -> str:
    mark = ' class="a-first"' if first else ""
    with_ = f' data-with="{html.escape(words, quote=True)}"' if words else ""
    return f'<button type="button" data-do="{what}"{with_}{mark}>{said}</button>'
