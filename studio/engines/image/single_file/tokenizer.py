"""CLIP's tokenizer, made of the list of pairs that comes with the studio: no checkpoint carries one."""

from __future__ import annotations

import gzip
from functools import cache
from typing import Any

from studio.engines.shared.torch_loading import library
from studio.i18n import ASSETS

_ENDS = ("<|startoftext|>", "<|endoftext|>")
_LENGTH = 77


@cache
def _pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary, and the pairs of which it is made: each byte, each byte at the end of a word, each pair."""
    lines = gzip.decompress((ASSETS / "clip" / "merges.txt.gz").read_bytes()).decode().splitlines()
    merges = [(first, second) for first, _, second in (line.partition(" ") for line in lines)]
    letters = list(library("transformers.convert_slow_tokenizer").bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *(first + second for first, second in merges), *_ENDS]
    return {word: number for number, word in enumerate(words)}, merges


def clip_tokenizer(pad: str = _ENDS[1]) -> Any:
    """The tokenizer that all CLIPs of pictures share.

    Args:
        pad: what fills a prompt up; OpenCLIP's take "!", whose number is 0.
    """
    vocabulary, merges = _pairs()
    pairs: Any = list(merges)
    return library("transformers").CLIPTokenizer(
        vocab=dict(vocabulary), merges=pairs, pad_token=pad, model_max_length=_LENGTH
    )
