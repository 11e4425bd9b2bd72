"""Check of the catalogue against the hub: a card's repository, its commit, its files, their size, its licence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.store import composite
from studio.store.listing import listing
from studio.store.wanted import choose

LENIENT = 0.02
"""Share by which a size may differ: most are written down in three digits."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What the hub says otherwise; `what`: repository, commit, files, size, licence, gated."""

    repo: str
    what: str
    ours: str
    theirs: str


def pieces(card: Card) -> list[Card]:
    """What of the card comes from the hub: itself, and its parts."""
    parts = [composite.as_card(card, part) for part in card.parts]
    return [piece for piece in (card, *parts) if piece.source.kind == "hub"]


def differences(card: Card) -> list[Difference]:
    """What the hub (or HF_ENDPOINT) says otherwise than the card. Asks it for one list a repository, and for no file.

    Raises:
        StudioError: hub_offline; the hub does not answer, or not as one.
    """
    return [one for piece in pieces(card) for one in _piece(piece, piece is card)]


def _piece(piece: Card, whole: bool) -> list[Difference]:
    source = piece.source
    try:
        found = listing(source.repo, source.revision, piece.title)
        chosen = choose(found.entries, source.files, str(piece.options.get("variant", "")), piece.title)
    except StudioError as known:
        what = {"not_on_hub": "repository", "version_gone": "commit", "missing_files": "files", "only_pickles": "files"}
        if known.code not in what:
            raise
        ours = {"repository": source.repo, "commit": source.revision}.get(what[known.code], ", ".join(source.files))
        return [Difference(source.repo, what[known.code], ours or "*.safetensors", known.what())]
    return [
        Difference(source.repo, *one)
        for one in _facts(piece, whole, found.told, sum(one.size for one in chosen), chosen)
    ]


def _facts(
    piece: Card, whole: bool, told: Mapping[str, Any], size: int, chosen: list[Any]
) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    moved = str(told.get("id") or "")
    if moved and moved != piece.source.repo:
        found.append(("repository", piece.source.repo, moved))
    if size and piece.disk_bytes and abs(size - piece.disk_bytes) > LENIENT * size:
        found.append(("size", f"{piece.disk_bytes:,}", f"{size:,}"))
    for entry in chosen:
        known = piece.source.sha256.get(entry.name, "")
        if known and entry.sha256 and known != entry.sha256:
            found.append(("files", f"{entry.name} {known[:12]}", f"{entry.name} {entry.sha256[:12]}"))
    if whole:
        about = told.get("cardData") or {}
        licences = [str(about.get(name) or "") for name in ("license_name", "license")]
        if any(licences) and not any(_alike(piece.licence, named) for named in licences):
            found.append(("licence", piece.licence, " / ".join(filter(None, licences))))
        if bool(told.get("gated")) != piece.gated:
            found.append(("gated", str(piece.gated).lower(), str(told.get("gated") or False).lower()))
    return found


def _alike(ours: str, theirs: str) -> bool:
    one, two = (re.sub(r"[^a-z0-9]", "", text.lower()) for text in (ours, theirs))
    return bool(two) and (one in two or two in one)
