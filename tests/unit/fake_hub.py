"""A hub on this machine with the behaviours that break downloads: the repository's name says which.

One server is the hub (127.0.0.1), another the file server behind it (localhost, so that addresses lead to another
host); a third answers as ModelScope does. It speaks what the hub's library asks for: lists, HEAD with the commit, the
ETag and the linked file's size and ETag; and it has no tokens for Xet, so that plain HTTP is used.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT, NEWER = hashlib.sha1(b"commit").hexdigest(), "b" * 40
WEIGHTS = bytes(range(256)) * 8192  # 2 MiB
FILES = {
    "config.json": b'{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "note": "%s"}' % (b"x" * 1900),
    "tokenizer.json": b'{"version": "1.0"}\n' * 2000,
    "empty.txt": b"",
    "model.safetensors": WEIGHTS,
}
_LARGE = 1 << 18
_SHOWN = {
    "binonly": {"config.json": FILES["config.json"], "pytorch_model.bin": WEIGHTS},
    "two": {"q4.gguf": WEIGHTS, "q8.gguf": WEIGHTS[::-1]},
}


class FakeHub:
    """The three servers.

    Attributes:
        requests: (method, path, Range, whether with a token) of everything that was asked.
        files: what every repository holds, unless its case says otherwise.
        gate: the file server waits for it in the middle of the weights of `held`.
        patience: seconds that a busy hub asks for. born: when it was first asked; it is down for `down` seconds.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, bool]] = []
        self.count: Counter[tuple[str, str]] = Counter()
        self.files: dict[str, bytes] = dict(FILES)
        self.gate = threading.Event()
        self.patience, self.born, self.down = 1, 0.0, 2.0
        self.newest = COMMIT
        self._hub, self._cdn, self._scope = (_Server(kind, self) for kind in (_Hub, _Cdn, _Scope))
        self._closed = socket.socket()  # bound and not listening: nobody else gets the port
        self._closed.bind(("127.0.0.1", 0))
        self._stuck = socket.socket()
        self._stuck.bind(("127.0.0.1", 0))
        self._stuck.listen(0)
        self._held = [self._knock() for _ in range(3)]
        self.url = f"http://127.0.0.1:{self._hub.server_port}"
        self.scope = f"http://127.0.0.1:{self._scope.server_port}"
        self.cdn = f"localhost:{self._cdn.server_port}"
        self.dead = f"localhost:{self._closed.getsockname()[1]}"
        self.stuck = f"127.0.0.1:{self._stuck.getsockname()[1]}"

    def _knock(self) -> socket.socket:
        """A connection that fills the backlog, so that the next one hangs."""
        one = socket.socket()
        one.setblocking(False)
        with suppress(BlockingIOError):
            one.connect(self._stuck.getsockname())
        return one

    def shown(self, case: str) -> dict[str, bytes]:
        return _SHOWN.get(case, self.files)

    def asked(self, part: str, method: str = "GET") -> list[str]:
        """The Range headers of the requests whose address holds `part`."""
        return [span for found, path, span, _ in self.requests if part in path and found == method]

    def start(self) -> None:
        for server in (self._hub, self._cdn, self._scope):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.gate.set()
        for server in (self._hub, self._cdn, self._scope):
            server.shutdown()
            server.server_close()
        for one in (self._closed, self._stuck, *self._held):
            one.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, kind: type[BaseHTTPRequestHandler], world: FakeHub) -> None:
        super().__init__(("127.0.0.1", 0), kind)
        self.world = world

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of these tests."""


class _Base(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.world = self.server.world
        self.token = bool(self.headers.get("Authorization"))
        self.span = self.headers.get("Range", "")
        self.world.requests.append((self.command, self.path, self.span, self.token))
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.answer([unquote(part) for part in url.path.strip("/").split("/")])

    def answer(self, parts: list[str]) -> None:
        raise NotImplementedError

    def nth(self, what: str, *of: str) -> int:
        """Which time it is."""
        self.world.count[what, "/".join(of)] += 1
        return self.world.count[what, "/".join(of)]

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def part(self, data: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Status, bytes and headers for a request that may ask for a part."""
        if not self.span:
            return 200, data, {}
        start = int(self.span[6:].split("-")[0])
        if start >= len(data):
            return 416, b"", {"Content_Range": f"bytes */{len(data)}"}
        return 206, data[start:], {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}


