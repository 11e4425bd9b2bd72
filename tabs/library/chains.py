"""Chains from the library's page: which there are, one run over what is selected or typed, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chains.run import MAX_INPUTS, Input, of_file, of_text
from studio.chains.shelf import Known, Working, document
from studio.errors import StudioError
from studio.i18n import text
from studio.library.archive import Archive
from studio.results import Update
from studio.service import Studio
from tabs.library import pieces
from tabs.shared import job_progress

_FILES = ("picture", "sound")


def told(studio: Studio, spoken: str) -> dict[str, Any]:
    """Every chain, and the run that works or worked last."""
    return {"chains": [_known(one, spoken) for one in studio.chains.all()], **stands(studio, spoken)}


def stands(studio: Studio, spoken: str) -> dict[str, Any]:
    """How the run that works stands, or the last one; None where there was none."""
    working = studio.chains.working
    return {"working": _working(working, spoken) if working is not None else None}


def start(studio: Studio, archive: Archive, asked: Mapping[str, Any], spoken: str) -> dict[str, Any]:
    """Let a chain work over things of the library, or lines of text.

    Raises:
        StudioError: bad_message, unknown_item, and as studio.chains.shelf.Shelf.start.
    """
    ids, lines, slots = asked.get("ids", []), asked.get("lines", ""), asked.get("slots", {})
    if not (isinstance(ids, list) and isinstance(lines, str) and isinstance(slots, dict)):
        raise StudioError("bad_message")
    if len(ids) > MAX_INPUTS:
        raise StudioError("too_many", field="field.inputs", count=len(ids), limit=MAX_INPUTS)
    found = [_input(studio, archive, str(id)) for id in ids]
    found += [of_text(line) for line in lines.splitlines() if line.strip()]
    given = {str(name)[:60]: str(value) for name, value in slots.items()}
    studio.chains.start(str(asked.get("name", ""))[:200], found, given, bool(asked.get("again")), spoken)
    return stands(studio, spoken)


def stop(studio: Studio, spoken: str) -> dict[str, Any]:
    """Stop what works."""
    studio.chains.stop()
    return stands(studio, spoken)


def _input(studio: Studio, archive: Archive, id: str) -> Input:
    item = archive.item(id)
    if item.kind in _FILES:
        return Input(id, item.title or archive.file(id).stem, of_file(archive.file(id), id).value)
    words = pieces.words(studio, archive, item)[0]
    return Input(id, item.title, of_text(words).value)


def _known(one: Known, spoken: str) -> dict[str, Any]:
    if one.chain is None:
        wrong = f"{one.error.what(spoken)} {one.error.next(spoken)}".strip() if one.error else ""
        return {"name": one.name, "title": one.name, "wrong": wrong}
    chain = one.chain
    return {
        "name": one.name, "title": chain.title(spoken), "about": chain.about(spoken), "takes": chain.takes,
        "slots": [
            {"name": name, "text": usual, "title": chain.slot(name, spoken)} for name, usual in chain.slots.items()
        ],
        "steps": [text(f"library.chain_task_{step.task}", spoken) for step in chain.steps],
    }  # fmt: skip


def _working(working: Working, spoken: str) -> dict[str, Any]:
    job, chain = working.job, working.running.chain
    update: Update | None = job.snapshot() if job is not None else None
    left = job_progress.left(update, spoken) if update is not None else ""
    share = update.step / update.steps if update is not None and update.steps else 0.0
    place = text("library.chain_at", spoken, step=working.step, input=working.input) if working.step else ""
    failed = [f"{input}, {step}: {error.what(spoken)}" for input, step, error in working.failed]
    return {
        **document(working), "title": chain.title(spoken), "place": "" if working.over else place, "left": left,
        "collection": working.collection,
        "share": (working.done + min(share, 1.0)) / max(working.running.units, 1), "failed": failed,
        "said": _said(working, spoken) if working.over else "",
    }  # fmt: skip


def _said(working: Working, spoken: str) -> str:
    """What became of it, in a sentence or two."""
    count = {"made": len(working.made), "collection": working.collection}
    parts = [text("library.chain_stopped" if working.running.stopped else "library.chain_done", spoken, **count)]
    if working.had:
        parts.append(text("library.chain_had", spoken, count=working.had))
    if working.changed:
        parts.append(text("library.chain_changed", spoken, count=working.changed))
    return " ".join(parts)
