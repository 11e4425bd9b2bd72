"""The address of the library: what was made, as JSON for the page's script, its pictures small and whole, its orders.

    GET  /atelier/library?…          a page of the grid, and with `first` what the filters offer
    GET  /atelier/library/about?id=  all about one          /small?id= its small picture    /file?id= itself
    GET  /atelier/library/space      what takes disk    /chains  the chains    /chain  the one that works
    POST /atelier/library/do         {"do": "star", "ids": […]} and the like

There is none on a public studio: strangers see nothing of each other.
"""

from __future__ import annotations

import hashlib
import mimetypes
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import anyio
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import StudioError
from studio.library import exports, foreign_files
from studio.library.archive import Archive
from studio.library.disk_use import CLEARED
from studio.library.index import Query
from studio.library.items import CHATS
from studio.library.recognition import recognise
from studio.paths import gigabytes, write
from studio.recipes.explicit_label import Marking
from studio.service import Studio
from tabs.door.refusal import Refusal, spoken_by
from tabs.library import chains, pieces
from tabs.shared import uploaded
from tabs.shared.taking import Taker
from tabs.shared.thumbnails import small_copy

ADDRESS = "/atelier/library"
SIDE = 256
LOOK = 1.5
"""Seconds that a page waits for files that were not read yet; the rest is read while the next one waits."""
MOST_AT_ONCE = 5_000
_KEEP = "private, max-age=31536000, immutable"
_THREADS = 4
"""A page shows dozens of pictures at once, and what is painted meanwhile needs the processor as well."""


class LibraryDesk:
    """Answers below ADDRESS.

    Args:
        takers: what the page's tabs take up.
    """

    def __init__(self, app: ASGIApp, studio: Studio, takers: Sequence[Taker]) -> None:
        self._app, self._studio, self._takers = app, studio, takers
        self._limit: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path != ADDRESS and not path.startswith(f"{ADDRESS}/"):
            await self._app(scope, receive, send)
            return
        archive, what = self._studio.archive, path[len(ADDRESS) :].strip("/")
        posted = scope["method"] == "POST"
        if archive is None or posted != (what == "do") or scope["method"] not in ("GET", "HEAD", "POST"):
            await Response(status_code=404)(scope, receive, send)
            return
        self._limit = self._limit or anyio.CapacityLimiter(_THREADS)
        try:
            asked = await _json(Request(scope, receive)) if posted else _asked(scope)
            answer = await anyio.to_thread.run_sync(
                self._answer, archive, what, asked, spoken_by(scope), limiter=self._limit
            )
        except StudioError as error:
            await Refusal(404 if error.code == "unknown_item" else 422, error, scope)(scope, receive, send)
            return
        await answer(scope, receive, send)

    def _answer(self, archive: Archive, what: str, asked: dict[str, Any], spoken: str) -> Response:
        id = str(asked.get("id", ""))
        match what:
            case "":
                return self._grid(archive, asked, spoken)
            case "about":
                return _told(pieces.about(self._studio, archive, self._takers, id, spoken))
            case "small":
                return self._small(archive, id)
            case "file":
                return _whole(archive, id, bool(asked.get("save")))
            case "space":
                return _told(pieces.space(archive, self._studio.disk.look(), spoken))
            case "chains":
                return _told(chains.told(self._studio, spoken))
            case "chain":
                return _told(chains.stands(self._studio, spoken))
            case "do":
                return _told(self._obeyed(archive, asked, spoken))
        return Response(status_code=404)

    def _grid(self, archive: Archive, asked: dict[str, Any], spoken: str) -> Response:
        first = bool(asked.get("first"))
        whole = archive.sync(LOOK) if first else True
        found = archive.page(_query(asked), str(asked.get("after", "")), count=first)
        facets = pieces.facets(archive, spoken) if first else {}
        return _told({**pieces.page(found), **facets, "whole": whole})

    def _small(self, archive: Archive, id: str) -> Response:
        """The small picture of a picture, made once."""
        item, file = archive.item(id), archive.file(id)
        if item.kind != "picture":
            raise StudioError("unknown_item")
        mark = hashlib.sha256(f"{id} {item.stamp} {SIDE}".encode()).hexdigest()[:40]
        kept = self._studio.disk.thumbnails / mark[:2] / f"{mark}.webp"
        headers = {"Cache-Control": _KEEP}
        with suppress(OSError):
            return Response(kept.read_bytes(), 200, headers, "image/webp")
        made = small_copy(file, SIDE)
        with suppress(StudioError):  # a full disk: it is made again the next time
            write(kept, made)
        return Response(made, 200, headers, "image/webp")

    def _obeyed(self, archive: Archive, asked: dict[str, Any], spoken: str) -> dict[str, Any]:
        ids = [str(id) for id in _list(asked.get("ids"))][:MOST_AT_ONCE]
        names = [str(name)[:200] for name in _list(asked.get("names"))]
        match asked.get("do"):
            case "star" | "unstar":
                archive.star([archive.item(id).id for id in ids], asked["do"] == "star")
            case "tag":
                archive.tag(ids, names)
            case "untag":
                archive.tag(ids, (), names)
            case "collect":
                archive.collect(ids, names)
            case "uncollect":
                archive.collect(ids, (), names)
            case "note" if ids:
                archive.note(ids[0], str(asked.get("text", "")))
            case "delete":
                return {"token": archive.delete(ids), "count": len(ids)}
            case "restore":
                return {"ids": archive.restore(str(asked.get("token", "")))}
            case "export":
                return self._packed(archive, ids, str(asked.get("form", "")))
            case "import":
                return self._taken_in(archive, _list(asked.get("files")), spoken)
            case "recognise":
                return self._recognised(archive, asked.get("file"), spoken)
            case "clear":
                self._studio.disk.clear([part for part in CLEARED if part in names])
            case "room":
                return self._room(asked.get("limit"), bool(asked.get("dry", True)))
            case "rebuild":
                return {"count": archive.rebuild()}
            case "chain":
                return chains.start(self._studio, archive, asked, spoken)
            case "chain-stop":
                return chains.stop(self._studio, spoken)
            case _:
                raise StudioError("bad_message")
        return {"items": [pieces.tile(archive.item(id)) for id in ids]}

    def _packed(self, archive: Archive, ids: list[str], form: str) -> dict[str, Any]:
        known: exports.Form | None = next((one for one in exports.FORMS if one == form), None)
        if known is None:
            raise StudioError("bad_message")
        file = uploaded.uploads() / secrets.token_hex(16) / exports.name(known)  # nobody can guess it
        count = exports.pack(archive, self._studio.chats, ids, file, known, Marking.of(self._studio.settings))
        return {"address": uploaded.address(str(file)), "name": file.name, "count": count}

    def _room(self, limit: object, dry: bool) -> dict[str, Any]:
        """What has to go so that outputs take at most so many GB; gone, where it is no dry run."""
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < 1e9:
            raise StudioError("not_a_number", field="field.limit")
        disk, most = self._studio.disk, int(limit * 1e9)
        ids, moved = disk.over(most)
        token = "" if dry else disk.make_room(most)[0]
        return {"count": len(ids), "size": gigabytes(moved), "token": token}

    def _recognised(self, archive: Archive, file: object, spoken: str) -> dict[str, Any]:
        """A file that was dropped on the page, and what is done with it."""
        name = str(file.get("name", "")) if isinstance(file, dict) else ""
        archive.sync(LOOK)
        found = recognise(archive, self._studio.chats, uploaded.read_upload(file), name)
        told: dict[str, Any] = {"way": found.way, "words": found.words, "syntax": found.language}
        if found.way == "chat":
            archive.sync()
            told |= {"way": "item", "item": pieces.tile(archive.item(f"{CHATS}/{found.chat}"))}
        elif found.item is not None:
            told["item"] = pieces.about(self._studio, archive, self._takers, found.item.id, spoken)
        return told

    def _taken_in(self, archive: Archive, files: list[Any], spoken: str) -> dict[str, Any]:
        """Files that were uploaded, into the library; those that it does not take are named."""
        ids, refused = list[str](), list[str]()
        keep_free = int(self._studio.settings.keep_free_gb * 1e9)
        for file in files:
            name = str(file.get("name", "")) if isinstance(file, dict) else ""
            try:
                data = uploaded.read_upload(file)
                ids += foreign_files.take_in(archive, self._studio.chats, data, name, keep_free)
            except StudioError as error:
                refused.append(f"{name}: {error.what(spoken)}")
        archive.sync()
        return {"ids": ids, "refused": refused}


