"""The cache of the hub's own library: what any program fetched is found there, used where it lies, and deleted there.

A model's folder in the studio's home holds links to these files. Nothing is copied where the system has links.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from studio.catalog.card import WEIGHTS, Card
from studio.errors import StudioError
from studio.store.wanted import Entry, choose


def place() -> Path:
    """The cache's folder, as the library finds it: HF_HUB_CACHE, or hub/ in HF_HOME."""
    told = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.path.expandvars(told or os.path.join(home, "hub"))).expanduser()


def folder(repo: str) -> Path:
    return place() / f"models--{repo.replace('/', '--')}"


def newest(repo: str) -> str:
    """The commit that was the newest when any program last fetched the repository; "" where none did."""
    with suppress(OSError, UnicodeDecodeError):
        return (folder(repo) / "refs" / "main").read_text(encoding="utf-8").strip()
    return ""


def found(card: Card, commit: str) -> dict[str, Path]:
    """The files that the card wants, where all of them are in the cache: name -> path; else nothing.

    Which they are tells the list of the repository's files, where the library kept it. Without one, whatever names
    other files (an index of shards, a pipeline's index of parts) has to find them.
    """
    top = folder(card.source.repo) / "snapshots" / commit
    if not commit or not top.is_dir():
        return {}
    here = {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()}
    listed = _listed(card.source.repo, commit)
    entries = listed or [Entry(name, path.stat().st_size) for name, path in here.items()]
    try:
        chosen = choose(entries, card.source.files, str(card.options.get("variant", "")), card.title)
    except StudioError:
        return {}
    files = {entry.name: here[entry.name] for entry in chosen if entry.name in here}
    whole = all(
        not entry.size or files[entry.name].stat().st_size == entry.size for entry in chosen if entry.name in files
    )
    return files if whole and len(files) == len(chosen) and (listed or _complete(files)) else {}


def _listed(repo: str, commit: str) -> list[Entry]:
    """The repository's files at a commit, as the library noted them when it fetched some; else nothing."""
    table = _json(folder(repo) / "trees" / f"{commit}.json").get("files")
    if not isinstance(table, dict):
        return []
    with suppress(TypeError, ValueError, AttributeError):
        return [Entry(str(name), int(about.get("lfs_size") or about["size"])) for name, about in table.items()]
    return []


def _complete(files: Mapping[str, Path]) -> bool:
    for name, path in files.items():
        folder, file = PurePosixPath(name).parent, PurePosixPath(name).name
        if name.endswith(".index.json"):
            shards = set(map(str, (_json(path).get("weight_map") or {}).values()))
            if any(name.endswith(WEIGHTS) for name in shards) and any(
                (folder / one).as_posix() not in files for one in shards
            ):
                return False
        elif file == "config.json" and not any(
            PurePosixPath(other).parent == folder and other.endswith(WEIGHTS) for other in files
        ):
            return False
    parts = _json(files["model_index.json"]) if "model_index.json" in files else {}
    wanted = [part for part, kind in parts.items() if isinstance(kind, list) and kind and kind[0]]
    optional = ("safety_checker", "feature_extractor")
    return all(part in optional or any(name.startswith(f"{part}/") for name in files) for part in wanted)


def forget(repo: str, commit: str, names: Collection[str]) -> int:
    """Delete files of a revision, as the library does it: what another one holds stays. Returns bytes freed."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    with suppress(CacheNotFound):
        cache = scan_cache_dir(place())
        for one in [one for one in cache.repos if one.repo_type == "model" and one.repo_id == repo]:
            cache = replace(cache, repos=frozenset([one]))  # a copy of a repository has the same commits
            for revision in [revision for revision in one.revisions if revision.commit_hash == commit]:
                ours = [
                    file for file in revision.files
                    if file.file_path.relative_to(revision.snapshot_path).as_posix() in names
                ]  # fmt: skip
                whole = len(ours) == len(revision.files)
                strategy = cache.delete_revisions(commit) if whole else cache.delete_files(*ours)
                strategy.execute()
                return strategy.expected_freed_size
    return 0


def nbytes(path: Path | None) -> int:
    """Bytes of a file; 0 where there is none."""
    with suppress(OSError):
        return path.stat().st_size if path is not None else 0
    return 0


def _json(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        table = json.loads(path.read_text(encoding="utf-8"))
        return table if isinstance(table, dict) else {}
    return {}
