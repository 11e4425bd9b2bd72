"""Length of a caption in CLIP's tokens, of which it reads 77: counted with its own vocabulary.

A text in small letters is split into words, single digits and runs of signs; each of these is bytes, which are joined
pair by pair in the order in which CLIP learnt the pairs. The list of pairs is assets/clip, with its licence.
"""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise

from studio.settings import ROOT

FRAME = 2
"""The tokens for beginning and end, which every text gets."""
MERGES = ROOT / "assets" / "clip" / "merges.txt.gz"
_ENDINGS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def count(text: str) -> int:
    """Tokens of `text`, without the two for its beginning and end."""
    return sum(_of(piece) for piece in pieces(text))


def pieces(text: str) -> Iterator[str]:
    """What is never joined with its neighbours: a word, a digit, a run of other signs, an ending like "'s"."""
    text = unicodedata.normalize("NFC", text).lower()
    at = 0
    while at < len(text):
        ending = next((one for one in _ENDINGS if text.startswith(one, at)), "")
        kind = _kind(text[at])
        end = at + (len(ending) or 1)
        if not ending and kind in "LO":
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if kind != " ":
            yield text[at:end]
        at = end


def _kind(sign: str) -> str:
    """L for a letter, N for a digit, a space for a space, O for all others."""
    if sign.isspace() and sign not in "\x1c\x1d\x1e\x1f":
        return " "
    category = unicodedata.category(sign)[0]
    return category if category in "LN" else "O"


@lru_cache(maxsize=20_000)
def _of(piece: str) -> int:
    """How many tokens one piece is."""
    ranks, letters = _ranks(), _letters()
    parts = [letters[byte] for byte in piece.encode("utf-8", "replace")]
    parts[-1] += "</w>"
    while len(parts) > 1:
        ranked = [(ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in ranks]
        if not ranked:
            break
        at = min(ranked)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return len(parts)


@cache
def _ranks() -> dict[tuple[str, str], int]:
    """Each pair that is joined, and when it was learnt."""
    lines = gzip.decompress(MERGES.read_bytes()).decode().splitlines()
    return {(first, second): rank for rank, (first, _, second) in enumerate(line.partition(" ") for line in lines)}


@cache
def _letters() -> list[str]:
    """The visible sign by which the list names each byte: its own where it has one, else those from U+0100 on."""
    own = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in own else next(others)) for byte in range(256)]
