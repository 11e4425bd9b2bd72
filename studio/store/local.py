"""Models that are on this machine already: the starters in assets, and paths that the user names; or never will be.

Nothing is copied and nothing is ever deleted. A path whose weights could run code is refused.
"""

from __future__ import annotations

import json
from pathlib import Path

from studio.catalog.card import PICKLES, WEIGHTS, Card
from studio.errors import StudioError
from studio.i18n import ASSETS

STARTERS = ASSETS / "starters"


def place(card: Card) -> Path:
    """Where the card's file or folder is, whether it is there or not."""
    return STARTERS / card.source.path if card.source.kind == "bundled" else Path(card.source.path)


def there(card: Card) -> bool:
    """It exists, with the files that the card names."""
    path = place(card)
    if not card.source.path:  # a stand-in without files
        return True
    return all((path / name).is_file() for name in card.source.files) if card.source.files else path.exists()


def checked(card: Card) -> Path:
    """The card's path, once it is known to be complete and harmless.

    Raises:
        StudioError: missing_files, or unsafe_file where the only weights are a format that can run code.
    """
    path = place(card)
    if not there(card):
        missing = next((name for name in card.source.files if not (path / name).is_file()), str(path))
        raise StudioError("missing_files", model=card.title, file=missing if path.exists() else str(path))
    if card.source.kind == "local":
        _refuse_pickles(path, card)
    return path


def _refuse_pickles(path: Path, card: Card) -> None:
    if path.is_file():
        if path.suffix.lower() not in WEIGHTS and not _gguf(path):
            raise StudioError("unsafe_file", file=path.name)
        return
    folders = [path]
    try:
        parts = json.loads((path / "model_index.json").read_text(encoding="utf-8"))
        folders = [path / part for part in parts if (path / part).is_dir()] or folders
    except (OSError, ValueError, TypeError, RecursionError):
        pass  # not a pipeline: the weights lie in the folder itself
    for folder in folders:
        names = sorted(file.name for file in folder.iterdir() if file.is_file())
        pickles = [name for name in names if name.lower().endswith(PICKLES)]
        if pickles and not any(name.lower().endswith(WEIGHTS) for name in names):
            raise StudioError("unsafe_file", file=str((folder / pickles[0]).relative_to(path)))
    if not any(file.suffix.lower() in WEIGHTS for file in path.rglob("*")):
        raise StudioError("missing_files", model=card.title, file="*.safetensors")


def _gguf(path: Path) -> bool:
    """Whether a file of another name begins as GGUF does: Ollama calls its files by their hashes."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False