def _whole(archive: Archive, id: str, save: bool) -> Response:
    """The file itself; shown by the browser only where that cannot do anything but show or play it."""
    item, file = archive.item(id), archive.file(id)
    kind = mimetypes.guess_type(file.name)[0] or ""
    shown = not save and kind.startswith(("image/", "audio/")) and "svg" not in kind
    headers = {"Cache-Control": _KEEP if item.kind in ("picture", "sound") else "no-store"}
    if shown:
        return FileResponse(file, headers=headers, media_type=kind)
    return FileResponse(file, headers=headers, media_type="application/octet-stream", filename=file.name)


def _query(asked: dict[str, Any]) -> Query:
    told = {name: str(asked.get(name, "")) for name in ("text", "task", "model", "tag", "collection", "since", "until")}
    begin, end = _day(told["since"]), _day(told["until"])
    return Query(
        told["text"], pieces.FILTERS.get(told["task"], ()), told["model"], told["tag"], told["collection"],  # pyright: ignore
        bool(asked.get("starred")), _milliseconds(begin), _milliseconds(end + timedelta(days=1) if end else None),
    )  # fmt: skip


def _day(told: str) -> datetime | None:
    try:
        return datetime.strptime(told, "%Y-%m-%d").astimezone() if told else None
    except ValueError:
        return None


def _milliseconds(when: datetime | None) -> int:
    return int(when.timestamp() * 1000) if when else 0


def _asked(scope: Scope) -> dict[str, Any]:
    return {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}


async def _json(request: Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StudioError("bad_message")
    return found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _told(answer: dict[str, Any]) -> Response:
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})
