"""Process that fetches: it hears one order on its standard input and answers in lines of JSON.

A transfer that waits for a socket cannot be stopped from Python, and a process can be. It ends with the studio, because
its input ends then. What it says: ``wanted`` (names and sizes, the version, names of blobs), ``at`` (bytes), ``wait``
(seconds), ``note`` (a code), and last ``files`` (names and paths) or ``error`` (code and parameters).
"""

from __future__ import annotations

import json
import os
import sys
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from studio.catalog.card import WEIGHTS
from studio.errors import StudioError
from studio.paths import disk_error, require_space
from studio.store.hub_cache import nbytes
from studio.store.remotes import Hub, Plain
from studio.store.transfer import BusyError, Line, Tell
from studio.store.wanted import Entry, choose

AT_ONCE = 4
"""Files that are fetched at the same time. Of a large one the library fetches several pieces at once, where it can."""


class Remote(Protocol):
    """Where files come from."""

    host: str
    disk: Path
    """A folder on the disk that is written to."""

    def listing(self) -> tuple[str, list[Entry]]:
        """The version, and all files of it."""
        ...

    def part(self, entry: Entry) -> Path:
        """What an unfinished transfer of the file is called."""
        ...

    def have(self, entry: Entry) -> Path | None:
        """The file, where it is on this machine already."""
        ...

    def fetch(self, entry: Entry, known: str) -> Path:
        """Bring the file here. `known`: the sha256 that it must have, "" for none."""
        ...


def run(order: dict[str, Any], tell: Tell) -> None:
    """Do what is ordered; says everything through `tell`, errors too."""
    line = Line(tell, order["keep_free"])
    remote: Remote = (Hub if order["kind"] == "hub" else Plain)(order, line)
    try:
        version, entries = line.retry(lambda _: remote.listing())
        _bring(order, line, remote, version, entries)
    except Exception as error:
        known = explained(error, order, remote.host)
        tell({"error": [known.code, known.params]})


def _bring(order: dict[str, Any], line: Line, remote: Remote, version: str, entries: list[Entry]) -> None:
    known: dict[str, str] = order["sha256"]
    chosen = (
        entries if order["kind"] == "address" else choose(entries, order["files"], order["variant"], order["model"])
    )
    for entry in chosen:
        if known.get(entry.name) and entry.sha256 and known[entry.name] != entry.sha256:
            raise StudioError("bad_hash", model=order["model"], file=entry.name)
    sizes = {entry.name: entry.size for entry in chosen}
    line.tell({"wanted": sizes, "version": version, "parts": [str(remote.part(entry)) for entry in chosen]})
    here = {entry.name: path for entry in chosen if (path := remote.have(entry)) is not None}
    missing = [entry for entry in chosen if entry.name not in here]
    line.total = sum(sizes.values()) if all(size for name, size in sizes.items() if name.endswith(WEIGHTS)) else 0
    for entry in chosen:
        line.at(entry.name, nbytes(here.get(entry.name) or remote.part(entry)))
    remote.disk.mkdir(parents=True, exist_ok=True)
    needed = sum(max(entry.size - nbytes(remote.part(entry)), 0) for entry in missing)
    require_space(remote.disk, needed, line.keep_free)
    line.say()
    pool = ThreadPoolExecutor(AT_ONCE)
    with line.saying():
        asked = {pool.submit(remote.fetch, entry, known.get(entry.name, "")): entry for entry in missing}
        for future in wait(asked, return_when=FIRST_EXCEPTION).done:
            order["file"] = asked[future].name
            here[asked[future].name] = future.result()
    line.total = sum(path.stat().st_size for path in here.values())
    line.say()
    line.tell({"files": {name: str(path) for name, path in here.items()}})


def explained(error: Exception, order: dict[str, Any], host: str) -> StudioError:
    """What a person is told."""
    model, repo, file = order["model"], order.get("repo", ""), order.get("file", "")
    match error:
        case StudioError(code="bad_hash"):
            return StudioError("bad_hash", model=model, file=error.params["file"])
        case StudioError():
            return error
        case BusyError(wait=seconds) if seconds:
            return StudioError("hub_busy", model=model, host=error.host, minutes=max(1, round(seconds / 60)))
        case GatedRepoError():
            return StudioError("gated", model=model, url=f"{order['endpoint']}/{repo}")
        case RevisionNotFoundError():
            return StudioError("version_gone", model=model, version=order["revision"][:12])
        case RemoteEntryNotFoundError():
            return StudioError("missing_files", model=model, file=file)
        case RepositoryNotFoundError():
            return StudioError("not_on_hub", repo=repo)
        case HfHubHTTPError() if error.response.status_code == 404 and "/api/models/" in str(error.response.url):
            return StudioError("not_on_hub", repo=repo)  # a mirror that does not name its reasons
        case HfHubHTTPError():
            status, there = error.response.status_code, urlsplit(str(error.response.url)).hostname or host
            return StudioError("refused", model=model, host=there, status=status)
        case httpx2.ProxyError() | httpx2.UnsupportedProtocol():
            return StudioError("proxy_refused", model=model, reason=str(error))
        case httpx2.ConnectError() if "CERTIFICATE_VERIFY" in str(error):
            return StudioError("bad_certificate", model=model, host=host)
        case httpx2.TooManyRedirects() | httpx2.DecodingError() | ValueError() | KeyError() | TypeError():
            return StudioError("not_a_hub", model=model, host=host)
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return StudioError("hub_unreachable", model=model, host=_asked(error) or host)
        case RuntimeError() if "client has been closed" in str(error):
            return StudioError("hub_unreachable", model=model, host=host)
        case httpx2.TransportError() | BusyError():
            return StudioError("hub_broken", model=model, host=_asked(error) or host)
        case OSError() if error.errno is not None and isinstance(error.filename, str):
            return disk_error(error, Path(error.filename))
    return StudioError("download_failed", model=model, reason=str(error).strip() or type(error).__name__)


def _asked(error: Exception) -> str:
    """The host that did not answer, which may be the file server behind the hub."""
    request = getattr(error, "_request", None)
    return str(request.url.host) if request is not None else getattr(error, "host", "")


def main() -> int:
    """The process. Exit code 0: whatever happened has been said."""
    out, sys.stdout = sys.stdout, sys.stderr
    lock = threading.Lock()
    order = json.loads(sys.stdin.readline())

    def tell(what: dict[str, Any]) -> None:
        with lock:
            out.write(json.dumps(what) + "\n")
            out.flush()

    def watch() -> None:
        sys.stdin.read()
        os._exit(1)  # nobody waits any more

    threading.Thread(target=watch, daemon=True).start()
    try:
        run(order, tell)
    finally:
        os._exit(0)  # not waiting for transfers beside the one that failed


if __name__ == "__main__":
    main()
