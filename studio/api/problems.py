"""Problems as an API tells them: the studio's own errors with a status, in each surface's own form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

from studio.api.surfaces import Shape
from studio.errors import StudioError
from studio.i18n import best

RETRY_AFTER = 5
"""Seconds after which a program that found the queue full may ask again."""
_STATUS: Mapping[int, tuple[str, ...]] = {
    401: ("key_missing", "key_wrong"),
    403: ("not_for_public",),
    502: ("remote_nonsense", "remote_refused"),
    404: (
        "api_off", "api_no_address", "mcp_off", "no_model", "unknown_model", "unknown_job", "unknown_item",
        "api_not_here",
    ),
    405: ("api_no_method",),
    413: ("message_too_large",),
    422: ("api_another",),
    429: ("queue_full", "too_many_jobs", "too_often", "too_busy", "too_many_passwords", "strangers_full"),
    500: ("internal",),
    501: ("no_mcp",),
    503: (
        "bad_output", "closing", "cooling_down", "device_stuck", "disk_full", "does_not_fit_yet", "download_failed",
        "hub_broken", "hub_busy", "hub_offline", "hub_unreachable", "no_space", "offline", "offline_setting",
        "out_of_memory", "pinned_full", "remote_busy", "remote_gone", "remote_stopped", "stuck", "stuck_full",
        "worker_ended", "worker_hung", "api_stopped",
    ),
}  # fmt: skip
STATUS: Mapping[str, int] = {code: status for status, codes in _STATUS.items() for code in codes}
"""Of errors that are not what was asked for: everything else is a 400."""
_KIND = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class Reply(JSONResponse):
    """JSON in ASCII: whatever a stranger sent, it can be answered."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def reply(error: StudioError, shape: Shape, language: str = "en", headers: Mapping[str, str] | None = None) -> Reply:
    """An error as a surface says it.

    Args:
        language: an Accept-Language header.
        headers: further ones.
    """
    status = STATUS.get(error.code, 400)
    more = dict(headers or {})
    if status == 401:
        more["WWW-Authenticate"] = 'Bearer, Basic realm="Atelier", charset="UTF-8"'
    if status == 429:
        more.setdefault("Retry-After", str(error.params.get("seconds", RETRY_AFTER)))
    else:
        more["X-Should-Retry"] = "false"  # OpenAI's client asks three times otherwise, also where nothing changes
    return Reply(body(error, shape, language), status, more)


def body(error: StudioError, shape: Shape, language: str = "en") -> dict[str, Any]:
    """The error's JSON."""
    words = said(error, language)
    status = STATUS.get(error.code, 400)
    if shape in ("openai", "jobs"):
        kind = _KIND.get(status, "server_error" if status >= 500 else "invalid_request_error")
        told = {"message": words, "type": kind, "param": param(error), "code": error.code}
        return {"error": {**told, "params": error.params} if shape == "jobs" else told}
    if shape == "llama":
        kind = _KIND.get(status, "server_error" if status >= 500 else "invalid_request_error")
        return {"error": {"code": status, "message": words, "type": kind}}
    if shape == "sdapi":
        return {"error": error.code, "detail": words, "body": "", "errors": words}
    return {"error": words}


def said(error: StudioError, language: str = "en") -> str:
    """What happened and what to do next."""
    spoken = best(language)
    return f"{error.what(spoken)} {error.next(spoken)}".strip()


def param(error: StudioError) -> str | None:
    """The field that an error is about."""
    field = error.params.get("field")
    return str(field).removeprefix("field.") if field else None
