"""Code from a recipe: the request that completes the same gap again, from values that strangers may have written.

The text round the gap is in the recipe. Other files are there by name and hash only, since they are somebody's work
and may be large: who has them gives them back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.recipes.recipe import text_hash
from studio.request_parts import CodeFile
from studio.requests import CodeRequest

MAX_FILES = 64
_TEXTS = ("prefix", "suffix", "language", "path")
_SWITCHES = ("fill_in_middle",)
_NUMBERS = {"max_tokens": int, "temperature": float, "top_p": float, "count": int}


def code_request(
    made: Mapping[str, Any], text_of: Callable[[str], str | None] = lambda _: None
) -> tuple[CodeRequest, tuple[str, ...]] | None:
    """The request that a recipe describes, and the names of other files that were not found as they were.

    Every value is judged by type, and what does not fit is left to its default; studio.tasks.limits judges the rest.

    Args:
        made: a recipe (studio.recipes.recipe).
        text_of: the text of a file now, by its name in the recipe; None where nobody has it.

    Returns:
        None where the recipe is no code's, or has no text round a gap.
    """
    given = made["parameters"]
    if made["task"] != "code" or not isinstance(given.get("prefix"), str):
        return None
    found: dict[str, Any] = {name: given[name] for name in _TEXTS if isinstance(given.get(name), str)}
    found |= {name: given[name] for name in _SWITCHES if isinstance(given.get(name), bool)}
    for name, kind in _NUMBERS.items():
        value = given.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9:
            found[name] = kind(value)
    files: list[CodeFile] = []
    missing: list[str] = []
    listed = given.get("files")
    for one in listed[:MAX_FILES] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            continue
        text = text_of(one["name"])
        if text is None or text_hash(text)["sha256"] != one.get("sha256"):
            missing.append(one["name"])
        else:
            files.append(CodeFile(one["name"], text))
    request = CodeRequest(**found, files=tuple(files), model=made["model"]["id"], seed=made["seed"])
    return request, tuple(missing)
