"""Server of the page: address, password, the guard at the door, and a clean end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from gradio.utils import get_upload_folder

from studio.api.door import Door
from studio.errors import StudioError
from studio.i18n import from_environment, text
from studio.instance import Instance, expire
from studio.library import expiry
from studio.paths import Home, disk_error
from studio.service import Studio
from studio.settings import is_loopback
from tabs.door.upload_quota import Ledger
from tabs.doors import doors
from tabs.page import build, launch_options
from tabs.shared import identity
from tabs.shared.taking import Taker
from tabs.shell.queue_alarm import alarm

log = logging.getLogger("studio")

SPACE_HOST, TRIES = "0.0.0.0", 20
PAGES_KEPT = 200
"""Pages whose state Gradio keeps: each takes about a megabyte, and none is ever given up before there are more."""
TIDY_SECONDS = 300.0
THREADS = 128
"""Handlers at work at the same time. Most of them wait for a job and cost nothing; 40 are fewer than jobs can be."""


def serve(studio: Studio) -> int:
    """Open the page and keep it open until Ctrl+C or SIGTERM. Returns the exit code."""
    settings = studio.settings
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    studio.clear()
    over, again = threading.Event(), threading.Event()

    def restart() -> None:
        again.set()
        over.set()

    try:
        url = open_page(studio, restart)
    except StudioError as error:
        print(f"{error.what(from_environment())}\n{error.next(from_environment())}", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    print(text("app.open", settings.language or from_environment(), url=url), flush=True)
    if settings.open_browser and is_loopback(settings.host) and not settings.public:
        webbrowser.open(url)
    over.wait()
    if again.is_set():
        start_again(studio, urlsplit(url).port or settings.port)
    return 0


def start_again(studio: Studio, port: int) -> None:
    """Become a new process of the same program at the same address. Does not return.

    That works while a model hangs in the middle of a computation, which no thread could be made to leave.
    """
    print(text("app.again", studio.settings.language or from_environment()), flush=True)
    studio.close(timeout=1.0)
    os.environ["STUDIO_PORT"], os.environ["STUDIO_OPEN_BROWSER"] = str(port), "0"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def open_page(studio: Studio, restart: Callable[[], None] | None = None) -> str:
    """Start the server in the background and return its address.

    Args:
        restart: what the page's restart button does; None offers none.

    Raises:
        StudioError: no port is free.
    """
    settings = studio.settings
    host = SPACE_HOST if settings.public else settings.host.strip("[]")
    uploads = Path(get_upload_folder())
    ledger, takers = Ledger.of(settings, uploads), list[Taker]()
    try:
        uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        page = build(studio, restart, takers)
    except OSError as error:  # the page puts pictures of examples where it shows them from
        raise disk_error(error, uploads) from error
    page.queue(max_size=settings.max_queue * 4, default_concurrency_limit=None, api_open=False)
    alarm(page._queue)
    password = settings.password.get_secret_value()
    options: dict[str, Any] = launch_options(studio) | {
        "server_name": f"[{host}]" if ":" in host else host,
        "server_port": settings.port if settings.public else free_port(host, settings.port),
        "auth": (settings.user, password) if password else None,
        "app_kwargs": {
            "middleware": doors(studio, ledger, uploads, takers),
            "routes": [Door(studio, lambda scope: identity.address(scope, settings.public))],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
        "prevent_thread_lock": True,
        "quiet": True,
        "inbrowser": False,
        "blocked_paths": [str(place) for place in private(studio.home)],
        "state_session_capacity": PAGES_KEPT,
        "max_threads": THREADS,
    }
    _, url, _ = page.launch(**options)
    threading.Thread(target=_tidy, args=(studio, ledger), name="tidy", daemon=True).start()
    threading.Thread(target=_clean, args=(page, studio.instance), name="cleaner", daemon=True).start()
    return url.replace(SPACE_HOST, "127.0.0.1").replace("[::]", "[::1]")


def _tidy(studio: Studio, ledger: Ledger) -> None:
    """Clear away, now and then, what was uploaded and what strangers left."""
    while not studio.instance.closed.wait(TIDY_SECONDS):
        try:
            ledger.tidy()
            if studio.settings.public:
                expiry.tidy(studio.home, studio.instance.sessions)
        except Exception:  # a disk may do anything, and the next time it may be well again
            log.exception("Clearing away failed.")


def private(home: Home) -> tuple[Path, ...]:
    """The folders from which Gradio never hands out a file, whatever a handler of ours might return by mistake."""
    return home.models, home.chats, home.library, home.captions, home.inputs, home.keys, home.cache / "sessions"


def _clean(page: gr.Blocks, instance: Instance) -> None:
    """Take away what the page has shown and nobody looks at any more, now and then, for as long as the studio lives.

    Gradio does so for the files that it wrote itself. It leaves those that were published by us, and every folder.
    """
    assert page.delete_cache is not None
    every, age = page.delete_cache
    own = {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}
    while not instance.closed.wait(every):
        expire(instance.shown, age, own)


def free_port(host: str, wanted: int) -> int:
    """`wanted`, or the next port that nobody listens on; any for 0."""
    for port in [wanted] if wanted == 0 else range(wanted, wanted + TRIES):
        found = _bound(host, port)
        if found and (":" not in host or _bound("127.0.0.1", found)):  # Gradio asks there, wherever it is to listen
            return found
    raise StudioError("port_in_use", port=wanted)


def _bound(host: str, port: int) -> int:
    """The port, where it can be listened on; else 0."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])
