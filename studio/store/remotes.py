"""Remotes that files come from: the hub or a mirror of it, ModelScope, and the plain address of a wheel."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import WeakFileLock, build_hf_headers, get_session, hf_raise_for_status

from studio.errors import StudioError
from studio.store import hub_cache
from studio.store.transfer import Line, Where, adopt
from studio.store.wanted import Entry

MODELSCOPE = "https://modelscope.cn"
"""Its addresses below were taken from programs that use them; none could be asked."""
_FRESH = {"Cache-Control": "no-cache"}
_TIMEOUT = 15.0


class Hub:
    """The hub, or whatever answers like it at `order["endpoint"]`. Files go into the cache of the hub's library."""

    def __init__(self, order: dict[str, Any], line: Line) -> None:
        self.repo, self.endpoint, self.line = order["repo"], order["endpoint"], line
        self.host = urlsplit(self.endpoint).netloc
        self.place, self.wish, self.commit = Path(order["place"]), order["revision"], ""
        self.token: bool | None = None
        self.told: dict[str, Any] = {}
        self.cache = self.disk = hub_cache.place()
        self.blobs = hub_cache.folder(self.repo) / "blobs"

    def listing(self) -> tuple[str, list[Entry]]:
        address = f"{self.endpoint}/api/models/{self.repo}" + (f"/revision/{self.wish}" if self.wish else "")
        told = get_session().get(
            address, params={"blobs": True}, headers=build_hf_headers(token=self.token), timeout=_TIMEOUT
        )
        try:
            hf_raise_for_status(told)
        except HfHubHTTPError as error:
            if not self._refused_token(error):
                raise
            return self.listing()
        answer = self.told = (
            told.json()
        )  # not `HfApi.model_info`, which wants every field that the hub has of mirrors too
        self.commit, entries = str(answer["sha"]), [_entry(one) for one in answer["siblings"]]
        if not entries or len(self.commit) != 40 or (self.wish and self.commit != self.wish):
            raise ValueError("no list of files, or that of another version")
        return self.commit, entries

    def part(self, entry: Entry) -> Path:
        old = self.place / f"{entry.name}.part"  # of an earlier version of the studio
        return old if old.is_file() else self.blobs / f"{entry.sha256 or entry.git_sha1}.incomplete"

    def have(self, entry: Entry) -> Path | None:
        cached = hub_cache.folder(self.repo) / "snapshots" / self.commit / entry.name
        for path in (self.place / entry.name, cached):
            if path.is_file() and (not entry.size or path.stat().st_size == entry.size):
                return path
        return None

    def fetch(self, entry: Entry, known: str) -> Path:
        digest = known or entry.sha256
        blob = digest or self.line.retry(lambda _: self._locate(entry)).digest
        target = self.blobs / blob
        adopt(self.place / f"{entry.name}.part", target.with_name(f"{blob}.incomplete"))
        lock = self.cache / ".locks" / self.blobs.parent.name / f"{blob}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if entry.size and target.exists() and target.stat().st_size != entry.size:
                target.unlink()  # somebody cut it short
            if not target.exists():
                self.line.bring(entry.name, target, lambda refused: self._locate(entry, refused), digest)
        return Path(self.line.retry(lambda _: self._link(entry)))

    def _locate(self, entry: Entry, refused: bool = False) -> Where:
        """Ask the hub where the file is; a mirror that keeps addresses for too long is told not to."""
        url = hf_hub_url(self.repo, entry.name, revision=self.commit, endpoint=self.endpoint)
        try:
            told = get_hf_file_metadata(
                url, token=self.token, timeout=_TIMEOUT, endpoint=self.endpoint, headers=_FRESH if refused else None
            )
        except HfHubHTTPError as error:
            if not self._refused_token(error):
                raise
            return self._locate(entry, refused)
        headers = build_hf_headers(token=self.token, headers=_FRESH if refused else None)
        if urlsplit(told.location).netloc != self.host:
            headers.pop("authorization", None)  # what stands behind the hub has no business with it
        digest = told.etag or ""
        if len(digest) not in (40, 64):
            digest = entry.git_sha1
        return Where(told.location, told.size or entry.size, digest, headers, told.xet_file_data)

    def _link(self, entry: Entry) -> str:
        """Have the library put the finished file where every program looks for it."""
        about = {"cache_dir": self.cache, "endpoint": self.endpoint, "token": self.token}
        path = hf_hub_download(self.repo, entry.name, revision=self.commit, **about)
        if not self.wish and hub_cache.newest(self.repo) != self.commit:
            hf_hub_download(self.repo, entry.name, **about)  # notes that this commit is the newest
        return path

    def _refused_token(self, error: HfHubHTTPError) -> bool:
        """Whether a token was sent that is none: it is left out from now on, which is said once."""
        refused = self.token is None and error.response.status_code == 401
        refused = refused and "Invalid credentials" in error.response.headers.get("X-Error-Message", "")
        if refused:
            self.token = False
            self.line.tell({"note": "token_refused"})
        return refused


class Plain:
    """Files at plain addresses, put into a folder: those of a repository at modelscope.cn, or a single wheel."""

    def __init__(self, order: dict[str, Any], line: Line) -> None:
        self.order, self.line = order, line
        self.place = self.disk = Path(order["place"])
        self.host = urlsplit(order["endpoint"]).netloc

    def listing(self) -> tuple[str, list[Entry]]:
        repo = self.order.get("repo")
        if not repo:
            return "", [Entry(self.order["name"], 0, self.order["digest"])]
        address = f"{self.order['endpoint']}/api/v1/models/{repo}/repo/files?Revision=master&Recursive=true"
        answer = get_session().get(address, timeout=_TIMEOUT)
        if answer.status_code == 404:
            raise StudioError("not_on_modelscope", repo=repo)
        hf_raise_for_status(answer)
        files = [one for one in answer.json()["Data"]["Files"] if one.get("Type") != "tree"]
        entries = [Entry(str(one["Path"]), int(one["Size"]), str(one.get("Sha256") or "")) for one in files]
        names = "\n".join(f"{one.name} {one.size} {one.sha256}" for one in sorted(entries, key=lambda one: one.name))
        return f"modelscope-{hashlib.sha256(names.encode()).hexdigest()[:16]}", entries

    def part(self, entry: Entry) -> Path:
        return self.place / f"{entry.name}.incomplete"

    def have(self, entry: Entry) -> Path | None:
        path = self.place / entry.name
        return path if path.is_file() and (not entry.size or path.stat().st_size == entry.size) else None

    def fetch(self, entry: Entry, known: str) -> Path:
        repo, url = self.order.get("repo"), self.order["endpoint"]
        url = f"{url}/models/{repo}/resolve/master/{quote(entry.name)}" if repo else url
        where = Where(url, entry.size, entry.sha256)
        self.line.bring(entry.name, self.place / entry.name, lambda _: where, known or entry.sha256)
        return self.place / entry.name


def _entry(told: dict[str, Any]) -> Entry:
    """A file of the hub's list, of which a mirror may leave out everything but the name."""
    large = told.get("lfs") or {}
    size = int(large.get("size") or told.get("size") or 0)
    git = "" if large else str(told.get("blobId") or "")
    return Entry(str(told["rfilename"]), size, str(large.get("sha256") or ""), git)
