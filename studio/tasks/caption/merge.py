"""Merging a new caption into a text: only what it does not say yet, so that running a folder again adds nothing twice.

Tags are compared one by one, sentences one by one: large and small letters, the width of signs, spaces and underscores
do not count, and `\\(` is `(`, as prompts write it. The order stays. Pure.
"""

from __future__ import annotations

import re
import unicodedata

_PARTS = re.compile(r"(?<!\\)[,，、;；\n]")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_EDGES = " \t\r\n,，、;；.。!！"
_SHORT = 3.5
"""Words that the parts of a list have at most, on the average; those of a sentence have more."""
_WIDE = re.compile(r"[\u2e80-\uffef]")


def folded(text: str) -> str:
    """What two ways to write one tag or one sentence have in common."""
    flat = unicodedata.normalize("NFKC", text).casefold().replace("\\(", "(").replace("\\)", ")")
    flat = re.sub(r"(?<=\w)_+(?=[\w(])|(?<=\))_+(?=\w)", " ", flat)
    return " ".join(flat.split()).strip(_EDGES) or " ".join(flat.split())


_PARTING = " \t\r\n,，、;；"
"""What only parts: a caption of nothing else says nothing."""


def news(old: str, new: str, tags: bool) -> str:
    """The parts of `new` that are not in `old`, each once; all of it where there are none of them.

    Args:
        tags: they are tags. Else whole sentences are compared, and what has no full stop is one.
    """
    known = {folded(part) for part in _PARTS.split(old)}
    # a tag that follows a full stop, or is followed by one, shares its part with a sentence
    known |= {folded(one) for part in _PARTS.split(old) for one in _SENTENCES.split(part)}
    found: list[str] = []
    for part in _PARTS.split(new) if tags else _SENTENCES.split(new):
        name = folded(part)
        if part.strip(_PARTING) and name not in known and not (not tags and _stands(old, name)):
            found.append(part.strip())
            known.add(name)
    return _joint(new, tags).join(found)


def is_list(text: str) -> bool:
    """Whether a text is a list of tags rather than sentences: many short parts, no full stop inside."""
    parts = [part for part in _PARTS.split(text) if part.strip()]
    if len(parts) < 3 or re.search(r"[.!?]\s|[。！？]", text):
        return False
    if _WIDE.search(text):
        return sum(len(part.strip()) for part in parts) / len(parts) <= 6
    return sum(len(part.split()) for part in parts) / len(parts) <= _SHORT


def says(old: str, new: str) -> bool:
    """Whether the words of `new` stand in `old` one after another, wherever that is."""
    return re.search(rf"(?<!\w){re.escape(folded(new))}(?!\w)", folded(old)) is not None


def _stands(old: str, name: str) -> bool:
    """Whether a folded sentence stands in a text, between its ends, stops, commas or lines."""
    lines = folded(re.sub(r"\s*\n\s*", "; ", old))
    return re.search(rf"(?:^|[,;.!?。、]) ?{re.escape(name)} ?(?:$|[,;.!?。、])", lines) is not None


def _joint(text: str, tags: bool) -> str:
    if not tags:
        return "" if re.search(r"[。！？]", text) else " "
    return "，" if "，" in text else "、" if "、" in text else ", "
