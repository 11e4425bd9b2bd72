"""`library`: what was made, found again, marked, deleted and had back, taken out and in; and what takes disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.console import Console, say
from studio.cli.follow import opened
from studio.cli.options import Json
from studio.cli.position import read_bytes
from studio.errors import StudioError
from studio.paths import gigabytes
from studio.requests import TASKS, Task

if TYPE_CHECKING:
    from studio.library.archive import Archive
    from studio.library.index import Query
    from studio.library.items import Item
    from studio.service import Studio

app = typer.Typer(help=say("help.library"), no_args_is_help=True, rich_markup_mode=None)

Ids = Annotated[list[str], typer.Argument(metavar="ID…", show_default=False, help=say("help.item"))]
TaskName = Annotated[str, typer.Option("--task", metavar="|".join(TASKS), help=say("help.task"))]
ModelId = Annotated[str, typer.Option("--model", "-m", metavar="ID", help=say("help.library_model"))]
Tag = Annotated[str, typer.Option("--tag", metavar="TAG", help=say("help.library_tag"))]
Collection = Annotated[str, typer.Option("--collection", metavar="NAME", help=say("help.library_collection"))]
Starred = Annotated[bool, typer.Option("--starred", help=say("help.library_starred"))]
Since = Annotated[str, typer.Option("--since", metavar="YYYY-MM-DD", help=say("help.library_since"))]
Until = Annotated[str, typer.Option("--until", metavar="YYYY-MM-DD", help=say("help.library_until"))]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help=say("help.library_limit"))]
Add = Annotated[list[str] | None, typer.Option("--add", metavar="NAME", help=say("help.library_add"))]
Remove = Annotated[list[str] | None, typer.Option("--remove", metavar="NAME", help=say("help.library_remove"))]


@app.command("list", help=say("help.library_list"))
def list_(
    task: TaskName = "", model: ModelId = "", tag: Tag = "", collection: Collection = "", starred: Starred = False,
    since: Since = "", until: Until = "", limit: Limit = 50, as_json: Json = False,
) -> None:  # fmt: skip
    with Console(as_json) as console, _archive() as (_, archive):
        _print(console, archive, _query(console, "", task, model, tag, collection, starred, since, until), limit)


@app.command(help=say("help.library_search"))
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS…", show_default=False, help=say("help.library_words"))],
    task: TaskName = "", model: ModelId = "", tag: Tag = "", collection: Collection = "", starred: Starred = False,
    since: Since = "", until: Until = "", limit: Limit = 50, as_json: Json = False,
) -> None:  # fmt: skip
    with Console(as_json) as console, _archive() as (_, archive):
        wanted = _query(console, " ".join(words), task, model, tag, collection, starred, since, until)
        _print(console, archive, wanted, limit)


@app.command(help=say("help.library_star"))
def star(
    ids: Ids, off: Annotated[bool, typer.Option("--off", help=say("help.library_off"))] = False, as_json: Json = False
) -> None:
    with Console(as_json) as console, _archive() as (_, archive):
        found = _known(archive, ids)
        archive.star(found, not off)
        _marked(console, archive, found)


@app.command(help=say("help.library_tags"))
def tag(ids: Ids, add: Add = None, remove: Remove = None, as_json: Json = False) -> None:
    with Console(as_json) as console, _archive() as (_, archive):
        found = _known(archive, ids)
        archive.tag(found, add or (), remove or ())
        _marked(console, archive, found)


@app.command(help=say("help.library_collect"))
def collect(ids: Ids, add: Add = None, remove: Remove = None, as_json: Json = False) -> None:
    with Console(as_json) as console, _archive() as (_, archive):
        found = _known(archive, ids)
        archive.collect(found, add or (), remove or ())
        _marked(console, archive, found)


@app.command(help=say("help.library_note"))
def note(
    id: Annotated[str, typer.Argument(metavar="ID", show_default=False, help=say("help.item"))],
    text: Annotated[str, typer.Argument(metavar="TEXT", help=say("help.library_note_text"))] = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console, _archive() as (_, archive):
        found = _known(archive, [id])
        archive.note(found[0], text)
        _marked(console, archive, found)


@app.command(help=say("help.library_delete"))
def delete(ids: Ids, as_json: Json = False) -> None:
    with Console(as_json) as console, _archive() as (_, archive):
        found = _known(archive, ids)
        token = archive.delete(found)
        if as_json:
            console.document({"deleted": found, "token": token})
        else:
            console.result(say("library.deleted", count=len(found), token=token))


@app.command(help=say("help.library_restore"))
def restore(
    token: Annotated[str, typer.Argument(metavar="[TOKEN]", help=say("help.library_token"))] = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console, _archive() as (_, archive):
        last = archive.trash.all()[:1]
        if not token and not last:
            raise StudioError("unknown_item")
        back = archive.restore(token or last[0].token)
        _ids(console, "restored", back)


@app.command(help=say("help.library_trash"))
def trash(as_json: Json = False) -> None:
    with Console(as_json) as console, _archive() as (_, archive):
        found = archive.trash.all()
        if as_json:
            console.document({
                "trash": [
                    {"token": one.token, "when": one.when.isoformat(), "ids": one.ids, "bytes": one.nbytes}
                    for one in found
                ]
            })  # fmt: skip
            return
        for one in found:
            when = one.when.astimezone().strftime("%Y-%m-%d %H:%M")
            console.result(f"{one.token}  {when}  {len(one.ids)}  {gigabytes(one.nbytes)}")


@app.command(help=say("help.library_export"))
def export(
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help=say("help.library_out"))],
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", show_default=False, help=say("help.library_export_ids"))
    ] = None,
    form: Annotated[str, typer.Option("--form", metavar="zip|imagefolder", help=say("help.library_form"))] = "zip",
    text: Annotated[str, typer.Option("--search", metavar="WORDS", help=say("help.library_words"))] = "",
    task: TaskName = "", model: ModelId = "", tag: Tag = "", collection: Collection = "", starred: Starred = False,
    since: Since = "", until: Until = "", as_json: Json = False,
) -> None:  # fmt: skip
    from studio.library import exports
    from studio.recipes.explicit_label import Marking

    with Console(as_json) as console, _archive() as (studio, archive):
        known: exports.Form | None = next((one for one in exports.FORMS if one == form), None)
        if known is None:
            console.usage(say("library.unknown_form", forms=", ".join(exports.FORMS)))
        wanted = _query(console, text, task, model, tag, collection, starred, since, until)
        found = _known(archive, ids) if ids else [item.id for item in _all(archive, wanted, 100_000)]
        target = Path(out).expanduser()
        target = target / exports.name(known) if target.is_dir() else target
        count = exports.pack(archive, studio.chats, found, target, known, Marking.of(studio.settings))
        if as_json:
            console.document({"file": str(target), "items": count})
        else:
            console.note(say("library.exported", count=count))
            console.result(str(target))


@app.command("import", help=say("help.library_import"))
def import_(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", show_default=False, help=say("help.library_files"))],
    as_json: Json = False,
) -> None:
    from studio.library import foreign_files, scan

    with Console(as_json) as console, _archive() as (studio, archive):
        keep_free, found = int(studio.settings.keep_free_gb * 1e9), list[str]()
        for file in files:
            data = read_bytes(file, scan.MAX_READ)
            found += foreign_files.take_in(archive, studio.chats, data, Path(file).name, keep_free)
        archive.sync()
        _ids(console, "imported", found)


@app.command(help=say("help.library_rebuild"))
def rebuild(as_json: Json = False) -> None:
    with Console(as_json) as console, _archive(sync=False) as (_, archive):
        count = archive.rebuild()
        if as_json:
            console.document({"items": count})
        else:
            console.result(say("library.rebuilt", count=count))


@app.command(help=say("help.library_space"))
def space(as_json: Json = False) -> None:
    with Console(as_json) as console, opened() as studio:
        use = studio.disk.look()
        if as_json:
            parts = {one.part: {"bytes": one.nbytes, "clearable": one.freed} for one in use.parts}
            console.document({"parts": parts, "free_bytes": use.free, "disk_bytes": use.total})
            return
        for one in use.parts:
            console.result(f"{say(f'space.{one.part}')}: {gigabytes(one.nbytes)}")
        console.result(say("space.free", free=gigabytes(use.free), total=gigabytes(use.total)))


@app.command(help=say("help.library_clean"))
def clean(
    trash: Annotated[bool, typer.Option("--trash", help=say("help.clean_trash"))] = False,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help=say("help.clean_thumbnails"))] = False,
    copies: Annotated[bool, typer.Option("--copies", help=say("help.clean_copies"))] = False,
    outputs: Annotated[float, typer.Option("--outputs", metavar="GB", help=say("help.clean_outputs"))] = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("help.clean_dry"))] = False,
    as_json: Json = False,
) -> None:
    from studio.library.disk_use import CLEARED, Part

    chosen = {"trash": trash, "thumbnails": thumbnails, "copies": copies}
    parts: list[Part] = [part for part in CLEARED if chosen[part]]
    with Console(as_json) as console, opened() as studio:
        if not parts and outputs <= 0:
            console.usage(say("library.clean_what"))
        limit, gone, token = int(outputs * 1e9), tuple[str, ...](), ""
        if outputs > 0:
            gone, moved = studio.disk.over(limit)
            token = "" if dry_run else studio.disk.make_room(limit)[0]
        else:
            moved = 0
        sizes = {one.part: one.freed for one in studio.disk.look().parts}
        freed = sum(sizes[part] for part in parts) if dry_run else studio.disk.clear(parts)
        if as_json:
            console.document({
                "dry_run": dry_run, "freed_bytes": freed, "to_trash": list(gone), "to_trash_bytes": moved,
                "token": token,
            })  # fmt: skip
            return
        for id in gone:
            console.note(id)
        if outputs > 0:
            key = "library.would_move" if dry_run else "library.moved"
            console.result(say(key, count=len(gone), size=gigabytes(moved), token=token))
        if parts:
            console.result(say("library.would_free" if dry_run else "library.freed", size=gigabytes(freed)))


@contextmanager
def _archive(sync: bool = True) -> Iterator[tuple[Studio, Archive]]:
    with opened() as studio:
        if studio.archive is None:
            raise StudioError("not_for_public")
        if sync:
            studio.archive.sync()
        yield studio, studio.archive


def _query(
    console: Console, text: str, task: str, model: str, tag: str, collection: str, starred: bool, since: str, until: str
) -> Query:
    from studio.library.index import Query

    tasks: tuple[Task, ...] = tuple(known for known in TASKS if known == task)
    if task and not tasks:
        console.usage(say("unknown_task", tasks=", ".join(TASKS)))
    begin, end = _day(console, since), _day(console, until)
    last = int((end + timedelta(days=1)).timestamp() * 1000) if end else 0
    first = int(begin.timestamp() * 1000) if begin else 0
    return Query(text, tasks, model, tag, collection, starred, first, last)


def _day(console: Console, told: str) -> datetime | None:
    """The beginning of a day in this machine's time."""
    try:
        return datetime.strptime(told, "%Y-%m-%d").astimezone() if told else None
    except ValueError:
        console.usage(say("library.wrong_day", day=told))


