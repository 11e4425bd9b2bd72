"""Where the pictures and their names come from, under which licence, and what each style is called in a prompt.

Everything is a package on the npm registry, fetched once by `npm pack` at the version below.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class IconSet:
    """One set of icons drawn in one style.

    Attributes:
        package: npm package of SVG bodies by name.
        words: how the style is called in captions; the first is its name.
    """

    package: str
    version: str
    licence: str
    author: str
    words: tuple[str, ...]


ICON_SETS = (
    IconSet("@iconify-json/noto", "1.2.9", "Apache-2.0", "Google", ("cartoon style", "cartoon", "shaded cartoon icon")),
    IconSet("@iconify-json/fluent-emoji", "1.2.7", "MIT", "Microsoft", ("glossy style", "glossy 3d", "shiny 3d icon")),
    IconSet("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "Microsoft", ("flat style", "flat", "flat icon")),
    IconSet("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0", "Twitter, Inc. and other contributors",
            ("sticker style", "sticker", "simple sticker")),
)  # fmt: skip

NAMES = ("emojibase-data", "17.0.0", "MIT", "Miles Johnson")
"""Labels, tags and groups of every emoji, in English and Chinese."""

CHARACTERS = "@iconify-json/fluent-emoji-flat"
"""The set whose table of characters also names the icons of its glossy twin, which has none."""


def fetch(package: str, version: str, folder: Path) -> Path:
    """The unpacked package; downloaded on the first call."""
    target = folder / f"{package.strip('@').replace('/', '-')}-{version}"
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.split()[-1]
        with tarfile.open(folder / packed) as archive:
            archive.extractall(target.with_suffix(".part"), filter="data")
        target.with_suffix(".part").rename(target)
    return target / "package"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
