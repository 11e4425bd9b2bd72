"""Icons rendered as pictures, with everything that is known of each in words.

Writes `pictures.npy` (uint8, N x 4 x 128 x 128 x 3, on white: each icon as it is, then three times in other
colours) and `pictures.json` (one entry an icon, with the measured colours of each of its four pictures). Flags,
keycaps, clock faces, skin tones and the gendered twins of a neutral figure are left out: many near-equal pictures
of little use in a prompt.
"""

from __future__ import annotations

import json
import random
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from train.image import colours, sources

SIZE, LARGE = 128, 256
MARGIN = 6 / 128
"""White round each icon, as a share of the side: many are drawn to the very edge."""

RECOLOURED = 3

HELD_OUT = 120
"""Pairs of concept and style that training never sees; the concept is there in the other styles."""

_GROUPS = ("smileys", "people", "", "animals", "food", "travel", "activities", "objects", "symbols", "flags")
_NOISE = re.compile(
    r"o’clock|-thirty|^keycap|^flag|skin tone|family:|^couple|^kiss:|button|^Japanese “|medal$|^(wo)?man and "
)


def concepts(folder: Path) -> dict[str, dict[str, Any]]:
    """What is worth painting, by its characters as hexadecimal numbers."""
    package = sources.fetch(sources.NAMES[0], sources.NAMES[1], folder)
    chinese = {entry["hexcode"]: entry for entry in sources.read(package / "zh" / "data.json")}
    entries = sources.read(package / "en" / "data.json")
    found = {}
    for entry in entries:
        group = entry.get("group")
        if group in (None, 2, 9) or _NOISE.search(entry["label"]) or "gender" in entry:
            continue
        if group == 1 and re.match(r"(wo)?man\b|men\b|women\b", entry["label"]) and "\u200d" in entry["emoji"]:
            continue  # a profession; its neutral twin is there
        other = chinese.get(entry["hexcode"], {})
        found[_key(entry["hexcode"])] = {
            "label": entry["label"].replace("’", "'"),
            "tags": entry.get("tags", []),
            "chinese": other.get("label", ""),
            "chinese_tags": other.get("tags", []),
            "group": _GROUPS[group],
        }
    return found


def _key(hexcode: str) -> str:
    return hexcode.upper().replace("-FE0F", "")


def build(folder: Path) -> None:
    """Fetch, choose and render everything into `folder`."""
    drawn, entries = _drawn(folder, SIZE)
    _hold_out(entries)
    for entry, measured in zip(entries, _recoloured(drawn, folder / "pictures.npy"), strict=True):
        entry["colours"] = measured
    (folder / "pictures.json").write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    held = sum(entry["held_out"] for entry in entries)
    print(f"{len(entries)} pictures of {len({e['concept'] for e in entries})} concepts, {held} held out")


def large(folder: Path) -> np.ndarray:
    """The same icons twice as large, from which crispness is learnt: `large.npy`, written on the first call (4 GB)."""
    if not (folder / "large.npy").is_file():
        part = folder / "large.part.npy"
        drawn, _ = _drawn(folder, LARGE)
        _recoloured(drawn, part)
        part.replace(folder / "large.npy")
    return np.load(folder / "large.npy", mmap_mode="r")


def _drawn(folder: Path, size: int) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    """Every icon that is worth painting, uint8 (size, size, 4), and what it is called."""
    from resvg_py import svg_to_bytes  # type: ignore[import-not-found]

    known = concepts(folder / "packages")
    drawn: list[np.ndarray] = []
    entries: list[dict[str, Any]] = []
    characters = {}
    for icons in sources.ICON_SETS:
        package = sources.fetch(icons.package, icons.version, folder / "packages")
        characters[icons.package] = sources.read(package / "chars.json")
    for icons in sources.ICON_SETS:
        package = sources.fetch(icons.package, icons.version, folder / "packages")
        bodies = sources.read(package / "icons.json")
        named = characters[icons.package] or characters[sources.CHARACTERS]
        seen = set()
        for code, name in named.items():
            concept = known.get(_key(code))
            icon = bodies["icons"].get(name)
            if concept is None or icon is None or _key(code) in seen:
                continue
            seen.add(_key(code))
            drawn.append(render(svg_to_bytes, bodies, icon, size))
            entries.append({"concept": _key(code), "style": icons.words[0], **concept})
    return drawn, entries


def _recoloured(drawn: list[np.ndarray], file: Path) -> list[list[list[tuple[str, float]]]]:
    """Write every icon as it is and in other colours into `file`; returns the colours measured in each."""
    side = drawn[0].shape[0]
    pictures = np.lib.format.open_memmap(file, "w+", np.uint8, (len(drawn), 1 + RECOLOURED, side, side, 3))
    found = []
    with ProcessPoolExecutor() as pool:
        for index, (variants, measured) in enumerate(pool.map(_recolour, drawn, range(len(drawn)), chunksize=64)):
            pictures[index] = variants
            found.append(measured)
    pictures.flush()
    return found


def _recolour(picture: np.ndarray, seed: int) -> tuple[np.ndarray, list[list[tuple[str, float]]]]:
    """The picture and its recoloured versions on white, and the colours measured in each."""
    random = np.random.default_rng(seed)
    variants = [picture, *(colours.shift(picture, random) for _ in range(RECOLOURED))]
    return colours.on_white(np.stack(variants)), [colours.measure(variant) for variant in variants]


def render(rasterise: Any, bodies: dict[str, Any], icon: dict[str, Any], side: int = SIZE) -> np.ndarray:
    import io

    from PIL import Image

    width, height = (icon.get(one, bodies.get(one, 16)) for one in ("width", "height"))
    box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    margin = round(side * MARGIN)
    inner = side - 2 * margin
    size = f'width="{inner}" height="{inner}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" {size}>{icon["body"]}</svg>'
    picture = Image.open(io.BytesIO(bytes(rasterise(svg_string=svg)))).convert("RGBA")
    whole = Image.new("RGBA", (side, side))
    whole.paste(picture.resize((inner, inner)) if picture.size != (inner, inner) else picture, (margin, margin))
    return np.asarray(whole)


def _hold_out(entries: list[dict[str, Any]]) -> None:
    """Mark pairs that training must not see: of concepts that are there in at least three other styles."""
    styles: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        entry["held_out"] = False
        if entry["group"] in ("animals", "food", "travel", "activities", "objects"):
            styles.setdefault(entry["concept"], []).append(index)
    chosen = random.Random(0)
    common = sorted(concept for concept, found in styles.items() if len(found) == len(sources.ICON_SETS))
    for concept in chosen.sample(common, HELD_OUT):
        entries[chosen.choice(styles[concept])]["held_out"] = True


def entries(folder: Path) -> list[dict[str, Any]]:
    """What is known of each picture. `rarity` says of each tag how few things have it, as shares of 1."""
    found = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
    having: dict[str, set[str]] = {}
    for entry in found:
        for tag in entry["tags"]:
            having.setdefault(tag, set()).add(entry["concept"])
    for entry in found:
        entry["rarity"] = [1 / len(having[tag]) for tag in entry["tags"]]
    return found


def load(folder: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The pictures (memory-mapped) and their entries."""
    pictures = np.load(folder / "pictures.npy", mmap_mode="r")
    return pictures, entries(folder)
