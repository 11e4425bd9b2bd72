"""`models find` and `models add`: models that are on the disk already, and models that a person names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.console import Console, language, say
from studio.cli.follow import opened
from studio.i18n import text
from studio.paths import gigabytes

if TYPE_CHECKING:
    from studio.own import Report, Seen

Json = Annotated[bool, typer.Option("--json", help=say("help.json"))]
Where = Annotated[list[str] | None, typer.Argument(metavar="[FOLDER]...", show_default=False, help=say("help.folder"))]


def find(
    folders: Where = None,
    keep: Annotated[bool, typer.Option("--keep", help=say("help.keep"))] = False,
    forget: Annotated[str, typer.Option("--forget", metavar="FOLDER", help=say("help.forget"))] = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console, opened() as studio:
        if keep and not folders:
            console.usage(say("find.keep_what"))
        if forget:
            count = studio.own.forget(Path(forget))
            _answer(console, as_json, {"folders": [str(one) for one in studio.own.folders()], "models": count},
                    say("find.forgotten", folder=forget, count=count))  # fmt: skip
            return
        report = studio.own.look([Path(folder) for folder in folders or ()])
        count = studio.own.remember([Path(folder) for folder in folders or ()]) if keep else 0
        if as_json:
            console.document(_document(report, [str(one) for one in studio.own.folders()]))
            return
        for line in _lines(report):
            console.result(line)
        usable = sum(one.card is not None for one in report.seen)
        console.note(say("find.found", usable=usable, others=len(report.seen) - usable, places=len(report.places)))
        if keep:
            console.note(say("find.kept", count=count))
        elif usable and folders:
            console.note(say("find.how_to_keep"))


def _answer(console: Console, as_json: bool, document: dict[str, Any], line: str) -> None:
    if as_json:
        console.document(document)
    else:
        console.result(line)


def _lines(report: Report) -> list[str]:
    lines = [f"{place.program or say('find.yours')}: {place.folder}" for place in report.places]
    for one in report.seen:
        lines.append(_usable(one) if one.card is not None else _not_usable(one))
    return lines


def _usable(one: Seen) -> str:
    card = one.card
    assert card is not None
    tabs = ", ".join(text(f"tab.{task}", language()) for task in card.tasks if task != "upscale") or "upscale"
    from studio.store.disk.cards import family_name

    what = family_name(one.found.weights.family, one.found.weights.variant)
    size = gigabytes(one.found.weights.nbytes)
    notes = [] if one.fits else [say("state.too_big")]
    fetched = sum(part.disk_bytes for part in one.what.parts)
    if fetched:
        notes.append(say("find.fetches", size=gigabytes(fetched), repo=one.what.parts[0].source.repo))
    tail = f"  ({'; '.join(notes)})" if notes else ""
    return f"+ {one.found.title}  {tabs}  {what}  {size}  {one.found.path}{tail}"


def _not_usable(one: Seen) -> str:
    from studio.store.disk.cards import family_name

    kind = one.found.weights.kind
    what = text(f"disk.kind.{kind}", language()) if kind != "unusable" else ""
    family = family_name(one.found.weights.family) if one.found.reason == "family" else ""
    about = " ".join(filter(None, (what, f"({family})" if family else "")))
    return f"- {one.found.path}  {': '.join(filter(None, (about, text(one.reason, language()))))}"


def _document(report: Report, remembered: list[str]) -> dict[str, Any]:
    return {
        "places": [{"folder": str(one.folder), "program": one.program} for one in report.places],
        "folders": remembered,
        "models": [_entry(one) for one in report.seen],
    }


def _entry(one: Seen) -> dict[str, Any]:
    weights = one.found.weights
    return {
        "path": str(one.found.path),
        "title": one.found.title,
        "kind": weights.kind,
        "family": weights.family,
        "variant": weights.variant,
        "prediction": weights.prediction,
        "dtype": weights.dtype,
        "parameters": weights.parameters,
        "bytes": weights.nbytes,
        "program": one.found.program,
        "usable": one.card is not None,
        "tasks": list(one.card.tasks) if one.card is not None else [],
        "fits": one.fits,
        "missing": list(one.found.missing),
        "download_bytes": sum(part.disk_bytes for part in one.what.parts),
        "reason": text(one.reason, language()) if one.reason else "",
    }
