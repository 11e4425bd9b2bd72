"""Transfer of files over HTTP by the hub's own library, with waits that a person hears of and bytes that stay.

The library moves the bytes (plain or by Xet), goes on in the middle of a file and knows proxies, tokens and mirrors.
What it lacks for us is here: it forgets a transfer that was ended, it waits for minutes without a word, it takes a
damaged file as it came, and it gives up at a file server that refuses an address which has expired.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import certifi
import httpx2
from huggingface_hub import constants, set_client_factory
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import parse_ratelimit_headers

from studio.errors import StudioError
from studio.paths import disk_error, require_space
from studio.store.hub_cache import nbytes

T = TypeVar("T")
Tell = Callable[[dict[str, Any]], None]

WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each further attempt that brought no byte; after the last one it is an error."""
LONGEST_WAIT = 60.0
"""Seconds. A server that asks for more patience than this is told to the person instead."""
REFUSALS = 2
"""How often a signed address that a file server refuses is asked for anew."""
_UNREACHABLE = 2
"""Attempts at a server that takes no connection."""
_OFTEN = 0.1
constants.DOWNLOAD_CHUNK_SIZE = 1 << 16  # 10 MiB, the library's own, are lost whole where a connection breaks


class BusyError(Exception):
    """The server answered that it cannot now: a status of 408, 429 or 5xx; `wait` seconds if it said for how long."""

    def __init__(self, status: int, wait: float, host: str) -> None:
        super().__init__(f"{host} answers {status}")
        self.status, self.wait, self.host = status, wait, host


@dataclass(frozen=True, slots=True)
class Where:
    """An address of a file, and what the server says that it is.

    Attributes:
        size: bytes; 0 where unknown.
        digest: sha256 or git's sha1 of the content, hexadecimal; "" where unknown.
        xet: what `huggingface_hub` wants to know to fetch it by Xet; None where it cannot.
    """

    url: str
    size: int = 0
    digest: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    xet: Any = None


