"""What the commands of all starters have in common: their options, and a seed."""

from __future__ import annotations

import argparse
from pathlib import Path


def read(name: str, about: str | None, commands: tuple[str, ...], folder: Path) -> argparse.Namespace:
    """`command`, `minutes`, `device` (the best there is where none was named) and `folder`, which is there afterwards.

    Args:
        folder: where data and checkpoints are kept unless the person says otherwise.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=about)
    parser.add_argument("command", choices=commands)
    parser.add_argument("--minutes", type=float, default=0.0, help="time budget; default: what the shipped one took")
    parser.add_argument("--device", default="", help="cpu, cuda or mps; default: the best there is")
    parser.add_argument("--folder", type=Path, default=folder, help="where data and checkpoints are kept")
    options = parser.parse_args()
    import torch

    torch.manual_seed(0)
    options.device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    options.folder.mkdir(parents=True, exist_ok=True)
    return options
