"""Pieces of the library as the page's script draws them: tables of texts and numbers, no HTML, so that no prompt of
anybody's can become a part of the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.catalog import licence, variants
from studio.errors import StudioError
from studio.i18n import table, text
from studio.library.archive import Archive
from studio.library.disk_use import CLEARED, Use
from studio.library.index import MOST_COUNTED, Found
from studio.library.items import Item, written
from studio.paths import gigabytes
from studio.recipes import origins
from studio.service import Studio
from studio.tasks.code import languages
from studio.tasks.music import midi
from tabs.library.wiring import button_id, code_of
from tabs.shared.context import TAB_OF
from tabs.shared.taking import Taker

FILTERS: dict[str, tuple[str, ...]] = {
    "image": ("image", "upscale"), "music": ("music",), "caption": ("caption",), "code": ("code",), "chat": ("chat",),
}  # fmt: skip
"""The tasks behind each filter."""
TEXTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("image", "prompt", "", ("text", "sound", "chat", "notes")),
    ("music", "prompt", "", ("text", "picture", "chat")),
    ("music", "lyrics", "music-more", ("text", "chat")),
    ("chat", "prompt", "", ("text", "picture", "sound", "code", "notes")),
)  # fmt: skip
"""Tab, field, the fold that it stands in, and the kinds of things whose words it takes."""
ASKED = ("explain", "document", "fix", "test")
"""What a chat can be asked about code; the question is the text `code.ask_<what>`."""
MOST_TEXT = 40_000
_QUIET = {"prompt", "prompts", "prefix", "suffix", "count", "messages", "lyrics"}


def page(found: Found) -> dict[str, Any]:
    """A page of the grid."""
    return {
        "items": [tile(item) for item in found.items],
        "following": found.following,
        "count": min(found.count, MOST_COUNTED),
        "more": found.count > MOST_COUNTED,
    }


def tile(item: Item) -> dict[str, Any]:
    """What the grid shows of a thing."""
    return {
        "id": item.id, "kind": item.kind, "title": item.title, "day": item.made.strftime("%Y-%m-%d"),
        "time": item.made.strftime("%H:%M"), "star": item.star, "tab": TAB_OF.get(item.task, item.task),
        "mark": "".join(sign for sign in item.stamp if sign.isdigit()), "foreign": item.foreign,
    }  # fmt: skip


def facets(archive: Archive, spoken: str) -> dict[str, Any]:
    """What the filters offer."""
    tasks, (tags, collections) = archive.tasks(), archive.labels()
    return {
        "tasks": {name: sum(tasks.get(task, 0) for task in of) for name, of in FILTERS.items()},
        "models": [
            {"id": id, "title": variants.called(id, title or id, spoken), "count": count}
            for id, title, count in archive.models()
        ],
        "tags": tags,
        "collections": collections,
    }


def about(studio: Studio, archive: Archive, takers: Sequence[Taker], id: str, spoken: str) -> dict[str, Any]:
    """All that is known of a thing, and what can take it up. Raises StudioError: unknown_item."""
    item, made = archive.item(id), archive.recipe(id)
    file, (said, syntax) = archive.file(id), words(studio, archive, item)
    return {
        **tile(item), "name": file.name, "words": said[:MOST_TEXT], "syntax": syntax,
        "facts": _facts(item, file, made, spoken), "tags": item.tags, "note": item.note,
        "collections": item.collections, "uses": _uses(item, takers, said, syntax, spoken),
        "restores": item.kind in ("code", "chat") or made is not None,
    }  # fmt: skip


def space(archive: Archive, use: Use, spoken: str) -> dict[str, Any]:
    """What takes disk, and what lies in the trash."""
    return {
        "free": text("cli.space.free", spoken, free=gigabytes(use.free), total=gigabytes(use.total)),
        "parts": [
            {
                "part": one.part, "title": text(f"cli.space.{one.part}", spoken), "bytes": one.nbytes,
                "size": gigabytes(one.nbytes), "clears": one.part in CLEARED and one.freed > 0,
            }
            for one in use.parts
        ],
        "trash": [
            {
                "token": one.token, "when": one.when.astimezone().strftime("%Y-%m-%d %H:%M"), "count": len(one.ids),
                "size": gigabytes(one.nbytes),
            }
            for one in archive.trash.all()
        ],
    }  # fmt: skip


def words(studio: Studio, archive: Archive, item: Item) -> tuple[str, str]:
    """The words of a thing, which other tabs can take, and of code its language."""
    file = archive.file(item.id)
    if item.kind == "chat":
        answers = [one.content for one in studio.chats.load(file.stem).messages if one.role == "assistant"]
        return (answers[-1] if answers else item.title), ""
    if item.foreign and item.kind in ("text", "code"):
        return written(file) or "", languages.of_file(file.name) if item.kind == "code" else ""
    if item.kind == "code":
        return code_of(file)
    if item.kind == "text":
        return file.read_text(encoding="utf-8"), ""
    made = archive.recipe(item.id)
    given = origins.painting(made)["parameters"] if made else {}
    prompts = given.get("prompts")
    first = prompts[0] if isinstance(prompts, list) and prompts else given.get("prompt")
    return (first if isinstance(first, str) else "" if made else item.title), ""


def _facts(item: Item, file: Path, made: dict[str, Any] | None, spoken: str) -> list[tuple[str, str]]:
    """Names and values, the more important first."""
    found = [(text("library.made", spoken), item.made.strftime("%Y-%m-%d %H:%M"))]
    if item.kind == "notes":
        found += _heard(file, spoken)
    if item.model:
        found.append((text("page.model", spoken), variants.called(item.model, item.model_title or item.model, spoken)))
    if made is None:
        return [*found, (text("library.size", spoken), gigabytes(item.size))]
    told = origins.painting(made)
    found.append((text("library.licence", spoken), licence.name(made["model"]["licence"], spoken)))
    if made["task"] != "upscale":
        found.append((text("label.seed", spoken), str(told["seed"])))
    known = table("en")
    for name, value in told["parameters"].items():
        if name in _QUIET or f"label.{name}" not in known or value in ("", None, False, [], ()):
            continue
        shown = _value(value)
        if shown:
            found.append((text(f"label.{name}", spoken), shown))
    return [*found, (text("library.size", spoken), gigabytes(item.size))]


def _heard(file: Path, spoken: str) -> list[tuple[str, str]]:
    """What is in a file of notes; nothing where it was damaged since it came."""
    try:
        told = midi.facts(file.read_bytes())
    except (OSError, StudioError):
        return []
    seconds = round(told.seconds)
    values = {
        "notes": str(told.notes), "voices": str(told.voices), "length": f"{seconds // 60}:{seconds % 60:02d}",
        "tempo": f"{told.tempo:.0f}",
    }  # fmt: skip
    return [(text(f"library.midi_{name}", spoken), value) for name, value in values.items()]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(filter(None, map(_value, value)))
    if isinstance(value, dict):
        return str(value.get("name") or "")
    return "✓" if value is True else str(value)[:300]


def _uses(item: Item, takers: Sequence[Taker], words: str, syntax: str, spoken: str) -> list[dict[str, str]]:
    """The menu of what can take a thing up, from one table: what it is, and what each tab takes.

    Each either presses a button or types words into a field: those of the thing, where it brings none of its own.
    """
    found = [
        {"name": one.name, "tab": one.tab, "press": button_id(one.name)}
        for one in takers
        if item.kind in one.kinds and not one.name.endswith(".open") and (one.able is None or one.able())
    ]
    if words.strip():
        found += [
            {"name": f"{tab}.{field}", "tab": tab, "type": f"{tab}-{field}", "fold": fold}
            for tab, field, fold, kinds in TEXTS
            if item.kind in kinds
        ]
        found += _questions(words, syntax, spoken) if item.kind == "code" else []
    return [{**one, "says": _use(one["name"], spoken)} for one in found]


def _questions(code: str, syntax: str, spoken: str) -> list[dict[str, str]]:
    longest = max((len(run) for run in re.findall("`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    listing = f"{fence}{syntax}\n{code[:MOST_TEXT].rstrip()}\n{fence}"
    return [
        {
            "name": f"chat.{what}", "tab": "chat", "type": "chat-prompt",
            "words": f"{text(f'code.ask_{what}', spoken)}\n\n{listing}",
        }
        for what in ASKED
    ]  # fmt: skip


def _use(name: str, spoken: str) -> str:
    return text(f"library.use_{name.replace('.', '_')}", spoken)
