"""What things are called: drawings by the names of emoji without their colours, photographs by ImageNet's classes."""

from __future__ import annotations

import re
from typing import Any

COLOUR = re.compile(
    r"\b(light blue|red|orange|yellow|green|blue|purple|violet|pink|brown|black|gr[ae]y|white)\b-?\s*", re.I
)
_WHOLE = ("red envelope", "leafy green", "mahjong red dragon", "black nib", "white cane", "person: white hair",
          "person: red hair", "person with white cane", "person with white cane: facing right")  # fmt: skip
"""Names in which the colour is part of the thing."""

_CHINESE = {
    "apple": "苹果", "book": "书本", "circle": "圆形", "exclamation mark": "感叹号", "flower": "花", "heart": "心",
    "hollow circle": "空心圆圈", "large diamond": "大菱形", "large square": "大方块", "medium square": "中方块",
    "medium-small square": "中小方块", "paper lantern": "灯笼", "question mark": "问号", "salad": "沙拉",
    "small diamond": "小菱形", "small square": "小方块", "square": "方块", "triangle pointed down": "倒三角",
    "triangle pointed up": "正三角", "bird": "鸟", "cat": "猫", "mushroom": "蘑菇",
}  # fmt: skip
"""Chinese names of what is left when the colour is taken away."""


def plain(label: str) -> str:
    """The name of a drawn thing: `red heart` and `blue heart` are both `heart`."""
    return label if label in _WHOLE else COLOUR.sub("", label).strip() or label


def things(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every drawn thing once, by name: `name`, `chinese`, `tags`, `chinese_tags`; in alphabetical order."""
    found: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda entry: (entry["label"] != plain(entry["label"]), entry["concept"])):
        name = plain(entry["label"])
        chinese = _CHINESE.get(name, entry["chinese"])
        found.setdefault(
            name, {"name": name, "chinese": chinese, "tags": entry["tags"], "chinese_tags": entry["chinese_tags"]}
        )
    return [found[name] for name in sorted(found)]
