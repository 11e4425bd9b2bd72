"""Eyes of a language model of transformers: what turns the pictures of a conversation into its inputs.

Pictures are prepared with pillow alone, as for captions. How many tokens one takes, its processor alone knows; it is
asked once for each picture.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from studio.engines.shared import processors
from studio.media.image import decode_image
from studio.tasks.chat.attachments import PICTURE

SIDE = 1024
"""Pixels; larger pictures are made smaller first. options.max_side says otherwise, 0 leaves them as they are."""
_KNOWN = 200


def has_eyes(files: Path) -> bool:
    """Whether the config of a folder names a part that sees."""
    try:
        found = json.loads((files / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and isinstance(found.get("vision_config"), dict)


class Eyes:
    """The processor of one model. Raises OSError and ValueError where its files are missing or damaged."""

    def __init__(self, files: Path, config: Any, side: int, options: dict[str, Any]) -> None:
        self._processor = processors.for_pictures(files, config)
        self._side, self._options = side, options
        self._counts: OrderedDict[str, int] = OrderedDict()
        self.tokenizer: Any = self._processor.tokenizer
        self._template = getattr(self._processor, "chat_template", None) or self.tokenizer.chat_template
        self.render = self._render if self._template else None

    def _render(self, turns: Sequence[dict[str, Any]]) -> str:
        """The conversation by the model's template, with its own mark in the place of each picture."""
        said = [{"role": turn["role"], "content": _parts(turn["content"])} for turn in turns]
        return self._processor.apply_chat_template(
            said, chat_template=self._template, tokenize=False, add_generation_prompt=True, **self._options
        )

    def count(self, picture: bytes) -> int:
        """How many tokens a picture takes. Raises StudioError where it cannot be read."""
        name = sha256(picture).hexdigest()
        if name not in self._counts:
            text = self._render([{"role": "user", "content": PICTURE}])
            whole = len(self.inputs(text, (picture,))["input_ids"][0])
            self._counts[name] = whole - len(self.tokenizer(text, add_special_tokens=False).input_ids)
            if len(self._counts) > _KNOWN:
                self._counts.popitem(last=False)
        return self._counts[name]

    def inputs(self, text: str, pictures: Sequence[bytes]) -> dict[str, Any]:
        """What the model takes: the tokens of `text` with room for each picture, and the pictures as numbers."""
        shown = [self._fitted(decode_image(picture)) for picture in pictures]
        return dict(self._processor(text=[text], images=shown, return_tensors="pt"))

    def _fitted(self, picture: Image.Image) -> Image.Image:
        if self._side and max(picture.size) > self._side:
            picture = picture.copy()
            picture.thumbnail((self._side, self._side), Image.Resampling.LANCZOS)
        return picture


def _parts(content: str) -> list[dict[str, str]]:
    """A message as templates of such models take it."""
    parts: list[dict[str, str]] = []
    for number, said in enumerate(content.split(PICTURE)):
        if number:
            parts.append({"type": "image"})
        if said:
            parts.append({"type": "text", "text": said})
    return parts
