"""Origins of model files: the hub, a mirror of it or ModelScope; which one was chosen, and what came from where.

Kept in origins.json beside the models: ``from`` (the choice), ``versions`` (what takes the place of a card's own
commit) and ``came`` (the host that each repository was last fetched from).
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from studio.errors import StudioError
from studio.paths import Home, write
from studio.settings import is_loopback

HUB = "https://huggingface.co"
MIRROR = "https://hf-mirror.com"
"""A mirror that the page offers. Its address could not be asked from where this was written."""
MODELSCOPE = "modelscope"
MODELSCOPE_HOST = "https://modelscope.cn"
VERSION = re.compile(r"[0-9a-f]{40}|modelscope-[0-9a-f]{16}")
NEWEST = "newest"
_LOCK = threading.Lock()


def endpoint() -> str:
    """The hub's address: HF_ENDPOINT, for a mirror, or the public one."""
    return address(os.environ.get("HF_ENDPOINT", "")) or HUB


def address(text: str) -> str:
    """An address as people write it, with its scheme and without a slash at the end; "" for none."""
    text = text.strip().rstrip("/")
    if not text or "://" in text:
        return text
    host = urlsplit(f"//{text}").hostname or ""
    return f"http://{text}" if is_loopback(host) else f"https://{text}"


def offline() -> bool:
    """Whether the hub's library has been told to stay off the network."""
    told = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return told.upper() in ("1", "ON", "YES", "TRUE")


def chosen(home: Home) -> str:
    """Where files come from now: "modelscope", or an address that answers as the hub does."""
    return str(_read(home).get("from") or "") or endpoint()


def choose(home: Home, origin: str) -> None:
    """Remember where files are to come from: "hub", "mirror", "modelscope", or an address.

    Raises:
        StudioError: bad_origin.
    """
    value = {"hub": "", "mirror": MIRROR, MODELSCOPE: MODELSCOPE}.get(origin)
    if value is None:
        value = address(origin)
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or " " in value
            or "." not in value.split("//")[1]
        ):
            raise StudioError("bad_origin", text=origin)
    _change(home, lambda table: table.update({"from": value}))


def version(home: Home, repo: str) -> str:
    """What takes the place of a card's own commit; "" for nothing."""
    found = str((_read(home).get("versions") or {}).get(repo, ""))
    return found if VERSION.fullmatch(found) else ""


def asks_newest(home: Home, repo: str) -> bool:
    """Whether the next download is to take the newest version."""
    return (_read(home).get("versions") or {}).get(repo) == NEWEST


def pin(home: Home, repo: str, wanted: str) -> None:
    """Let `wanted` take the place of what the card says; "" for what the card says."""
    _set(home, "versions", repo, wanted)


def note(home: Home, repo: str, host: str) -> None:
    """The files of a repository came from `host`; "" where they are gone."""
    _set(home, "came", repo, "" if host == urlsplit(HUB).netloc else host)


def came(home: Home, repo: str) -> str:
    """The host that a repository's files came from; "" for the hub itself, or where nobody knows."""
    return str((_read(home).get("came") or {}).get(repo, ""))


def _set(home: Home, name: str, repo: str, value: str) -> None:
    def change(table: dict[str, Any]) -> None:
        table[name] = {key: one for key, one in {**(table.get(name) or {}), repo: value}.items() if one}

    _change(home, change)


def _change(home: Home, change: Callable[[dict[str, Any]], None]) -> None:
    with _LOCK:
        before = _read(home)
        table = dict(before)
        change(table)
        table = {key: value for key, value in table.items() if value}
        if not table:
            (home.models / "origins.json").unlink(missing_ok=True)
        elif table != before:
            write(home.models / "origins.json", json.dumps(table, indent=2, sort_keys=True) + "\n")


def _read(home: Home) -> Mapping[str, Any]:
    try:
        table = json.loads((home.models / "origins.json").read_text(encoding="utf-8"))
        usable = isinstance(table, dict) and all(
            isinstance(table.get(name) or {}, dict) for name in ("versions", "came")
        )
        return table if usable else {}
    except (OSError, ValueError, RecursionError):
        return {}
