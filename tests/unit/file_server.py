"""A small file server whose misbehaviour a test chooses: cuts, refusals, ignored ranges, waiting for a sign."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class FileServer(ThreadingHTTPServer):
    """Serves `files` (path -> bytes) on a free port of this machine.

    Attributes:
        ranges: answer Range requests; else send the whole file, as some servers do.
        cuts: how many bytes to send before the connection breaks, one entry an answer; None sends all.
        statuses: status codes to answer with first, one a request, with `headers`.
        redirects: path -> another address.
        refused: paths answered with 401, for the user agents that start with `refused_agent`.
        held, held_at: answers for paths with this ending wait for `gate` after so many bytes.
        requests: (path, Range header, User-Agent, Authorization) of each request for a file.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.cuts: list[int | None] = []
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.redirects: dict[str, str] = {}
        self.refused: set[str] = set()
        self.refused_agent = ""
        self.gate = threading.Event()
        self.held = " "
        self.held_at = 0
        self.requests: list[tuple[str, str, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def asked(self, path: str) -> list[str]:
        """The Range headers of the requests for `path`."""
        return [asked for found, asked, *_ in self.requests if found == path and asked != "HEAD"]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of these tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        server, path = self.server, urlsplit(self.path).path
        asked, agent = self.headers.get("Range", ""), self.headers.get("User-Agent", "")
        server.requests.append((path, asked, agent, self.headers.get("Authorization", "")))
        if server.statuses:
            self._answer(server.statuses.pop(0), b"")
        elif path in server.refused and agent.startswith(server.refused_agent):
            self._answer(401, b"")
        elif path in server.redirects:
            self._answer(302, b"", {"Location": server.redirects[path]})
        elif path not in server.files:
            self._answer(404, b"")
        else:
            self._file(server.files[path], asked)

    def do_HEAD(self) -> None:
        """What the hub says of a file of /OWNER/NAME/resolve/COMMIT/FILE."""
        path = urlsplit(self.path).path
        before, _, after = path.partition("/resolve/")
        revision, _, name = after.partition("/")
        known = [
            known
            for known in self.server.files
            if known.startswith(f"{before}/resolve/") and known.endswith(f"/{name}")
        ]
        if revision != "main":
            known = [one for one in known if one == path]
        self.server.requests.append(
            (path, "HEAD", self.headers.get("User-Agent", ""), self.headers.get("Authorization", ""))
        )
        if not known or path in self.server.refused:
            return self._answer(
                403 if path in self.server.refused else 404,
                b"",
                {"X-Error-Code": "GatedRepo" if known else "EntryNotFound"},
            )
        body = self.server.files[known[-1]]
        git = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        self.send_response(200)
        for key, value in {
            "ETag": f'"{hashlib.sha256(body).hexdigest() if len(body) > 1000 else git}"',
            "Content-Length": str(len(body)),
            "X-Repo-Commit": known[-1].partition("/resolve/")[2].partition("/")[0],
        }.items():  # fmt: skip
            self.send_header(key, value)
        self.end_headers()
        return None

    def _file(self, body: bytes, asked: str) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", asked) if self.server.ranges else None
        start = int(match[1]) if match else 0
        if start >= len(body) > 0:
            self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        elif match:
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._answer(206, body[start:], {"Content-Range": span}, cut=True)
        else:
            self._answer(200, body, cut=True)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: bool = False) -> None:
        self.send_response(status)
        kind = "text/html" if body[:1] == b"<" else "application/octet-stream"
        for name, value in {"Content-Type": kind, **(headers or self.server.headers)}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        until = self.server.cuts.pop(0) if cut and self.server.cuts else None
        sent = body if until is None else body[:until]
        if self.path.endswith(self.server.held):
            self.wfile.write(sent[: self.server.held_at])
            sent = sent[self.server.held_at :]
            self.server.gate.wait(30)
        self.wfile.write(sent)
        if until is not None and until < len(body):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[FileServer]:
    """A running server; closed at the end."""
    server = FileServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()
