"""Files of textual inversions, which a prompt names: which of them a text means, their layout and their hashes.

As in AUTOMATIC1111's web UI the name of a file stands for its vectors wherever it is a word of a prompt, in letters of
any size; of two that begin at one place the longer one counts. Files of other kinds that lie in the same folders are
passed over by their headers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from studio.errors import StudioError
from studio.requests import ImageRequest, Request
from studio.tasks.image import lora_files

Shapes = Mapping[str, tuple[int, int]]
"""How many vectors of which width, by the name of the tensor: one, or `clip_l` and `clip_g` for two encoders."""

UNREAD = ("embedding_wrong", "no_embeddings")
"""Notes of a run whose `names` were left out."""
_PICKLES = (".pt", ".bin")
_MOST = 4  # tensors: no adaptation has so few


def words(names: Collection[str]) -> re.Pattern[str] | None:
    """What finds these names as words of their own; None where there are none."""
    if not names:
        return None
    longest = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE)


def named(texts: Iterable[str], folders: Iterable[Path]) -> dict[str, Path]:
    """The embeddings that the texts name, by the stem of their file; of two of one name that of the first folder."""
    text = "\n".join(texts)
    found: dict[str, Path] = {}
    for file in _meant(text, folders, (lora_files.SUFFIX,)):
        if file.stem.casefold() not in {name.casefold() for name in found} and shapes(file):
            found[file.stem] = file
    return found


def shapes(file: Path) -> Shapes:
    """The vectors of an embedding, by its header; nothing where it is something else or cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            names = list(opened.keys())
            if not 0 < len(names) <= _MOST:
                return {}
            found = {name: tuple(opened.get_slice(name).get_shape()) for name in names}
    except (OSError, SafetensorError, ValueError):
        return {}
    if not all(len(shape) in (1, 2) and all(shape) for shape in found.values()):
        return {}
    return {name: (shape[0] if len(shape) == 2 else 1, shape[-1]) for name, shape in found.items()}


def refuse_pickles(texts: Iterable[str], folder: Path) -> None:
    """Raises StudioError: embedding_pickle, where a text names a file that is nothing but a pickle."""
    for file in _meant("\n".join(texts), (folder,), _PICKLES):
        if not file.with_suffix(lora_files.SUFFIX).is_file():
            raise StudioError("embedding_pickle", name=file.name)


def hashes(
    requests: Iterable[Request | None], folders: Sequence[Path], without: Collection[str] = ()
) -> dict[str, str]:
    """SHA-256 by name of every embedding that the requests' prompts name; without those that were left out."""
    pictures = [request for request in requests if isinstance(request, ImageRequest)]
    texts = {text for one in pictures for text in (*(one.prompts or (one.prompt,)), one.negative_prompt) if text}
    found = {}
    for name, file in sorted(named(sorted(texts), folders).items() if texts else ()):
        if name not in without and (hash := lora_files.hash_of(file)):
            found[name] = hash
    return found


def _meant(text: str, folders: Iterable[Path], suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files whose names stand in the text."""
    folded = text.casefold()
    for folder in folders:
        try:
            files = sorted(folder.iterdir()) if folded.strip() else []
        except OSError:
            continue
        for file in files:
            if file.suffix.lower() not in suffixes or file.stem.casefold() not in folded:
                continue
            if (found := words([file.stem])) and found.search(text) and file.is_file():
                yield file
