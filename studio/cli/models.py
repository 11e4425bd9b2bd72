"""`models`: what there is and what is here; fetching and deleting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.catalog import licence, variants
from studio.catalog.card import VARIANT
from studio.cli import find
from studio.cli.console import STOPPED, Console, columns, language, say
from studio.cli.follow import follow, opened
from studio.errors import StudioError
from studio.paths import gigabytes
from studio.requests import TASKS, Task

if TYPE_CHECKING:
    from studio.status import ModelInfo

app = typer.Typer(help=say("help.models"), invoke_without_command=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help=say("help.json"))]
Id = Annotated[str, typer.Argument(metavar="ID", show_default=False, help=say("help.model"))]
app.command(help=say("help.find"))(find.find)
app.command(help=say("help.add"))(find.add)


@app.callback()
def models(
    context: typer.Context,
    task: Annotated[str, typer.Option("--task", metavar="|".join(TASKS), help=say("help.task"))] = "",
    as_json: Json = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    with Console(as_json) as console:
        wanted: Task | None = next((known for known in TASKS if known == task), None)
        if task and wanted is None:
            console.usage(say("unknown_task", tasks=", ".join(TASKS)))
        with opened() as studio:
            found = studio.models.list(wanted)
            problems = studio.catalog.problems
        if as_json:
            console.document({"models": [entry(info) for info in found], "problems": [str(one) for one in problems]})
            return
        for line in _table([_row(info) for info in found]):
            console.result(line)


@app.command(help=say("help.download"))
def download(
    id: Id,
    origin: Annotated[str, typer.Option("--from", metavar="ORIGIN", help=say("help.from"))] = "",
    newest: Annotated[bool, typer.Option("--newest", help=say("help.newest"))] = False,
    as_json: Json = False,
) -> None:
    with Console(as_json) as console, opened() as studio:
        title = studio.catalog.get(id).title
        update = follow(console, studio.models.download(id, "cli", origin, newest), title)
        info = next(info for info in studio.models.list() if info.card.id == studio.catalog.get(id).base)
        if as_json:
            console.document({"model": entry(info), "finish": update.kind})
        elif update.kind == "done":
            console.result(say("downloaded", title=title, size=gigabytes(info.disk_bytes)))
            if info.came:
                console.result(say("came_from", host=info.came))
        if update.kind == "cancelled":
            raise typer.Exit(STOPPED)


@app.command(help=say("help.delete"))
def delete(id: Id, as_json: Json = False) -> None:
    with Console(as_json) as console, opened() as studio:
        card = studio.catalog.get(id)
        title, shared, freed = card.title, studio.store.elsewhere(card), studio.models.delete(id)
        if as_json:
            console.document({"model": id, "freed_bytes": freed})
        else:
            console.result(say("deleted" if freed else "nothing_deleted", title=title, size=gigabytes(freed)))
            if freed and shared:
                console.result(say("shared"))


@app.command(name="verify", help=say("help.verify"))
def verify(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", show_default=False, help=say("help.verify_ids"))
    ] = None,
    as_json: Json = False,
) -> None:
    """Exit code 1 where anything differs or could not be asked."""
    found: list[dict[str, Any]] = []
    with Console(as_json) as console, opened() as studio:
        for card in [studio.catalog.get(id) for id in ids or studio.catalog.cards]:
            if card.source.kind != "hub" and not any(part.source.kind == "hub" for part in card.parts):
                continue
            told: dict[str, Any] = {"id": card.id, "unchecked": list(card.unchecked), "differences": []}
            found.append(told)
            try:
                told["differences"] = [asdict(one) for one in studio.models.verify(card.id)]
            except StudioError as error:
                told["error"] = {"code": error.code, "what": error.what(language()), "next": error.next(language())}
            if not as_json:
                for line in _verdict(told):
                    console.result(line)
        if as_json:
            console.document({"models": found})
    if any(told["differences"] or "error" in told for told in found):
        raise typer.Exit(1)


def _verdict(told: dict[str, Any]) -> Iterator[str]:
    for one in told["differences"]:
        what = say(f"verify.{one['what']}")
        yield say("verify.differs", id=told["id"], what=what, repo=one["repo"], ours=one["ours"], theirs=one["theirs"])
    if "error" in told:
        yield say("verify.not_asked", id=told["id"], reason=told["error"]["what"])
        if told["unchecked"]:
            yield say("verify.unchecked", id=told["id"], fields=", ".join(told["unchecked"]))
    elif not told["differences"]:
        yield say("verify.right", id=told["id"])


def entry(info: ModelInfo) -> dict[str, Any]:
    """A model as --json prints it. Sizes in bytes."""
    card = info.card
    return {
        "id": card.id,
        "title": card.title,
        "tasks": list(card.tasks),
        "state": info.state,
        "loaded": info.loaded,
        "fits": info.fits,
        "starter": card.starter,
        "licence": card.licence,
        "licence_url": card.licence_url,
        "commercial": card.commercial,
        "unchecked": list(card.unchecked),
        "parameters": card.parameters,
        "download_bytes": card.disk_bytes,
        "memory_bytes": card.memory_bytes,
        "disk_bytes": info.disk_bytes,
        "copy_bytes": info.copy_bytes,
        "in_hub_cache": info.elsewhere,
        "came_from": info.came,
        "languages": list(card.languages),
        "summary": card.summary.get(language()) or card.summary.get("en", ""),
        "variants": [
            {"id": one.card.id, "memory_bytes": one.card.memory_bytes, "fits": one.fits} for one in info.variants
        ],
    }


def _row(info: ModelInfo) -> tuple[str, ...]:
    card = info.card
    state = say(f"state.{info.state}") if info.fits or info.state == "ready" else say("state.too_big")
    size = gigabytes(info.disk_bytes or card.disk_bytes) if info.disk_bytes or card.disk_bytes else "?"
    if host := info.elsewhere_only:
        state = say("state.computed_on", host=host)
    elif not card.has_files:
        state, size = say("state.no_files"), "–"
    sisters = " ".join(f"{VARIANT}{one.card.variant}" for one in info.variants if one.fits)
    title = variants.title(card, language())
    return card.id, ", ".join(card.tasks), state, size, licence.name(card.licence, language()), title, sisters


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows under a head, in columns that are as wide as what they hold."""
    rows = [
        tuple(say(f"head.{name}") for name in ("id", "tasks", "state", "size", "licence", "title", "variants")),
        *rows,
    ]
    widths = [max(columns(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
