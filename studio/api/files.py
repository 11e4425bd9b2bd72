"""Files of results, at the addresses that answers name (studio.api.results)."""

from __future__ import annotations

from pathlib import Path

import anyio
from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from studio.api.results import ADDRESS, media_type
from studio.api.submitting import Desk
from studio.errors import StudioError


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get(ADDRESS + "{name}", response_class=Response)
    async def file(name: str) -> Response:
        """A picture, a piece or a text, as it was written, with its recipe in it."""
        found = desk.links.find(name)
        if found is None or not await anyio.Path(found).is_file():
            raise StudioError("api_no_address", path=(ADDRESS + name)[:200])
        return answer(found)

    return router


def answer(file: Path, headers: dict[str, str] | None = None) -> FileResponse:
    """A file as it is shown or kept."""
    return FileResponse(
        file, media_type=media_type(file), headers={"Cache-Control": "private, max-age=3600", **(headers or {})}
    )
