"""Editing by instruction: how many pictures a model takes beside the words, by the pipeline that its folder names.

A card says it in `limits`: `max_pictures`, and `min_pictures` for a model that does nothing without one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

EDITORS: Mapping[str, Mapping[str, int]] = {
    "Flux2KleinPipeline": {"max_pictures": 4},
    "FluxKontextPipeline": {"max_pictures": 1},
    "QwenImageEditPipeline": {"min_pictures": 1, "max_pictures": 1},
    "QwenImageEditPlusPipeline": {"min_pictures": 1, "max_pictures": 3},
}
"""As many as their publishers speak of, as far as we know (unchecked); the pipelines of klein and Plus know no end."""
_LARGEST = 1 << 20


def limits_of(folder: Path) -> dict[str, int]:
    """The limits of the model in a folder; none where it does not edit or that cannot be read."""
    try:
        file = folder / "model_index.json"
        index = json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size <= _LARGEST else {}
        return dict(EDITORS.get(index["_class_name"], {}))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
