"""Icons of nine sets rendered with their transparency, and what is known of each in words.

Writes `icons.npy` (uint8, N x 128 x 128 x 4) and `icons.json` (an entry an icon). Icons of a set without a table of
characters are found by their names in the tables of the others.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from train.caption.sources import HELD_OUT, ICON_SETS
from train.image import data, sources

SIZE = data.SIZE


def build(folder: Path) -> None:
    """Fetch, choose and render everything into `folder`."""
    from resvg_py import svg_to_bytes  # type: ignore[import-not-found]

    packages = folder / "packages"
    known = data.concepts(packages)
    tables = {
        icons.package: sources.read(sources.fetch(icons.package, icons.version, packages) / "chars.json")
        for icons in (*ICON_SETS, HELD_OUT)
    }
    named = {slug(concept["label"]): key for key, concept in known.items()}
    for table in (*tables.values(), *_shortcodes(packages)):
        for code, called in table.items():
            if (key := key_of(code)) in known:
                for name in [called] if isinstance(called, str) else called:
                    named.setdefault(slug(name), key)
    drawn: list[np.ndarray] = []
    entries: list[dict[str, Any]] = []
    for icons in (*ICON_SETS, HELD_OUT):
        bodies = sources.read(sources.fetch(icons.package, icons.version, packages) / "icons.json")
        table = tables[icons.package]
        pairs = [(key_of(code), name) for code, name in table.items()] or [
            (named.get(slug(name), ""), name) for name in bodies["icons"]
        ]
        if icons.package == "@iconify-json/fluent-emoji":
            pairs = [(key_of(code), name) for code, name in tables[sources.CHARACTERS].items()]
        seen = set()
        for key, name in pairs:
            if key in seen or key not in known or name not in bodies["icons"]:
                continue
            seen.add(key)
            drawn.append(data.render(svg_to_bytes, bodies, bodies["icons"][name]))
            entries.append({"concept": key, "set": icons.package, "style": icons.words[0], **known[key]})
        print(f"{icons.package}: {len(seen)}", flush=True)
    np.save(folder / "icons.npy", np.stack(drawn))
    (folder / "icons.json").write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    print(f"{len(entries)} icons of {len({entry['concept'] for entry in entries})} concepts")


def key_of(code: str) -> str:
    return code.upper().replace("-FE0F", "")


def slug(label: str) -> str:
    """A name as all sets would write it: small letters and digits alone."""
    return re.sub(r"[^a-z0-9]+", "", label.lower())


def _shortcodes(packages: Path) -> list[dict[str, Any]]:
    """What chat programs call emoji, by characters."""
    package = sources.fetch(sources.NAMES[0], sources.NAMES[1], packages)
    return [sources.read(package / "en" / "shortcodes" / f"{name}.json") for name in ("cldr", "github")]


def load(folder: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The icons (memory-mapped) and their entries."""
    icons = np.load(folder / "icons.npy", mmap_mode="r")
    return icons, json.loads((folder / "icons.json").read_text(encoding="utf-8"))
