"""GGUF files: what one says about its model beside the weights, and its tokenizer as llama.cpp runs it.

The header is read once, without loading the model (studio.store.gguf). Tokens are counted by llama.cpp itself, over
the port that it opens on loopback: the library hands out no other way.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.store.gguf import read_header

_CONTROL = 3  # a token's type: it steers the model and is no text
_WANTED = ("tokenizer.chat_template", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type",
           "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_bos_token")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """A model's own words.

    Attributes:
        template: its chat template; empty where it has none, as base models have not.
        tokens: its vocabulary and the number of each token.
        special: tokens that are no text: they end a turn, open one, or mark a gap.
        bos, eos: the tokens that begin and end a text; empty where there is none.
    """

    template: str
    tokens: Mapping[str, int]
    special: frozenset[str]
    bos: str
    eos: str


def read_facts(file: Path) -> Facts:
    """What `file` says.

    Raises:
        ValueError: it is damaged.
    """
    found = read_header(file, _WANTED).values
    tokens, kinds = found.get("tokenizer.ggml.tokens", []), found.get("tokenizer.ggml.token_type", [])
    if not isinstance(tokens, list) or not isinstance(kinds, list):
        raise ValueError("its vocabulary is none")

    def token(key: str) -> str:
        at = found.get(f"tokenizer.ggml.{key}_token_id")
        return str(tokens[at]) if isinstance(at, int) and 0 <= at < len(tokens) else ""

    special = frozenset(str(text) for text, kind in zip(tokens, kinds, strict=False) if kind == _CONTROL and text)
    template = found.get("tokenizer.chat_template", "")
    numbers = {str(text): number for number, text in enumerate(tokens)}
    return Facts(template if isinstance(template, str) else "", numbers, special, token("bos"), token("eos"))


class Tokenizer:
    """The model's own tokenizer, asked over the loopback port of its server."""

    def __init__(self, address: str, key: str) -> None:
        """Args: address: as the server says it, ``http://127.0.0.1:4711``; key: what it lets in."""
        host, _, port = address.rpartition("//")[2].rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=120)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def tokens(self, text: str, *, special: bool = False, opening: bool = False) -> list[int]:
        """`text` as tokens.

        Args:
            special: special tokens in the text are read as such, not letter by letter.
            opening: put the token in front that begins a text, where the model wants one.

        Raises:
            OSError: the server does not answer.
        """
        return self._ask({"content": text, "parse_special": special, "add_special": opening})

    def pieces(self, text: str) -> list[tuple[int, bytes]]:
        """`text` as tokens with their bytes, behind the one that begins a text. Raises OSError as `tokens`."""
        told = self._ask({"content": text, "parse_special": False, "add_special": True, "with_pieces": True})
        return [
            (one["id"], one["piece"].encode() if isinstance(one["piece"], str) else bytes(one["piece"])) for one in told
        ]

    def _ask(self, asked: dict[str, Any]) -> list[Any]:
        body = json.dumps(asked)
        for last in (False, True):
            try:
                self._connection.request("POST", "/tokenize", body, self._headers)
                return json.loads(self._connection.getresponse().read())["tokens"]
            except (http.client.HTTPException, OSError):  # it was idle for long, and the server hung up
                self._connection.close()
                if last:
                    raise
        return []

    def close(self) -> None:
        self._connection.close()
