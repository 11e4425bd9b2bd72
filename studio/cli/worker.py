"""`worker`: this machine lent to the cluster of another, until Ctrl+C or SIGTERM."""

from __future__ import annotations

import os
import re
import signal
import threading
from typing import Annotated

import typer

from studio.cli.console import Console, say
from studio.errors import StudioError

_ADDRESS = re.compile(r"[A-Za-z0-9.\[\]:_-]{1,253}:[0-9]{2,5}", re.ASCII)


def worker(
    join: Annotated[str, typer.Option("--join", metavar="ADDRESS", help=say("help.join"))] = "",
) -> None:
    with Console() as console:
        address = join or os.environ.get("RAY_ADDRESS", "")
        if not _ADDRESS.fullmatch(address):
            console.usage(say("join_address"))
        from studio.cluster import joining, node

        node.require_ray()
        over = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: over.set())
        said = {joining.READY: say("joined", address=address), joining.GONE: say("join_again", address=address)}
        code = joining.lend(address, over, lambda what: console.note(said[what]))
        if code:
            raise StudioError("ray_unusable")
        console.note(say("left", address=address))