class Line:
    """What all transfers of one order share: the client, the waiting, and how far they are.

    Args:
        tell: hears ``{"at": [bytes done, bytes in all]}``, ``{"wait": seconds}``.
        keep_free: bytes of disk space to leave.
    """

    def __init__(self, tell: Tell, keep_free: int) -> None:
        self.tell, self.keep_free = tell, keep_free
        self.total = 0
        self._at: dict[str, int] = {}
        self.xet = not constants.HF_HUB_DISABLE_XET
        set_client_factory(self._client)

    def _client(self) -> httpx2.Client:
        trust = ssl.create_default_context()  # the system's certificates and SSL_CERT_FILE
        trust.load_verify_locations(certifi.where())
        return httpx2.Client(verify=trust, follow_redirects=True, event_hooks={"response": [_heard]})

    # ---- bytes

    def at(self, name: str, count: int) -> None:
        """`count` bytes of a file are here."""
        self._at[name] = count

    def say(self) -> None:
        """Tell how far it is."""
        self.tell({"at": [sum(self._at.copy().values()), self.total]})

    @contextmanager
    def saying(self) -> Iterator[None]:
        """Tell it all the time."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(_OFTEN):
                self.say()

        threading.Thread(target=run, daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def bring(self, name: str, target: Path, locate: Callable[[bool], Where], digest: str = "") -> None:
        """Fetch one file to `target`, going on from ``target.incomplete``; the name is its own once it is whole.

        Args:
            locate: asks where it is; True after an address was refused.
            digest: what it must be; without, what the server says.

        Raises:
            StudioError: no_space, disk_full, bad_hash. And what `retry` raises.
        """
        part = target.with_name(f"{target.name}.incomplete")
        target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):  # damaged bytes are fetched once more: more often than not the line was at fault
            where = self.retry(lambda refused: self._pull(name, part, locate, refused), part)
            wanted = digest or where.digest
            if not wanted or _digest(part, wanted) == wanted:
                os.replace(part, target)
                return
            part.unlink()
        raise StudioError("bad_hash", model="", file=name)

    def _pull(self, name: str, part: Path, locate: Callable[[bool], Where], refused: bool) -> Where:
        where = locate(refused)
        done = part.stat().st_size if part.exists() else 0
        if done and (not where.digest or (where.size and done > where.size)):
            part.unlink()  # nothing would tell whether two halves belong together
            done = 0
        require_space(part.parent, where.size - done if where.size else 0, self.keep_free)
        bar = _Bar(self, name, done, part.parent)
        try:
            with part.open("ab") as file:
                if where.xet is not None and self.xet and done < where.size:
                    try:
                        _by_xet(where, file, done, bar)
                        return where
                    except Exception as error:
                        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                            raise
                        self.xet = False  # no token, no storage server, a proxy that it does not get through
                        file.flush()
                        done = os.fstat(file.fileno()).st_size
                        bar.count = done
                known = where.size or None
                http_get(
                    where.url, file, resume_size=done, headers=dict(where.headers), expected_size=known,
                    displayed_filename=name, _nb_retries=0, _tqdm_bar=bar,  # pyright: ignore[reportArgumentType]
                )  # fmt: skip
        except HfHubHTTPError as error:
            if error.response.status_code != 416:
                raise
            if error.response.headers.get("content-range", "") != f"bytes */{done}":  # else that was all of it
                part.unlink()
                raise httpx2.RemoteProtocolError("the server knows a shorter file") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                part.unlink(missing_ok=True)  # a full disk stops everything else on this machine too
                raise disk_error(error, part) from error
            raise
        return where

    # ---- patience

    def retry(self, call: Callable[[bool], T], part: Path | None = None) -> T:
        """Call until it works, waiting in between for as long as the server asks or a little longer each time.

        Args:
            call: hears whether a file server has just refused its address.
            part: a file; where it grew, the patience begins anew.

        Raises:
            What the last call raised; BusyError where the server asks for more than LONGEST_WAIT.
        """
        failed = refused = 0
        moved = False
        while True:
            before = nbytes(part)
            try:
                return call(refused > 0)
            except Exception as error:
                if nbytes(part) > before:
                    failed, moved = 0, True
                refused += _refused_elsewhere(error)
                wait = error.wait if isinstance(error, BusyError) else 0.0
                if failed >= _patience(error, moved, refused) or wait > LONGEST_WAIT:
                    raise
                wait = wait or WAITS[failed]
                failed += 1
            self.tell({"wait": wait})
            time.sleep(wait)


_PASSING = ("Consistency check", "client has been closed")
"""What the library says of a file that changed under it; and of its connections, which it closes for all files at once
where one of them fails."""


def _patience(error: Exception, moved: bool, refused: int) -> int:
    """How many attempts without a byte follow one that ended like this.

    Args:
        moved: bytes have come from there before. refused: how often a file server has refused its address.
    """
    if isinstance(error, (httpx2.ProxyError, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)):
        return 0
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)):
        return 0 if "CERTIFICATE_VERIFY" in str(error) else len(WAITS) if moved else _UNREACHABLE
    if _refused_elsewhere(error):
        return len(WAITS) if refused <= REFUSALS else 0
    passing = isinstance(error, (BusyError, httpx2.TransportError)) or any(one in str(error) for one in _PASSING)
    return len(WAITS) if passing else 0


class _Bar:
    """What the library takes for a progress bar."""

    def __init__(self, line: Line, name: str, count: int, folder: Path) -> None:
        self._line, self._name, self._folder = line, name, folder
        self.count = self._checked = count
        line.at(name, count)

    def update(self, more: float | None = 1) -> None:
        self.count += int(more or 0)
        if self.count - self._checked > 64 << 20:
            self._checked = self.count
            require_space(self._folder, 0, self._line.keep_free)
        self._line.at(self._name, self.count)


def _heard(response: httpx2.Response) -> None:
    """Look at every answer before the library does: it would wait for minutes, and nobody would know."""
    status = response.status_code
    if status in (408, 429) or status >= 500:
        limit = parse_ratelimit_headers(response.headers) if status == 429 else None
        told = response.headers.get("retry-after", "")
        wait = float(told) if told.isdecimal() else 0.0
        if limit is not None and limit.remaining == 0:
            wait = limit.reset_in_seconds + 1.0  # as the library does: the limit is told in whole seconds
        raise BusyError(status, wait, response.url.host)


def _by_xet(where: Where, file: Any, done: int, bar: _Bar) -> None:
    """The rest of a file in order by Xet, which opens as many connections as the line takes."""
    from hf_xet import XetFileInfo  # pyright: ignore[reportAttributeAccessIssue]
    from huggingface_hub.utils._xet import get_xet_session, refresh_xet_connection_info, xet_headers_without_auth

    headers = dict(where.headers)
    told = refresh_xet_connection_info(file_data=where.xet, headers=headers)
    group = get_xet_session().new_download_stream_group(
        endpoint=told.endpoint, token=told.access_token, token_expiry_unix_secs=told.expiration_unix_epoch,
        token_refresh_url=where.xet.refresh_route, token_refresh_headers=headers,
        custom_headers=xet_headers_without_auth(headers),
    )  # fmt: skip
    for chunk in group.download_stream(XetFileInfo(where.xet.file_hash, where.size), start=done):
        file.write(chunk)
        bar.update(len(chunk))
    if bar.count != where.size:
        raise httpx2.RemoteProtocolError("the storage server ended early")


def _refused_elsewhere(error: Exception) -> bool:
    """A file server has refused, which is not the hub: that one names the reason, or answers for a repository."""
    if not isinstance(error, HfHubHTTPError) or error.response.status_code not in (400, 401, 403, 404, 410):
        return False
    path = urlsplit(str(error.response.url)).path
    return "/resolve/" not in path and "/api/" not in path


def _digest(path: Path, like: str) -> str:
    """The file's sha256; git's name of its content where `like` is as long as that one."""
    with path.open("rb") as file:
        if len(like) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest()
        name = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        while block := file.read(1 << 20):
            name.update(block)
        return name.hexdigest()


def adopt(old: Path, part: Path) -> None:
    """Go on from what an earlier version of the studio left of a file."""
    if old.is_file() and not part.exists():
        part.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(old, part)
