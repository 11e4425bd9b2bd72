"""An answer at the door: the studio's own error, in the form in which Gradio's page shows it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import Scope

from studio import i18n
from studio.errors import StudioError
from tabs.shared.i18n import COOKIE
from tabs.shared.identity import header


class Refusal(JSONResponse):
    """What happened and what to do next, in the language of whoever asks.

    Args:
        status: of HTTP.
        more: further headers.
    """

    def __init__(self, status: int, error: StudioError, scope: Scope, more: dict[str, str] | None = None) -> None:
        spoken = spoken_by(scope)
        words = f"{error.what(spoken)} {error.next(spoken)}".strip()
        super().__init__({"detail": words, "error": words}, status, more)


def spoken_by(scope: Scope) -> str:
    """The language of a request: chosen on the page, else the browser's own."""
    chosen = cookie_parser(header(scope["headers"], b"cookie")).get(COOKIE)
    return i18n.best(chosen or Headers(scope=scope).get("accept-language", ""))
