"""Prompts of any length for encoders that read 75 tokens at a time: cut into chunks, each read as if it were alone.

CLIP was taught 77 tokens, one mark at each end. Longer prompts are read in pieces and their embeddings laid end to end,
as every program of AUTOMATIC1111's family does, so that its prompts mean the same here: BREAK ends a piece, and a
piece that is full ends behind its last comma where that is not far back, else before the word that would be cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.tasks.image import embedding_files
from studio.tasks.image.prompt_schedule import BREAK
from studio.tasks.image.prompt_weights import attention

NONE: Mapping[str, int] = {}
"""No embeddings."""
_PLACE = 0  # what is looked up where a vector takes its place; no mark, and so of no meaning to the encoder
BACK = 20
"""Tokens that may move into the next chunk so that a phrase stays whole."""

PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "LatentConsistencyModelPipeline")
"""Those that take embeddings of any length."""

_PARTS = ("text_encoder", "text_encoder_2")
_ENCODERS = ("CLIPTextModel", "CLIPTextModelWithProjection")


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a prompt.

    Attributes:
        comma: it is one. inside: it goes on with the word of the token before it.
        vector: the embedding, and which of its vectors, that take its place; None for a token of the vocabulary.
        whole: how many tokens from here on belong into one chunk.
    """

    id: int
    weight: float
    comma: bool = False
    inside: bool = False
    vector: tuple[str, int] | None = None
    whole: int = 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """What an encoder reads at once: as many tokens as it was taught, with their weights.

    Attributes:
        vectors: by place, what of an embedding stands there instead.
    """

    ids: list[int]
    weights: list[float]
    vectors: Mapping[int, tuple[str, int]] = field(default_factory=dict)


def declared(index: Mapping[str, Any]) -> bool:
    """Whether the pipeline that a model_index.json describes reads prompts of any length."""
    encoders = [index.get(name) for name in _PARTS]
    known = [value[1] for value in encoders if isinstance(value, list) and len(value) == 2 and value[1]]
    return index.get("_class_name") in PIPELINES and bool(known) and all(name in _ENCODERS for name in known)


def reads(pipe: Any) -> bool:
    """Whether this pipeline, or the one that it was made of, does."""
    encoders = [encoder for name in _PARTS if (encoder := getattr(pipe, name, None)) is not None]
    clip = bool(encoders) and all(type(encoder).__name__ in _ENCODERS for encoder in encoders)
    return clip and getattr(pipe, "unet", None) is not None


def split(tokenizer: Any, prompt: str, embeddings: Mapping[str, int] = NONE) -> list[list[Token]]:
    """The prompt's tokens in chunks, without the marks round them; at least one, which may be empty.

    Args:
        embeddings: names that stand for so many vectors instead of being words.
    """
    return cut(_segments(tokenizer, prompt, embeddings), room(tokenizer))


def room(tokenizer: Any) -> int:
    """Tokens of a prompt that fit between the marks of a chunk."""
    return int(tokenizer.model_max_length) - int(tokenizer.num_special_tokens_to_add())


def cut(segments: Sequence[Sequence[Token]], room: int) -> list[list[Token]]:
    """Segments between BREAKs in chunks of at most `room` tokens."""
    chunks: list[list[Token]] = []
    for segment in segments:
        here: list[Token] = []
        for token in segment:
            if here and token.whole > 1 and len(here) + token.whole > room:  # an embedding is not parted
                chunks.append(here)
                here = []
            if len(here) == room:
                at = _border(here, token)
                chunks.append(here[:at])
                here = here[at:]
            here.append(token)
        chunks.append(here)
    if len(chunks) > 1 and not chunks[-1]:
        chunks.pop()  # BREAK at the very end begins nothing
    return chunks


def whole(tokenizer: Any, tokens: Sequence[Token]) -> Chunk:
    """A chunk as the encoder reads it: marks round it, padding behind it."""
    marks = tokenizer("", verbose=False)["input_ids"]
    before, after = (marks[:1], marks[1:]) if len(marks) > 1 else ([], marks)
    ids = [*before, *(token.id for token in tokens), *after]
    weights = [*(1.0 for _ in before), *(token.weight for token in tokens), *(1.0 for _ in after)]
    missing = int(tokenizer.model_max_length) - len(ids)
    vectors = {at: token.vector for at, token in enumerate(tokens, len(before)) if token.vector is not None}
    return Chunk(ids + [tokenizer.pad_token_id] * missing, weights + [1.0] * missing, vectors)


def _border(here: Sequence[Token], following: Token) -> int:
    """Where a full chunk ends: behind its last comma, else before a word that goes on; unless that is far back."""
    full = len(here)
    if following.comma:
        return full
    for at in range(full, max(full - BACK, 0), -1):
        if here[at - 1].comma:
            return at
    start = full
    inside = following.inside
    while inside and start > 0:
        start, inside = start - 1, here[start - 1].inside
    return start if start > 0 and full - start <= BACK else full


def _segments(tokenizer: Any, prompt: str, embeddings: Mapping[str, int]) -> list[list[Token]]:
    """The tokens between BREAKs. The weight of one is that of the text in which it ends."""
    pieces = attention(prompt)
    text = "".join(words for words, _ in pieces)
    letters = [weight for words, weight in pieces for _ in words]
    found, start = [], 0
    for mark in [*BREAK.finditer(text), None]:
        end = mark.start() if mark else len(text)
        found.append(_with_embeddings(tokenizer, text[start:end], letters[start:end], embeddings))
        start = mark.end() if mark else end
    return found


def _with_embeddings(tokenizer: Any, text: str, letters: Sequence[float], embeddings: Mapping[str, int]) -> list[Token]:
    """The tokens, and in the place of each name as many as its embedding has vectors."""
    words = embedding_files.words(embeddings)
    by_name = {name.casefold(): name for name in embeddings}
    found, start = [], 0
    for match in [] if words is None else words.finditer(text):
        if (name := by_name.get(match[0].casefold())) is None:  # letters that are the same only when folded otherwise
            continue
        found += _tokens(tokenizer, text[start : match.start()], letters[start : match.start()])
        count, weight = embeddings[name], letters[match.end() - 1]
        found += [
            Token(_PLACE, weight, inside=at > 0, vector=(name, at), whole=1 if at else count) for at in range(count)
        ]
        start = match.end()
    return found + _tokens(tokenizer, text[start:], letters[start:])


def _tokens(tokenizer: Any, text: str, letters: Sequence[float]) -> list[Token]:
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    found, last = [], 0
    for id, (start, end) in zip(read["input_ids"], read["offset_mapping"], strict=True):
        inside = 0 < start == last and text[start - 1].isalnum() and text[start].isalnum()
        weight = letters[end - 1] if end > start else 1.0
        found.append(Token(id, weight, text[start:end].strip() == ",", inside))
        last = end
    return found