def _all(archive: Archive, query: Query, limit: int) -> Iterator[Item]:
    after = ""
    while limit > 0:
        page = archive.page(query, after, min(limit, 500))
        yield from page.items
        limit, after = limit - len(page.items), page.following
        if not after:
            return


def _print(console: Console, archive: Archive, query: Query, limit: int) -> None:
    if console.as_json:
        console.document({"items": [entry(item, archive) for item in _all(archive, query, limit)]})
        return
    for item in _all(archive, query, limit):
        star = "*" if item.star else " "
        console.result(f"{item.made.strftime('%Y-%m-%d %H:%M')} {star} {item.id}  {item.title}")


def entry(item: Item, archive: Archive) -> dict[str, Any]:
    """An item as --json prints it. Size in bytes."""
    return {
        "id": item.id, "task": item.task, "kind": item.kind, "made": item.made.isoformat(), "title": item.title,
        "model": item.model, "bytes": item.size, "imported": item.foreign, "star": item.star, "tags": item.tags,
        "note": item.note, "collections": item.collections, "file": str(archive.file(item.id)),
    }  # fmt: skip


def _known(archive: Archive, ids: list[str]) -> list[str]:
    """Ids as they were typed: an item's own, or the path of its file. Raises StudioError: unknown_item."""
    found = []
    for id in ids:
        path = Path(id).expanduser().absolute()
        below = path.is_relative_to(archive.outputs) and not id.startswith("chat/")
        found.append(archive.item(path.relative_to(archive.outputs).as_posix() if below else id).id)
    return found


def _marked(console: Console, archive: Archive, ids: list[str]) -> None:
    items = [archive.item(id) for id in ids]
    if console.as_json:
        console.document({"items": [entry(item, archive) for item in items]})
        return
    for item in items:
        marks = [*(["*"] if item.star else []), *(f"#{tag}" for tag in item.tags), *item.collections]
        console.result("  ".join(filter(None, (item.id, " ".join(marks), item.note))))


def _ids(console: Console, what: str, ids: Any) -> None:
    if console.as_json:
        console.document({what: list(ids)})
        return
    console.note(say(f"library.{what}", count=len(ids)))
    for id in ids:
        console.result(id)
