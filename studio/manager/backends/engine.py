"""Engine of models on other computers: nothing is loaded, and several requests may be on their way at once.

A loaded one is the server that its card names. Runs have threads of their own beside the lane of a device that is not
here (studio.manager.fleet): they neither wait for the devices of this machine nor keep anybody waiting for them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from studio.addresses import WORKER, read_address
from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.errors import StudioError
from studio.manager.backends.ray.line import ActorLine
from studio.manager.backends.remote import following, openai
from studio.manager.backends.remote.atelier import HttpLine
from studio.manager.backends.remote.client import PATIENCE, Server
from studio.requests import ImageRequest, Request
from studio.results import Output

PLACES = 4
"""Requests that one model is asked at once."""
LONG = 600.0
"""Seconds of silence of a server that says nothing while it loads a model and reads a prompt."""
_LOCAL = ("loras", "controls", "references", "vae", "refiner", "details")
"""Fields of a picture that name files of this machine."""


class RemoteEngine:
    """What a card of the kind ``remote`` is asked through."""

    def weights(self, card: Card, files: Path) -> int:
        del card, files
        return 0

    def work(self, card: Card, request: Request) -> int:
        del card, request
        return 0

    def sees(self, card: Card, files: Path | None) -> bool:
        """Whether it reads pictures: nobody can tell but who wrote its table."""
        del files
        return bool(card.options.get("sees"))

    def places(self, card: Card) -> int:
        del card
        return PLACES

    def place_nbytes(self, card: Card, files: Path) -> int:
        del card, files
        return 0

    def load(
        self, card: Card, files: Path, device: Device, report: Callable[[float], None], places: int = 1
    ) -> RemoteModel:
        del files, device, report, places
        return RemoteModel(card)


class RemoteModel:
    """One model on another computer. Unlike others it is asked several things at once."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._server = None if card.source.address.startswith(WORKER) else _server(card)

    def nbytes(self) -> int:
        return 0

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def run(self, request: Request, context: Context) -> Output:
        """Raises Cancelled; StudioError: remote_files, where files of this machine are named; as the server says."""
        if needs_files(request):
            raise StudioError("remote_files", model=self._card.title, host=self._card.host)
        model, server = str(self._card.options.get("model", "")), self._server
        if server is None:
            return following.run(ActorLine(self._card.host), model, request, context)
        if _studio(self._card):
            return following.run(HttpLine(server), model, request, context)
        return openai.run(server, self._card, request, context)


def _studio(card: Card) -> bool:
    return card.options.get("speaks") == "atelier"


def _server(card: Card) -> Server:
    key = str(card.options.get("key", ""))
    return Server(read_address(card.source.address), key, PATIENCE if _studio(card) else LONG)


def needs_files(request: Request) -> bool:
    """Whether a request names files that lie beside the models of this machine."""
    return isinstance(request, ImageRequest) and any(getattr(request, name) for name in _LOCAL)
