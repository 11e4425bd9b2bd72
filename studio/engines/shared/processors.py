"""Processors of transformers, which turn pictures and text into a model's inputs, also where torchvision is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def for_pictures(files: Path, config: Any) -> Any:
    """The processor of a model with this config, whatever its class."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    try:
        return transformers.AutoProcessor.from_pretrained(files, local_files_only=True, trust_remote_code=False)
    except ImportError:
        return read(PROCESSOR_MAPPING[type(config)], files, trust_remote_code=False)


def read(kind: Any, folder: Path, **options: Any) -> Any:
    """The processor in a folder, without what it does to films where that cannot be made.

    Without torchvision transformers makes no video processors, and so no processor that has one.

    Args:
        kind: its class.
    """
    options = {"local_files_only": True, **options}
    try:
        return kind.from_pretrained(folder, **options)
    except ImportError:
        if "video_processor" not in kind.get_attributes():
            raise
        return still(kind).from_pretrained(folder, **options)


def still(kind: Any) -> Any:
    """A class of processors without its video processor."""

    class StillPictures(kind):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != "video_processor"]

    return StillPictures
