"""Doors between the network and Gradio, in the order in which a request meets them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from studio.service import Studio
from tabs.door.adaptation_pictures import AdaptationPictures
from tabs.door.answering import Answering
from tabs.door.bodies import Bodies
from tabs.door.compression import Compression
from tabs.door.gate import Gate
from tabs.door.guard import Guard
from tabs.door.library_desk import LibraryDesk
from tabs.door.mending import Mending
from tabs.door.password import Entrance
from tabs.door.streams import Streams
from tabs.door.upload_quota import Ledger, Quota
from tabs.door.veil import Veil
from tabs.shared.audio_stream import Listening
from tabs.shared.taking import Taker
from tabs.shell.bundle import FILES
from tabs.shell.head import Head
from tabs.shell.vendor import Vendor


def doors(studio: Studio, ledger: Ledger, folder: Path, takers: Sequence[Taker] = ()) -> list[Middleware]:
    """All of them for a studio.

    Args:
        folder: where uploads and copies of outputs lie.
        takers: what the page's tabs take up of the library.
    """
    settings = studio.settings
    home = studio.home.root
    veil = [Middleware(Veil, home=home)] if settings.public else []
    theirs: dict[str, Any] = {"theirs": ledger.theirs, "home": home} if settings.public else {}
    return [
        Middleware(Guard, settings=settings),
        Middleware(Compression),
        *veil,
        Middleware(Entrance, settings=settings),
        Middleware(Gate, folder=folder),
        Middleware(Streams, settings=settings),
        Middleware(Quota, settings=settings, ledger=ledger, folder=folder),
        Middleware(Bodies, settings=settings, folder=folder, **theirs),
        Middleware(Listening, studio=studio),
        Middleware(Answering, studio=studio),
        Middleware(AdaptationPictures, studio=studio),
        Middleware(LibraryDesk, studio=studio, takers=takers),
        Middleware(Mending),
        Middleware(Vendor, folder=FILES / "vendor"),
        Middleware(Head),
    ]
