"""Low-rank adaptations on a pipeline: put on, weighed, taken off again.

Read from safetensors files only. What a request does not name is taken off before it runs, so that no picture
depends on the one before. Knows nothing of prompts.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from studio.catalog import Card
from studio.engines import _torch
from studio.errors import StudioError
from studio.types import Lora

_Stamp = tuple[str, int, int]
"""Name, time and size of a file: another file under the same name is another adaptation."""


class Adapters:
    """The adaptations that are on a pipeline now."""

    def __init__(self, card: Card, pipe: Any) -> None:
        self._card, self._pipe = card, pipe
        self._loaded: dict[_Stamp, str] = {}  # -> its name in the pipeline, where a dot would be a level
        self._count = 0

    def apply(self, loras: tuple[Lora, ...], folder: Path | None) -> None:
        """Have these on the pipeline and no others; of the same one named twice the weights add up.

        Raises:
            StudioError: lora_missing, bad_file, lora_wrong (made for another kind of model), missing_package. The
                pipeline is then as it was made.
        """
        wanted: dict[_Stamp, float] = {}
        for lora in loras:
            stamp = _stamp(lora.name, folder)
            wanted[stamp] = wanted.get(stamp, 0.0) + lora.weight
        wanted = {stamp: weight for stamp, weight in wanted.items() if weight}
        if not wanted:
            self._clear()
            return
        if find_spec("peft") is None:
            raise StudioError("missing_package", model=self._card.title, package="peft")
        if not hasattr(self._pipe, "load_lora_weights"):
            raise StudioError("lora_wrong", name=next(iter(wanted))[0], model=self._card.title)
        if gone := [stamp for stamp in self._loaded if stamp not in wanted]:
            self._pipe.delete_adapters([self._loaded.pop(stamp) for stamp in gone])
        assert folder is not None
        for stamp in wanted:
            if stamp not in self._loaded:
                self._load(stamp, folder / f"{stamp[0]}.safetensors")
        self._pipe.set_adapters([self._loaded[stamp] for stamp in wanted], list(wanted.values()))

    def _load(self, stamp: _Stamp, file: Path) -> None:
        try:
            _torch.header(file)
        except (OSError, ValueError, AttributeError):
            raise StudioError("bad_file", path=file.name, reason="not a safetensors file") from None
        self._count += 1
        name = f"adapter{self._count}"
        try:
            self._pipe.load_lora_weights(
                str(file.parent), weight_name=file.name, adapter_name=name, use_safetensors=True, local_files_only=True
            )
            fits = any(name in names for names in self._pipe.get_list_adapters().values())
        except Exception as error:  # peft and diffusers raise many types for weights that do not fit
            self._clear()
            raise StudioError("lora_wrong", name=stamp[0], model=self._card.title) from error
        if not fits:
            self._clear()
            raise StudioError("lora_wrong", name=stamp[0], model=self._card.title)
        self._loaded[stamp] = name

    def _clear(self) -> None:
        """Back to the layers that the pipeline came with."""
        if self._count:
            self._pipe.unload_lora_weights()
        self._loaded, self._count = {}, 0


def _stamp(name: str, folder: Path | None) -> _Stamp:
    path = folder / f"{name}.safetensors" if folder is not None else None
    try:
        if path is None or path.parent != folder or not name.strip(". "):
            raise FileNotFoundError
        found = path.stat()
    except (OSError, ValueError):  # NUL bytes, names that are too long
        raise StudioError("lora_missing", name=name) from None
    return name, found.st_mtime_ns, found.st_size
