"""Models from the Hugging Face hub: what a repository holds, which of it is wanted, which version is meant.

Files are fetched by our own downloader, one at a time into a plain folder, because it stops at once when the
person does and resumes by hash; the hub's library tells the person's token. Never asks for a pickle.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from studio.catalog.card import PICKLES, Card
from studio.errors import StudioError
from studio.paths import Home, require_space, write
from studio.store.download import DownloadError, RefusedError, Wanted, download, explained, fetch_bytes

WANTED = (".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken")
"""What a card that names no files gets: weights, configurations and tokenizers."""
SIDE_FOLDERS = {"onnx", "openvino", "coreml", "original", "metal", "gguf", "flax", "runs", "assets", "examples"}
_VARIANT = re.compile(r"\.(fp16|fp32|bf16|ema|non_ema|int8|fp8)[.-]")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a repository."""

    name: str
    size: int
    sha256: str
    git_sha1: str


def endpoint() -> str:
    """The hub's address: HF_ENDPOINT, for a mirror, or the public one."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def commit(home: Home, card: Card) -> str:
    """The version that loads use: the card's own, or the one locked at the first download; "" before that."""
    return card.source.revision or _locks(home).get(card.source.repo, "")


def folder(home: Home, card: Card) -> Path:
    """Where the card's files lie, or would lie."""
    return home.models / "hub" / card.source.repo.replace("/", "--") / (commit(home, card) or "unknown")


def unlock(home: Home, card: Card) -> None:
    """Forget the locked version, so that the next download takes the newest."""
    locks = _locks(home)
    if locks.pop(card.source.repo, ""):
        _save_locks(home, locks)


def fetch(
    home: Home, card: Card, progress: Callable[[int, int], None], cancelled: Callable[[], bool], keep_free: int
) -> dict[str, int]:
    """Bring the card's files into `folder(home, card)`. Returns their names and sizes.

    Raises:
        StudioError: offline, gated, not_on_hub, missing_files, bad_hash, download_failed, no_space, disk_full.
        Cancelled: the person stopped it; what is there stays.
    """
    wanted_commit, entries = listing(card, commit(home, card), cancelled)
    chosen = choose(entries, card)
    if not commit(home, card):
        _save_locks(home, {**_locks(home), card.source.repo: wanted_commit})
    place = folder(home, card)
    place.mkdir(parents=True, exist_ok=True)
    there = {entry.name for entry in chosen if _whole(place / entry.name, entry.size)}
    total = sum(entry.size for entry in chosen)
    done = sum(entry.size for entry in chosen if entry.name in there)
    parts = (place / f"{entry.name}.part" for entry in chosen if entry.name not in there)
    require_space(place, total - done - sum(part.stat().st_size for part in parts if part.exists()), keep_free)
    progress(done, total)
    for entry in chosen:
        if entry.name in there:
            continue
        known = card.source.sha256.get(entry.name, "")
        if known and entry.sha256 and known != entry.sha256:
            raise StudioError("bad_hash", model=card.title, file=entry.name)
        url = f"{endpoint()}/{card.source.repo}/resolve/{wanted_commit}/{quote(entry.name)}"
        wanted = Wanted(url, entry.size, known or entry.sha256, entry.git_sha1, _authorization())

        def report(count: int, _: int, before: int = done) -> None:
            progress(before + count, total)

        try:
            download(wanted, place / entry.name, progress=report, cancelled=cancelled, keep_free=keep_free)
        except DownloadError as error:
            raise _explained(error, card, entry.name) from error
        done += entry.size
    return {entry.name: (place / entry.name).stat().st_size for entry in chosen}


