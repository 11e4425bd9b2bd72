"""File names: a pattern with tokens, made safe for every file system.

    [date]/[time]-[prompt_words]-[seed]        2026-01-31/120000-a-red-house-7

Tokens, as other web UIs spell them: [seed] [steps] [cfg] [width] [height] [sampler] [model_name] [style] [date]
[time] [datetime<%Y-%m-%d>] [prompt] [prompt_words] [prompt_hash] [batch_number] [generation_number]; for music also
[tempo] [key] [metre] [bars]; for enlarged pictures [scale], the others being those of the painting that it was. What
is no token stays as it is. Only the pattern's own slashes make folders, and none of them leads out of the folder of
the outputs.

Pure: knows neither what exists on disk nor what is in the file.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from studio.recipes import origins
from studio.requests import PictureFormat
from studio.tasks.image.prompt_weights import plain

DEFAULT = "[date]/[time]-[prompt_words]-[seed]"
_ENLARGED = "[date]/[time]-[prompt_words]-x[scale]"
LONGEST_PATTERN = 300
MAX_FOLDERS = 4
MAX_BYTES = 110
"""Of one name: a number and two suffixes follow, and the shortest limit in use is 143 (eCryptfs)."""

_TOKEN = re.compile(r"\[(\w+)(?:<([^<>]*)>)?(?:<[^<>]*>)?\]")
_DATE = "%Y-%m-%d"
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Keep:
    """How finished pictures are written.

    Attributes:
        pattern: their names; empty for the usual one. Without a slash they lie in the day's folder.
        metadata: put prompt and recipe into the file. Without, the recipe lies beside it, so that the studio finds it.
        origin: how the file that they are made from was made, where it does not say so itself (studio.recipes.origins).
        fleeting: nothing of it is written, and a restart does not know it: a program has it, or has asked for what
            comes next.
    """

    pattern: str = ""
    format: PictureFormat = "png"
    metadata: bool = True
    origin: Mapping[str, Any] | None = None
    fleeting: bool = False


def name(pattern: str, recipe: Mapping[str, Any], number: int, now: datetime, words: str = "") -> str:
    """The path of a file below the outputs of its task, without its suffix; parts are joined by slashes.

    Args:
        pattern: empty for DEFAULT.
        recipe: of this file alone.
        number: its place in the batch, from 1.
        words: stands for the prompt where the recipe has none.
    """
    tokens = _tokens(recipe, number, now, words)

    def put(match: re.Match[str]) -> str:
        if match[1].casefold() == "datetime":
            return _flat(_date(now, match[2] or f"{_DATE} %H-%M-%S"))
        value = tokens.get(match[1].casefold())
        return match[0] if value is None or match[2] is not None else _flat(value)

    filled = _TOKEN.sub(put, (pattern or _usual(recipe))[:LONGEST_PATTERN])
    *folders, last = [_safe(part) for part in re.split(r"[/\\]", filled)]
    folders = [folder for folder in folders if folder][:MAX_FOLDERS]
    if not folders:
        folders = [now.strftime(_DATE)]
    return "/".join((*folders, last or "untitled"))


def _usual(recipe: Mapping[str, Any]) -> str:
    """DEFAULT, for music with its tempo and key where they are known, for an enlarged picture with how many times."""
    if recipe.get("task") == "upscale":
        told = origins.painting(recipe)
        return f"{DEFAULT}-x[scale]" if told["task"] == "image" and told["seed"] is not None else _ENLARGED
    played = recipe.get("played", {})
    known = ("-[tempo]bpm" if played.get("tempo") else "") + ("-[key]" if played.get("key") else "")
    return DEFAULT.replace("-[seed]", f"{known}-[seed]")


def slug(text: str, longest: int = 40) -> str:
    """`text` as part of a file name on any system: letters and digits of any script, joined by hyphens."""
    normal = unicodedata.normalize("NFC", text[: longest * 10]).casefold()
    words = "-".join(re.findall(r"[^\W_]+", normal))[:longest]
    return _cut(words, 2 * longest).strip("-") or "untitled"


def _tokens(recipe: Mapping[str, Any], number: int, now: datetime, words: str) -> dict[str, str]:
    scale, recipe = origins.factor(recipe), origins.painting(recipe)
    given = recipe["parameters"]
    own, styles = given.get("prompts"), given.get("styles")
    prompt = str(own[0] if isinstance(own, list) and own else given.get("prompt") or words)
    guidance, played = given.get("guidance_scale", ""), recipe.get("played", {})
    return {
        "seed": "" if recipe["seed"] is None or recipe.get("task") == "upscale" else str(recipe["seed"]),
        "scale": f"{scale:g}",
        "steps": str(given.get("steps", "")),
        "cfg": f"{guidance:g}" if isinstance(guidance, int | float) else str(guidance),
        "width": str(given.get("width", "")),
        "height": str(given.get("height", "")),
        "sampler": str(given.get("scheduler") or "Default"),
        "model_name": str(recipe["model"]["id"] or slug(recipe["model"].get("title", ""))),
        "tempo": f"{played.get('tempo', 0):.0f}" if played.get("tempo") else "",
        "key": slug(str(played.get("key", "")).replace("♯", "sharp").replace("♭", "flat")) if played.get("key") else "",
        "metre": str(played.get("metre", "")).replace("/", "-"),
        "bars": str(played.get("bars", "")),
        "style": "+".join(str(style) for style in styles) if isinstance(styles, list) else "",
        "date": now.strftime(_DATE),
        "time": now.strftime("%H%M%S"),
        "prompt": plain(prompt[:1000]),
        "prompt_words": slug(plain(prompt[:1000])),
        "prompt_hash": hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()[:8],
        "batch_number": str(number),
        "generation_number": str(number),
    }


def _date(now: datetime, form: str) -> str:
    try:
        return now.strftime(form)
    except ValueError:  # each system refuses others
        return now.strftime(_DATE)


def _flat(value: str, most: int = 80) -> str:
    """A token's value: it makes no folders, and leaves room for the other tokens."""
    return _cut(_FORBIDDEN.sub("-", unicodedata.normalize("NFC", value[:1000])).strip(), most)


def _safe(part: str) -> str:
    """One name of a path, as every system takes it; empty where nothing is left of it."""
    kept = (sign for sign in unicodedata.normalize("NFC", part) if unicodedata.category(sign)[0] != "C")
    plain_name = " ".join(_FORBIDDEN.sub("-", "".join(kept)).split())
    short = _cut(plain_name.lstrip(" .-~"), MAX_BYTES).rstrip(" .")
    return f"_{short}" if _RESERVED.fullmatch(short) else short


def _cut(text: str, most: int) -> str:
    """`text` without its end, so that it has at most `most` bytes: that is what file systems count."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
