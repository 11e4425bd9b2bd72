"""`models find` and `models add`: models that are on the disk already, and models that a person names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.catalog import licence
from studio.cli.console import Console, language, say
from studio.cli.follow import opened
from studio.errors import StudioError
from studio.i18n import text
from studio.paths import gigabytes

if TYPE_CHECKING:
    from studio.own import Report, Seen
    from studio.store.disk.naming import Named

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


def add(
    what: Annotated[str, typer.Argument(metavar="WHAT", show_default=False, help=say("help.what"))],
    choice: Annotated[str, typer.Option("--choose", metavar="NAME", help=say("help.choose"))] = "",
    id: Annotated[str, typer.Option("--id", help=say("help.id"))] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("help.dry_look"))] = False,
    as_json: Json = False,
) -> None:
    with Console(as_json) as console, opened() as studio:
        named = studio.own.name(what, choice)
        fits = {one.name: studio.own.fits(named, one.nbytes) for one in named.choices}
        whole = {
            "title": named.title, "tasks": list(named.tasks), "engine": named.engine, "family": named.family,
            "files": dict(named.files), "bytes": named.nbytes, "licence": named.licence,
            "licence_url": named.licence_url, "commercial": named.commercial,
            "fits": studio.own.fits(named) if named.files else None,
            "choices": [{"name": one.name, "bytes": one.nbytes, "fits": fits[one.name]} for one in named.choices],
        }  # fmt: skip
        if not as_json:
            for line in _told(named, fits, whole["fits"]):
                console.result(line)
        if named.choices and not dry_run:
            raise StudioError("no_choice", name="–", names=", ".join(one.name for one in named.choices))
        card = None if dry_run else studio.own.add(named, id)
        if as_json:
            console.document({**whole, "id": card.id if card else ""})
        elif card is not None:
            state = studio.store.state(card)
            console.note(say("add.added" if state == "ready" else "add.added_away", id=card.id))


def _told(named: Named, fits: dict[str, bool], whole: bool | None) -> list[str]:
    from studio.store.disk.cards import family_name

    tabs = [text(f"tab.{task}", language()) for task in named.tasks if task != "upscale"]
    lines = [
        f"{say('head.title')}: {named.title}",
        f"{say('head.tasks')}: {', '.join(tabs)}",
        f"{say('add.family')}: {family_name(named.family)}",
        f"{say('head.licence')}: {licence.said(named.licence, named.commercial, language())}",
    ]
    if named.files:
        size = f"{say('head.size')}: {gigabytes(named.nbytes)}"
        lines.append(size if whole else f"{size} ({say('state.too_big')})")
    lines += [f"{say('add.part')}: {part.source.repo} {gigabytes(part.disk_bytes)}" for part in named.parts]
    for one in named.choices:
        lines.append(f"  {one.name}  {gigabytes(one.nbytes)}{'' if fits[one.name] else '  ' + say('state.too_big')}")
    return lines


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
