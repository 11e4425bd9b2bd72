"""A prompt as a small model reads it: Chinese word by word in English, and things by the names that it knows.

In Chinese the longest known word wins at each place (forward maximum matching). Of an English prompt only the thing
itself is looked up, the last words before the first comma: "a blue gift, flat style" is "a blue wrapped gift, flat
style" for a model that has learnt presents by that name. The table comes with the model's files.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

FILE = "glossary.json"
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_SIGNS = str.maketrans(
    dict(zip("，。、；：（）！？", (", ", ". ", ", ", "; ", ": ", "(", ")", ". ", ". "), strict=True))
)
_SUBJECT = re.compile(r"[A-Za-z][A-Za-z' -]*[A-Za-z](?=\s*(?:,|$))")
"""Plain words up to the first comma; a prompt with weights or brackets is taken at its word."""
_WORD = re.compile(r"[A-Za-z'-]+")
_NAME = 8
"""Words of a name at most."""
_MAX_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """The prompt as the model gets it, and the words that the table does not know."""

    prompt: str
    unknown: tuple[str, ...] = ()


def load_glossary(files: Path) -> Mapping[str, str]:
    """The table beside a model's files; empty where there is none or it is damaged. Read once while it stays the same:
    counting the tokens of a prompt asks for it at every pause in typing."""
    file = files / FILE
    try:
        found = file.stat()
    except OSError:
        return {}
    return _table(file, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=8)
def _table(file: Path, modified: int, size: int) -> Mapping[str, str]:  # noqa: ARG001
    if size > _MAX_BYTES:
        return {}
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(table, dict):
        return {}
    said = {word: words for word, words in table.items() if isinstance(word, str) and isinstance(words, str) and word}
    return MappingProxyType(said)


def chinese(text: str) -> bool:
    """Whether a text has Chinese words."""
    return bool(_CHINESE.search(text))


def read_prompt(prompt: str, table: Mapping[str, str]) -> Reading:
    """The prompt with its Chinese words in English and its thing by the name that is known; the rest stays."""
    if not table:
        return Reading(prompt)
    if not _CHINESE.search(prompt):
        return Reading(_named(prompt, table))
    longest = max(map(len, table))
    unknown: list[str] = []

    def words(match: re.Match[str]) -> str:
        text, at, said, missing = match.group(), 0, [], ""
        while at < len(text):
            size = next((n for n in range(min(longest, len(text) - at), 0, -1) if text[at : at + n] in table), 0)
            if not size:
                missing += text[at]
                at += 1
                continue
            if missing:
                unknown.append(missing)
                missing = ""
            said.append(table[text[at : at + size]])
            at += size
        if missing:
            unknown.append(missing)
        return f" {' '.join(filter(None, said))} "

    read_as = _CHINESE.sub(words, prompt.translate(_SIGNS))
    tidy = re.sub(r"([(\[{|])\s+|\s+(?=[,.;:)\]}|])", r"\1", re.sub(r"\s+", " ", read_as)).strip(" ,")
    return Reading(_named(tidy, table), tuple(dict.fromkeys(unknown)))


def _named(prompt: str, table: Mapping[str, str]) -> str:
    """The prompt with the thing that it asks for called as the model knows it; the longest name wins."""
    found = _SUBJECT.match(prompt)
    if found is None:
        return prompt
    words = [(match.start(), match.group().lower()) for match in _WORD.finditer(found[0])]
    for first in range(max(len(words) - _NAME, 0), len(words)):
        name = " ".join(word for _, word in words[first:])
        if (known := table.get(name)) is not None:
            return prompt if known == name else prompt[: words[first][0]] + known + prompt[found.end() :]
    return prompt
