"""Our scripts and our style sheet, each as one small file that browsers keep for as long as it is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import rcssmin
import rjsmin

from studio.i18n import ASSETS
from tabs.shell.theme import variables

FILES = ASSETS / "page"
"""Scripts, style sheets and icon of the page."""
SCRIPTS = (
    "common.js", "watch.js", "identity.js", "language.js", "page.js", "tabs.js", "keep.js", "tries.js", "menus.js",
    "jobs.js", "focus.js", "speak.js", "fields.js", "live.js", "sketch.js", "titles.js", "chat.js", "chats.js",
    "visits.js", "editor.js", "project.js", "typed.js", "review.js", "edits.js", "music.js", "captions.js",
    "models.js", "shelf.js", "regions.js", "picks.js", "library.js", "library_view.js", "chains.js", "drop.js",
    "uses.js", "queue.js", "lab.js",
)  # fmt: skip
STYLES = (
    "style.css", "chat.css", "music.css", "captions.css", "models.css", "shelf.css", "regions.css", "code.css",
    "library.css", "queue.css", "presets.css",
)  # fmt: skip
_LAB = ("frame", "writes", "noise", "space", "gan", "matches", "taste")
LAB_SCRIPTS = tuple(f"lab/{name}.js" for name in _LAB)
LAB_STYLES = tuple(f"lab/{name}.css" for name in _LAB)
"""What comes when the lab is opened."""
FOREVER = "public, max-age=31536000, immutable"
"""How long browsers keep what changes its name with its content."""
_WITHIN = ".gradio-container.gradio-container .contain"
"""What Gradio's own parts are in. Twice the class: our rules then win over those that come with a part."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One file: name with the hash of its content, media type, content."""

    name: str
    kind: str
    content: bytes


@cache
def script() -> Bundle:
    """What the browser runs before anything else."""
    made = rjsmin.jsmin("\n".join(_read(name) for name in SCRIPTS))
    return _bundle("page", "js", "text/javascript", str(made))


@cache
def style() -> Bundle:
    """The look: colours and all rules."""
    plain = variables() + "".join(_read(name) for name in STYLES)
    for name, sheet in sheets().items():
        plain = plain.replace(name, sheet.name)
    return _bundle("page", "css", "text/css", "".join(_strengthened(str(rcssmin.cssmin(plain)))))


@cache
def lab() -> tuple[Bundle, Bundle]:
    """Script and style of the lab, which stands outside of Gradio's parts."""
    made = rjsmin.jsmin("\n".join(_read(name) for name in LAB_SCRIPTS))
    plain = rcssmin.cssmin("".join(_read(name) for name in LAB_STYLES))
    return _bundle("lab", "js", "text/javascript", str(made)), _bundle("lab", "css", "text/css", str(plain))


@cache
def sheets() -> Mapping[str, Bundle]:
    """What the empty states show: pictures of the image tab's examples, notes of the music tab's."""
    found = {}
    for name in ("painted.webp", "composed.webp"):
        content = (ASSETS / "examples" / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:12]
        found[name] = Bundle(f"{Path(name).stem}-{digest}.webp", "image/webp", content)
    return found


def _bundle(stem: str, ending: str, kind: str, text: str) -> Bundle:
    content = text.encode()
    return Bundle(f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{ending}", kind, content)


def _read(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")


def _strengthened(css: str) -> Iterator[str]:
    """Each rule as it is, for what stands outside of Gradio's parts, and once more for what stands inside of them."""
    for head, body in blocks(css):
        if head.startswith("@media"):
            yield f"{head}{{{''.join(_strengthened(body))}}}"
        elif head.startswith("@") or head == ":root":
            yield f"{head}{{{body}}}"
        else:
            yield f"{head},{','.join(_inside(one) for one in _parted(head))}{{{body}}}"


def blocks(css: str) -> Iterator[tuple[str, str]]:
    """(what stands before the brace, what stands in it) of each block of a minified sheet."""
    at = 0
    while (opening := css.find("{", at)) >= 0:
        depth, end = 1, opening
        while depth:
            end += 1
            depth += {"{": 1, "}": -1}.get(css[end], 0)
        yield css[at:opening].strip(), css[opening + 1 : end]
        at = end + 1


def _parted(selectors: str) -> list[str]:
    """A list of selectors as its members; commas within brackets part nothing."""
    parts, depth = [""], 0
    for sign in selectors:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _inside(selector: str) -> str:
    dark, _, rest = selector.partition(".dark ")
    return f".dark {_WITHIN} {rest}" if not dark and rest else f"{_WITHIN} {selector}"