class _Hub(_Base):
    def answer(self, parts: list[str]) -> None:
        if parts[:2] == ["api", "models"] and parts[4:5] == ["tree"]:
            return self.tree(parts[3])
        if parts[:2] == ["api", "models"] and parts[4:5] != ["xet-read-token"]:
            return self.listing(parts[3], parts[4:])
        if len(parts) > 4 and parts[2] == "resolve":
            return self.resolve(parts[1], parts[3], "/".join(parts[4:]))
        if parts[:2] == ["api", "resolve-cache"]:
            return self.small(parts[4], "/".join(parts[6:]))
        return self.send(404, b"Not found")

    def listing(self, case: str, rest: list[str]) -> None:
        n, limited = self.nth("list", case), f'"api";r=0;t={self.world.patience - 1}'
        answer: dict[str, Any] = {
            "old": (307, {"Location": f"/api/models/case/new{'/' + '/'.join(rest) if rest else ''}?blobs=true"}),
            "nosuch": (401, {"X_Error_Code": "RepoNotFound", "X_Error_Message": "Invalid username or password."}),
            "loop": (302, {"Location": self.path}),
        }
        if case in answer:
            return self.send(answer[case][0], b"{}", **answer[case][1])
        if case == "mirror308":
            return self.send(308, Location=f"{self.world.url}/api/models/case/plain?blobs=true")
        if case in ("badtoken", "revoked") and self.token:
            return self.send(401, X_Error_Message="Invalid credentials in Authorization header")
        if case == "revoked":
            return self.send(401, X_Error_Code="RepoNotFound")
        if case == "rate_list" and n == 1:
            return self.send(429, RateLimit=limited, RateLimit_Policy='"fixed window";"api";q=500;w=300')
        if case == "gone" and rest == ["revision", COMMIT]:
            return self.send(404, X_Error_Code="RevisionNotFound")
        body = json.dumps(self.about(case)).encode()
        if case in ("gzip", "badgzip"):
            body = gzip.compress(body)
            body = body if case == "gzip" else body[:-30] + b"x" * 30
            return self.send(200, body, Content_Type="application/json", Content_Encoding="gzip")
        if case == "html":
            return self.send(200, b"<html>Please log in to the hotel network</html>", Content_Type="text/html")
        return self.send(200, body, Content_Type="application/json")

    def tree(self, case: str) -> None:
        """The list that the library itself asks for."""
        found = []
        for name, data in self.world.shown(case).items():
            one: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": blob(data)}
            if len(data) > _LARGE:
                one["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
            found.append(one)
        return self.send(200, json.dumps(found).encode(), Content_Type="application/json")

    def about(self, case: str) -> dict[str, Any]:
        siblings = []
        for name, data in self.world.shown(case).items():
            one: dict[str, Any] = {"rfilename": name}
            if case not in ("noblobs", "noblobs_slow"):
                one |= {"size": len(data), "blobId": blob(data)}
                if len(data) > _LARGE and case != "nolfs":
                    one["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 134}
            siblings.append(one)
        sha = NEWER if case == "gone" else self.world.newest
        licence = {"cardData": {"license": "mit"}, "tags": ["license:mit"]}
        return {"_id": "x", "id": f"case/{case}", "sha": sha, "private": False, "siblings": siblings, **licence}

    def resolve(self, case: str, revision: str, name: str) -> None:
        world, data = self.world, self.world.shown(case).get(name)
        n, large = self.nth("resolve", case, name), name.startswith("model")
        if case == "old":
            return self.send(307, Location=f"/case/new/resolve/{revision}/{name}")
        if case == "mirror308":
            return self.send(308, Location=f"{world.url}/case/plain/resolve/{revision}/{name}")
        if data is None:
            return self.send(404, X_Error_Code="EntryNotFound")
        if case == "gated":
            return self.send(403 if self.token else 401, X_Error_Code="GatedRepo")
        if case == "badtoken" and self.token:
            return self.send(401, X_Error_Message="Invalid credentials in Authorization header")
        limit = {"RateLimit": f'"resolvers";r=0;t={world.patience - 1}'}
        limit["RateLimit_Policy"] = '"fixed window";"resolvers";q=3000;w=300'
        world.born = world.born or time.monotonic()
        down = time.monotonic() - world.born < world.down
        busy = {
            "rate_hint": (n == 1, 429, limit), "rate_window": (down, 429, limit),
            "retry_after": (n == 1, 429, {"Retry_After": str(world.patience)}),
            "retry_long": (True, 429, {"Retry_After": "120"}), "down20": (down, 503, {}), "http408": (n == 1, 408, {}),
        }  # fmt: skip
        if large and case in busy and busy[case][0]:
            return self.send(busy[case][1], **busy[case][2])
        commit = revision if len(revision) == 40 else world.newest
        if len(data) <= _LARGE:
            there = f"/api/resolve-cache/models/case/{case}/{commit}/{name}?etag=x"
            return self.send(307, Location=there, X_Repo_Commit=commit)
        stale = case == "cachedurl" and "no-cache" not in self.headers.get("Cache-Control", "")
        host = {"deadcdn": world.dead, "stuckcdn": world.stuck}.get(case, world.cdn)
        host = world.stuck if case == "flakycdn" and n <= 1 else host
        signed = "1.0" if stale else f"{time.time():.3f}"
        there = f"http://{host}/files/{case}/{name}?X-Amz-Date={signed}&X-Amz-Signature=abc"
        return self.send(
            302, Location=there, X_Repo_Commit=commit, X_Linked_Size=str(len(data)), X_Linked_ETag=f'"{sha256(data)}"',
            X_Xet_Hash="f" * 64, X_Xet_Refresh_Route=f"{world.url}/api/models/case/{case}/xet-read-token/{commit}",
        )  # fmt: skip

    def small(self, case: str, name: str) -> None:
        data = self.world.shown(case)[name]
        about = {"ETag": f'"{blob(data)}"', "X_Repo_Commit": self.path.split("/")[6]}
        if case == "gzip" and "gzip" in self.headers.get("Accept-Encoding", "") and not self.span:
            return self.send(200, gzip.compress(data), Content_Encoding="gzip", **about)
        status, body, headers = self.part(data)
        return self.send(status, body, **about, **headers)


class _Cdn(_Base):
    def answer(self, parts: list[str]) -> None:
        _, case, name = parts[0], parts[1], "/".join(parts[2:])
        data, n = self.world.shown(case)[name], self.nth("cdn", case)
        if self.token:
            return self.send(400, b"<Error>Only one auth mechanism allowed</Error>")
        signed = float(self.query["X-Amz-Date"][0])
        denied = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        late = case == "expiring" and time.time() - signed > 0.3
        if late or (case == "cdn403" and n == 1) or case == "always403" or (case == "cachedurl" and signed == 1.0):
            return self.send(403, denied, Content_Type="application/xml")
        if case == "norange":
            self.span = ""
        status, rest, headers = self.part(data)
        if (case == "corrupt" and n == 1) or case == "alwayscorrupt":
            rest = rest[:-1] + bytes([rest[-1] ^ 1])
        if status == 416:
            return self.send(416, **headers)
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(rest))}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        return self.body(case, n, rest)

    def body(self, case: str, n: int, rest: bytes) -> None:
        cuts = {"truncated": n <= 2, "norange": n <= 2, "expiring": n <= 1, "cutoften": len(rest) > 1 << 19}
        if cuts.get(case):
            if case == "expiring":
                time.sleep(0.4)
            self.wfile.write(rest[: 1 << 19])
            self.close_connection = True
        elif case in ("held", "trickle"):
            self.wfile.write(rest[: 1 << 20])
            self.wfile.flush()
            self.world.gate.wait(30)
            self.wfile.write(rest[1 << 20 :])
        else:
            self.wfile.write(rest)


class _Scope(_Base):
    """modelscope.cn, as programs that use it ask."""

    def answer(self, parts: list[str]) -> None:
        if parts[:3] == ["api", "v1", "models"] and parts[5:] == ["repo", "files"]:
            if parts[4] == "nosuch":
                return self.send(404, b'{"Code": 404}')
            shown = self.world.shown(parts[4])
            files = [
                {"Path": name, "Size": len(data), "Sha256": sha256(data), "Type": "blob"}
                for name, data in shown.items()
            ]
            folder = {"Path": "assets", "Size": 0, "Type": "tree"}
            return self.send(200, json.dumps({"Code": 200, "Data": {"Files": [folder, *files]}}).encode())
        status, body, headers = self.part(self.world.shown(parts[2])["/".join(parts[5:])])
        return self.send(status, body, **headers)


def blob(data: bytes) -> str:
    """Git's name of a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def serving_hub() -> Iterator[FakeHub]:
    """A running fake hub; closed at the end."""
    hub = FakeHub()
    hub.start()
    try:
        yield hub
    finally:
        hub.close()
