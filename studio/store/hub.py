"""Models of the hub: which version is meant, where its files lie, and bringing them here.

The files are in the cache of the hub's own library (studio.store.hub_cache), where other programs find them and put
theirs. The studio's home has a folder for each version, with links to them; what earlier versions of the studio fetched
lies in that folder itself, and so does what came from ModelScope.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.paths import Home, write
from studio.store import fetching, hub_cache, manifest, origin
from studio.store.fetching import Progress, Told
from studio.store.hub_cache import nbytes

_WANTED = "wanted.json"


def commit(home: Home, card: Card) -> str:
    """The version that loads use: chosen instead of the card's, the card's, or that of the first download."""
    repo = card.source.repo
    return origin.version(home, repo) or card.source.revision or _locks(home).get(repo, "")


def folder(home: Home, card: Card) -> Path:
    """Where the card's files lie, or would lie."""
    name = commit(home, card) or "unknown"
    return home.models / "hub" / card.source.repo.replace("/", "--") / name.partition("-")[0]


def unlock(home: Home, card: Card) -> None:
    """Forget the locked version, so that the next download takes the newest."""
    locks = _locks(home)
    if locks.pop(card.source.repo, ""):
        _save_locks(home, locks)
    origin.pin(home, card.source.repo, "")
    origin.note(home, card.source.repo, "")


def adopt(home: Home, card: Card) -> bool:
    """Take what another program fetched into the cache, where all of it is there. No request is made."""
    if not hub_cache.folder(card.source.repo).is_dir():
        return False
    wanted = commit(home, card) or hub_cache.newest(card.source.repo)
    files = hub_cache.found(card, wanted)
    sizes = {name: path.stat().st_size for name, path in files.items()}
    before = manifest.sizes(folder(home, card), card)
    if not files or any(before.get(name, size) != size for name, size in sizes.items()):
        return False
    _lock(home, card, wanted)
    _link(folder(home, card), files)
    manifest.add(folder(home, card), card, sizes)
    return True


def fetch(
    home: Home, card: Card, progress: Progress, cancelled: Callable[[], bool], keep_free: int, told: Told
) -> dict[str, int]:
    """Bring the card's files into `folder(home, card)`. Returns their names and sizes.

    Raises:
        StudioError: hub_offline, hub_unreachable, hub_broken, hub_busy, not_a_hub, refused, gated, not_on_hub,
            not_on_modelscope, version_gone, missing_files, only_pickles, bad_hash, download_failed, proxy_refused,
            bad_certificate, no_space, disk_full.
        Cancelled: the person stopped it; what is there stays.
    """
    if origin.offline():
        raise StudioError("hub_offline", model=card.title)
    where, repo = origin.chosen(home), card.source.repo
    scope = where == origin.MODELSCOPE
    newest = origin.asks_newest(home, repo)
    revision = "" if scope or newest else commit(home, card).partition("modelscope-")[0]
    place = folder(home, card) if not scope else home.models / "hub" / repo.replace("/", "--") / origin.MODELSCOPE

    def wanted(said: dict[str, Any]) -> None:
        nonlocal place
        if scope:
            origin.pin(home, repo, said["version"])
        else:
            if newest or origin.version(home, repo).startswith(origin.MODELSCOPE):
                origin.pin(home, repo, said["version"] if newest else "")
            _lock(home, card, said["version"])
            place = folder(home, card)
        write(place / _WANTED, json.dumps({"parts": said["parts"]}))

    order = {
        "kind": "modelscope" if scope else "hub", "endpoint": origin.MODELSCOPE_HOST if scope else where, "repo": repo,
        "revision": revision, "files": card.source.files, "variant": str(card.options.get("variant", "")),
        "sha256": dict(card.source.sha256), "model": card.title, "place": str(place), "keep_free": keep_free,
    }  # fmt: skip
    files = fetching.fetch(order, progress, cancelled, told, wanted)
    _link(place, {name: Path(path) for name, path in files.items()})
    (place / _WANTED).unlink(missing_ok=True)
    origin.note(home, repo, urlsplit(order["endpoint"]).netloc)
    return {name: (place / name).stat().st_size for name in files}


def begun(place: Path) -> int:
    """Bytes that an interrupted download of this folder left in the cache."""
    return sum(nbytes(part) + nbytes(part.with_suffix("")) for part in _unfinished(place))


def drop(home: Home, card: Card) -> int:
    """Delete the card's files, except those that another card wants. Returns the bytes freed."""
    place, repo = folder(home, card), card.source.repo
    mine = manifest.sizes(place, card)
    parts = _unfinished(place)
    (place / _WANTED).unlink(missing_ok=True)
    freed = manifest.remove(place, card)
    gone = [name for name in mine if not os.path.lexists(place / name)]
    freed += hub_cache.forget(repo, place.name, gone)
    for part in parts:
        freed += nbytes(part)
        part.unlink(missing_ok=True)
    if not place.exists():
        unlock(home, card)
        with suppress(OSError):
            place.parent.rmdir()
    return freed


def renew(home: Home, card: Card) -> None:
    """Have the next download take the newest version, whatever the card says or was locked."""
    drop(home, card)
    origin.pin(home, card.source.repo, origin.NEWEST)


def _link(place: Path, files: Mapping[str, Path]) -> None:
    """Put links to `files` into a model's folder; a copy only where the system has no links at all."""
    for name, path in files.items():
        target = place / name
        if target == path or (target.exists() and target.samefile(path)):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        temporary.unlink(missing_ok=True)
        for way in (os.symlink, os.link, shutil.copyfile):  # Windows gives the first to some people only
            with suppress(OSError):
                way(path.resolve(), temporary)
                break
        os.replace(temporary, target)


def _unfinished(place: Path) -> list[Path]:
    """What a download that was not finished calls its halves in the cache; the halves in `place` itself are seen."""
    try:
        table = json.loads((place / _WANTED).read_text(encoding="utf-8"))
        parts = [Path(part) for part in table["parts"] if str(part).endswith(".incomplete")]
        return [part for part in parts if not part.is_relative_to(place)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _lock(home: Home, card: Card, wanted: str) -> None:
    if not commit(home, card):
        write(home.models / "locks.json", json.dumps({**_locks(home), card.source.repo: wanted}, indent=2) + "\n")


def _locks(home: Home) -> dict[str, str]:
    try:
        locks = json.loads((home.models / "locks.json").read_text(encoding="utf-8"))
        return {str(repo): found for repo, found in locks.items() if origin.VERSION.fullmatch(str(found))}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _save_locks(home: Home, locks: dict[str, str]) -> None:
    write(home.models / "locks.json", json.dumps(locks, indent=2, sort_keys=True) + "\n")
