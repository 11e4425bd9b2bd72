"""The API as one app: its surfaces behind admission, and every mistake in the words of the surface that was asked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from studio.api.admission import Admission
from studio.api.problems import reply
from studio.api.submitting import Desk, Gone
from studio.api.surfaces import SURFACES, local_path, surface
from studio.errors import StudioError
from studio.jobs.failures import internal
from studio.keys import Keys
from studio.service import Studio

log = logging.getLogger("studio")


def build(studio: Studio, address: Callable[[Scope], str] = lambda _: "") -> ASGIApp:
    """All surfaces of a studio, with whole paths, behind admission.

    Args:
        address: where a request comes from, as limits count it.
    """
    settings = studio.settings
    keys = Keys(studio.home.keys, settings.api_key.get_secret_value())
    return Admission(surfaces(Desk(studio)), settings, keys, address)


def surfaces(desk: Desk) -> FastAPI:
    """The same without admission: what stands in `openapi()`."""
    app = FastAPI(title="Atelier", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for place in dict.fromkeys(one.place for one in SURFACES):
        app.include_router(import_module(place).routes(desk))
    mistakes: dict[Any, Callable[[Request, Any], Response]] = {
        StudioError: _said,
        RequestValidationError: lambda http, error: _said(http, _unfit(error)),
        HTTPException: lambda http, error: _said(http, _refused(http, error)),
        Gone: lambda _, __: Response(status_code=499),
        Exception: lambda http, error: _said(http, internal(error)),
    }
    for kind, answer in mistakes.items():
        app.add_exception_handler(kind, answer)
    return app


def _said(http: Request, error: StudioError) -> Response:
    here = surface(local_path(http.scope))
    return reply(error, here.shape if here else "plain", http.headers.get("accept-language", ""))


def _unfit(error: RequestValidationError) -> StudioError:
    """The first thing that is wrong with a message."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    return StudioError("api_field", field=".".join(where)[:100] or "body", reason=str(first["msg"])[:200])


def _refused(http: Request, error: HTTPException) -> StudioError:
    """What Starlette says by itself: no such address, another method, a body that cannot be read."""
    if error.status_code == 404:
        return StudioError("api_no_address", path=http.url.path[:200])
    if error.status_code == 405:
        return StudioError("api_no_method", path=http.url.path[:200], method=http.method[:20])
    return StudioError("api_field", field="body", reason=str(error.detail)[:200])