def listing(card: Card, revision: str, cancelled: Callable[[], bool]) -> tuple[str, list[Entry]]:
    """The commit that `revision` (or "", the newest) is, and all files of it."""
    address = f"{endpoint()}/api/models/{card.source.repo}" + (f"/revision/{revision}" if revision else "")
    try:
        body = fetch_bytes(Wanted(f"{address}?blobs=true", headers=_authorization()), cancelled)
    except DownloadError as error:
        raise _explained(error, card, card.source.repo) from error
    try:
        answer = json.loads(body)
        entries = [
            Entry(
                name=str(file["rfilename"]),
                size=int((file.get("lfs") or {}).get("size") or file.get("size") or 0),
                sha256=str((file.get("lfs") or {}).get("sha256") or ""),
                git_sha1="" if file.get("lfs") else str(file.get("blobId") or ""),
            )
            for file in answer["siblings"]
        ]
        found = str(answer["sha"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StudioError("download_failed", model=card.title, reason=f"{endpoint()} gave no list of files") from None
    if not _COMMIT.fullmatch(found) or (revision and found != revision):
        raise StudioError("download_failed", model=card.title, reason=f"{endpoint()} answers with another version")
    return found, [entry for entry in entries if _harmless(entry.name)]


def choose(entries: Iterable[Entry], card: Card) -> list[Entry]:
    """The files that `card` wants, small ones first, so that a wrong configuration shows early.

    A card without `files` gets the weights in safetensors of one precision (`options.variant`, else the plain
    ones) with configurations and tokenizers; of a pipeline only its parts, not the all-in-one file beside them.
    """
    by_name = {entry.name: entry for entry in entries}
    patterns = card.source.files
    if patterns:
        names = {name for name in by_name if any(fnmatchcase(name, pattern) for pattern in patterns)}
        for pattern in patterns:
            if not any(sign in pattern for sign in "*?[") and pattern not in names:
                raise StudioError("missing_files", model=card.title, file=pattern)
    else:
        names = _usual(by_name, str(card.options.get("variant", "")))
    if not any(name.endswith((".safetensors", ".gguf")) for name in names):
        raise StudioError("missing_files", model=card.title, file="*.safetensors")
    return sorted((by_name[name] for name in names), key=lambda entry: (entry.size, entry.name))


def _usual(by_name: Iterable[str], variant: str) -> set[str]:
    names = {name for name in by_name if name.endswith(WANTED) and not SIDE_FOLDERS & set(name.split("/")[:-1])}
    weights = {name for name in names if name.endswith(".safetensors")}
    if "model_index.json" in names:
        names -= {name for name in weights if "/" not in name}
    if any(not PurePosixPath(name).name.startswith("consolidated") for name in weights):
        names -= {name for name in weights if PurePosixPath(name).name.startswith("consolidated")}
    for parent in {PurePosixPath(name).parent for name in names & weights}:
        here = {name for name in names & weights if PurePosixPath(name).parent == parent}
        marked = {name: match[1] for name in here if (match := _VARIANT.search(PurePosixPath(name).name))}
        meant = {name for name, mark in marked.items() if mark == variant}
        names -= here - (meant or here - set(marked) or here)
    return names


def _harmless(name: str) -> bool:
    path = PurePosixPath(name)
    return not (name.lower().endswith(PICKLES) or path.is_absolute() or ".." in path.parts or "\\" in name)


def _whole(path: Path, size: int) -> bool:
    """A file has its own name only after its hash was right, so its size is enough here."""
    return path.is_file() and path.stat().st_size == size


def _authorization() -> dict[str, str]:
    from huggingface_hub import get_token  # reads HF_TOKEN or what `hf auth login` stored

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _explained(error: DownloadError, card: Card, file: str) -> StudioError:
    if isinstance(error, RefusedError):
        if error.status in (401, 403) and (card.gated or file != card.source.repo):
            return StudioError("gated", model=card.title, url=f"{endpoint()}/{card.source.repo}")
        if error.status in (401, 404):
            return StudioError("not_on_hub", repo=card.source.repo)
    return explained(error, card.title, file)


def _locks(home: Home) -> dict[str, str]:
    try:
        locks = json.loads((home.models / "locks.json").read_text(encoding="utf-8"))
        return {str(repo): found for repo, found in locks.items() if _COMMIT.fullmatch(str(found))}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _save_locks(home: Home, locks: dict[str, str]) -> None:
    write(home.models / "locks.json", json.dumps(locks, indent=2, sort_keys=True) + "\n")
