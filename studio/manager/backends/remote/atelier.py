"""The line to another studio over HTTP: its API's jobs, followed by their events."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from studio.errors import StudioError
from studio.manager.backends.remote import forms
from studio.manager.backends.remote.client import Server
from studio.manager.backends.remote.following import MOST_OUTPUT, Asked


class HttpLine:
    """As studio.manager.backends.remote.following has it."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def name(self) -> str:
        return self._server.name

    def follow(self, asked: Asked, look: Callable[[], None]) -> Iterator[Mapping[str, Any]]:
        """Raises StudioError as `Server.json`, too."""
        body = {"request": forms.written(asked.request), "previews": asked.previews, "part": True}
        for event in self._server.follow("/v1/jobs", body, look):
            told = self._server.read_object(event.data)
            if isinstance(previews := told.get("previews"), dict):
                told["previews"] = {number: self._file(data) for number, data in previews.items()}
            yield told

    def stop(self, part: str) -> None:
        self._server.tell("DELETE", f"/v1/jobs/{part}")

    def skip(self, part: str) -> None:
        self._server.tell("POST", f"/v1/jobs/{part}/skip")

    def output(self, part: str) -> bytearray:
        return self._server.bytes("GET", f"/v1/jobs/{part}/output", most=MOST_OUTPUT)

    def failure(self, told: Mapping[str, Any]) -> StudioError | None:
        return self._server.failure(told)

    def nonsense(self) -> StudioError:
        return self._server.nonsense()

    def _file(self, data: object) -> bytes:
        try:
            return base64.b64decode(data, validate=True)  # pyright: ignore[reportArgumentType]
        except (binascii.Error, ValueError, TypeError):
            raise self._server.nonsense() from None
