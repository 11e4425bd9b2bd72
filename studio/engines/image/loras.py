"""Low-rank adaptations on a pipeline: put on, weighed, taken off again.

Read from safetensors files only. What a request does not name is taken off before it runs, so that no picture depends
on the one before.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.engines.image import lycoris
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.request_parts import Lora
from studio.tasks.image import lora_files

_Stamp = tuple[str, int, int]
"""Name, time and size of a file: another file under the same name is another adaptation."""


class Adapters:
    """The adaptations that are on a pipeline now."""

    def __init__(self, card: Card, pipe: Any) -> None:
        self._card, self._pipe = card, pipe
        self._loaded: tuple[_Stamp, ...] = ()

    def apply(self, loras: tuple[Lora, ...], folders: Sequence[Path]) -> None:
        """Have these on the pipeline and no others; of the same one named twice the weights add up.

        Raises:
            StudioError: lora_missing, bad_file, lora_wrong (made for another kind of model),
                lora_form (not read here), missing_package. The pipeline is then as it was made.
        """
        wanted: dict[_Stamp, float] = {}
        for lora in sorted(loras, key=lambda lora: lora.name):  # sums depend on their order in the last bit
            stamp = _stamp(lora.name, folders)
            wanted[stamp] = wanted.get(stamp, 0.0) + lora.weight
        wanted = {stamp: weight for stamp, weight in wanted.items() if weight}
        if tuple(wanted) != self._loaded:
            self._clear()
            self._load(tuple(wanted), folders)
        if wanted:
            self._pipe.set_adapters([_name(number) for number in range(len(wanted))], list(wanted.values()))

    def _load(self, stamps: tuple[_Stamp, ...], folders: Sequence[Path]) -> None:
        if not stamps:
            return
        if find_spec("peft") is None:
            raise StudioError("missing_package", model=self._card.title, package="peft")
        if not hasattr(self._pipe, "load_lora_weights"):
            raise StudioError("lora_wrong", name=stamps[0][0], model=self._card.title)
        self._loaded = stamps
        try:
            for number, stamp in enumerate(stamps):
                self._read(stamp[0], _file(stamp[0], folders), _name(number))
        except BaseException:
            self._clear()
            raise

    def _read(self, name: str, file: Path, inside: str) -> None:
        try:
            names = list(torch_loading.header(file))
        except (OSError, ValueError, TypeError, AttributeError):
            raise StudioError("bad_file", path=file.name, reason="not a safetensors file") from None
        form, readable = lycoris.form(names)
        if not readable:
            raise StudioError("lora_form", name=name, form=form)
        try:
            scaled = any(one.startswith("lora_") and one.endswith(".alpha") for one in names)
            given: Any = self._plain(file, form) if form or scaled else str(file.parent)
            with _quiet():
                self._pipe.load_lora_weights(
                    given, weight_name=file.name, adapter_name=inside, use_safetensors=True, local_files_only=True
                )
            fits = any(inside in names for names in self._pipe.get_list_adapters().values())
        except Exception as error:  # peft and diffusers raise many types for weights that do not fit
            raise StudioError("lora_wrong", name=name, model=self._card.title) from error
        if not fits:
            raise StudioError("lora_wrong", name=name, model=self._card.title)

    def _plain(self, file: Path, form: str) -> Any:
        """The file's tensors in the one form that every loader reads right, or its folder where they are so already."""
        from safetensors.torch import load_file

        tensors = load_file(file)
        if form:
            return lycoris.plain(tensors, lycoris.kernels(self._pipe))
        return lycoris.unscaled(tensors) if lycoris.uneven(tensors) else str(file.parent)

    def _clear(self) -> None:
        """Back to the layers that the pipeline came with."""
        if self._loaded:
            self._pipe.unload_lora_weights()
        self._loaded = ()


def _name(number: int) -> str:
    """What an adaptation is called in the pipeline, where a dot in a name would be a level."""
    return f"adapter{number}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning that a part has no adaptation in the file, which is so for most files."""
    log = logging.getLogger("diffusers.loaders")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            yield
    finally:
        log.setLevel(level)


def _file(name: str, folders: Sequence[Path]) -> Path:
    if (file := lora_files.find(name, folders)) is None:
        raise StudioError("lora_missing", name=name)
    return file


def _stamp(name: str, folders: Sequence[Path]) -> _Stamp:
    try:
        found = _file(name, folders).stat()
    except OSError:
        raise StudioError("lora_missing", name=name) from None
    return name, found.st_mtime_ns, found.st_size
