"""Texts by key and language, read from assets/i18n/<language>/*.json.

The page wraps these tables for the browser, the command line reads them here. English is complete (a test holds every
other language to the same keys), so it is the fallback.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
LANGUAGES = ("en", "zh-CN")


@cache
def table(language: str) -> dict[str, str]:
    """All texts of one language, flat: ``{"error.offline.what": "..."}``."""
    merged: dict[str, str] = {}
    for file in sorted((ASSETS / "i18n" / language).glob("*.json")):
        merged.update(json.loads(file.read_text(encoding="utf-8")))
    return merged


def text(key: str, language: str = "en", /, **params: object) -> str:
    """The text for `key` with its ``{placeholders}`` filled; English, then the key itself, where it is missing."""
    found = table(best(language)).get(key) or table("en").get(key, key)
    if not params:
        return found
    try:
        return found.format(**params)
    except (KeyError, IndexError, ValueError):  # a text that does not fit its values must not hide the message
        return found


def best(wanted: str) -> str:
    """The language we have for a locale name or an Accept-Language header: ``"zh_TW.UTF-8"`` gives ``"zh-CN"``."""
    for part in wanted.replace("_", "-").split(","):
        name = part.split(";")[0].strip().lower()
        if name.startswith("zh"):
            return "zh-CN"
        if name.startswith("en"):
            return "en"
    return "en"


def from_environment() -> str:
    """The language of the terminal we run in."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return best(value)
    return "en"
