"""Picture check: a classifier that says which pictures may not be shown, on the processor.

Any folder of a transformers image classifier will do whose labels tell what is to be refused, such as "nsfw" and
"normal". Only safetensors are read, and no code of the folder runs.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from studio.results import Output

REFUSED = ("nsfw", "porn", "porno", "hentai", "sexual", "explicit", "unsafe", "gore")
"""Labels, in small letters."""
SURE = 0.5
"""Share of all refused labels together from which a picture is one."""


class PictureCheck:
    """May this picture be shown? (studio.policy.Shows)

    Args:
        folder: of the model, with `config.json`, `preprocessor_config.json` and `model.safetensors`.
    """

    pictures = True

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._loaded: tuple[Any, Any, list[int]] | None = None

    def shown(self, task: str, output: Output) -> str:
        """ "picture" where one of an output's pictures is refused. Whatever goes wrong is raised."""
        del task
        return "picture" if any(self._share(image) >= SURE for image in output.images) else ""

    def _share(self, image: Any) -> float:
        import torch

        with self._lock:
            model, processor, refused = self._loaded = self._loaded or self._load()
            pixels = processor(images=image.convert("RGB"), return_tensors="pt")
            with torch.inference_mode():
                shares = model(**pixels).logits[0].softmax(-1)
        return float(shares[refused].sum())

    def _load(self) -> tuple[Any, Any, list[int]]:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        how: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        model: Any = AutoModelForImageClassification.from_pretrained(self._folder, use_safetensors=True, **how)
        refused = [place for place, name in model.config.id2label.items() if name.casefold() in REFUSED]
        if not refused:
            raise ValueError(f"none of its labels is among {', '.join(REFUSED)}")
        return model.eval(), AutoImageProcessor.from_pretrained(self._folder, **how), refused
