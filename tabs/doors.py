"""What stands between the network and Gradio, in the order in which a request meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from studio.service import Studio
from tabs.bodies import Bodies
from tabs.entrance import Entrance
from tabs.first import FirstScript
from tabs.gate import Gate
from tabs.guard import Guard
from tabs.listening import Listening
from tabs.page import FILES, script
from tabs.quota import Ledger, Quota
from tabs.streams import Streams
from tabs.veil import Veil
from tabs.vendor import Vendor


def doors(studio: Studio, ledger: Ledger, folder: Path) -> list[Middleware]:
    """All of them for a studio.

    Args:
        folder: where uploads and copies of outputs lie.
    """
    settings = studio.settings
    home = studio.home.root
    veil = [Middleware(Veil, home=home)] if settings.public else []
    theirs: dict[str, Any] = {"theirs": ledger.theirs, "home": home} if settings.public else {}
    return [
        Middleware(Guard, settings=settings),
        *veil,
        Middleware(Entrance, settings=settings),
        Middleware(Gate, folder=folder),
        Middleware(Streams, settings=settings),
        Middleware(Quota, settings=settings, ledger=ledger, folder=folder),
        Middleware(Bodies, settings=settings, folder=folder, **theirs),
        Middleware(Listening, studio=studio),
        Middleware(Vendor, folder=FILES / "vendor"),
        Middleware(FirstScript, script=script()),
    ]
