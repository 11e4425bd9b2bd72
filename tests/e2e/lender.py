"""Lender of a card as ZeroGPU's device API is, for the real package `spaces`: who asked for how long, and for whom."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

LAUNCHER = """
import runpy, sys
from dataclasses import replace
sys.modules["torch"] = None  # the package patches torch's CUDA, which a build for processors does not have
from studio.catalog import catalog
cards = catalog._demo_cards
catalog._demo_cards = lambda: tuple(replace(card, options={"step_seconds": 0.02}) for card in cards())
runpy.run_path("app.py", run_name="__main__")
"""


class Lender:
    """The API on a port of its own, until the `with` block ends.

    Attributes:
        calls: path and parameters of each call. left: seconds of quota; a call that asks for more is refused.
    """

    def __init__(self) -> None:
        lender = self
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.left = 1000

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                url = urlsplit(self.path)
                asked = {name: values[0] for name, values in parse_qs(url.query).items()}
                lender.calls.append((url.path, asked))
                self.rfile.read(int(self.headers.get("content-length") or 0))
                status, answer = lender.answer(url.path, asked)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """It is in `calls`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, dict[str, object]]:
        if path != "/schedule":
            return 200, {}
        if int(asked["durationSeconds"]) > self.left:
            return 429, {"left": self.left, "wait": 3600}
        return 200, {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}

    def paths(self) -> list[str]:
        return [path for path, _ in self.calls]

    def asked(self) -> list[dict[str, str]]:
        """The parameters of each call that wanted the card."""
        return [asked for path, asked in self.calls if path == "/schedule"]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
