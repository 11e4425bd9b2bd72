"""The token guard counts as CLIP does. The witness is the tokenizers library, with CLIP's list of pairs."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from studio.tasks.caption import tokens
from studio.tasks.caption.edits import MODES, Edits, written

SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

TEXTS: dict[str, str] = json.loads(
    (Path(__file__).parents[3] / "data" / "caption_texts.json").read_text(encoding="utf-8")
)
"""Captions of more than 77 tokens, each of another kind."""
ENGLISH = TEXTS["English"]
BITS = [word for text in TEXTS.values() for word in text.replace(",", " ,").split()]
spoken = st.lists(st.sampled_from(BITS), max_size=150).map(" ".join)


@cache
def clip() -> Tokenizer:
    """CLIP's tokenizer, in the program code of another project."""
    lines = gzip.decompress(tokens.MERGES.read_bytes()).decode().splitlines()
    merges: list[Any] = [tuple(line.split(" ")) for line in lines]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge) for merge in merges)]
    made = Tokenizer(models.BPE(
        vocab={word: index for index, word in enumerate(words)}, merges=merges, end_of_word_suffix="</w>",
        continuing_subword_prefix="",
    ))  # fmt: skip
    parts: list[Any] = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    made.normalizer = normalizers.Sequence(parts)  # pyright: ignore[reportAttributeAccessIssue]
    made.pre_tokenizer = pre_tokenizers.Sequence([  # pyright: ignore[reportAttributeAccessIssue]
        pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    return made


def true_count(text: str) -> int:
    """With the tokens of beginning and end."""
    return len(clip().encode(text).ids) + 2


def test_the_list_is_clips_own() -> None:
    lines = gzip.decompress(tokens.MERGES.read_bytes()).decode().splitlines()
    assert len(lines) == 49_152 - 256 - 2
    assert (lines[0], lines[-1]) == ("i n", "jeky ll</w>")
    assert "MIT License" in (tokens.MERGES.parent / "LICENSE").read_text()


@pytest.mark.parametrize("name", TEXTS)
def test_every_kind_of_text_is_counted_exactly(name: str) -> None:
    assert tokens.count(TEXTS[name]) + tokens.FRAME == true_count(TEXTS[name])


@given(st.one_of(st.text(max_size=60), spoken))
def test_any_text_is_counted_exactly(text: str) -> None:
    assert tokens.count(text) + tokens.FRAME == true_count(text)


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a photo of a cat", 5), ("2025", 4), ("don't", 2), ("...", 1)])
def test_well_known_counts(text: str, count: int) -> None:
    assert tokens.count(text) == count


@pytest.mark.parametrize("limit", [75, 77, 150, 225])
@pytest.mark.parametrize("name", TEXTS)
def test_what_is_kept_fits_and_the_next_word_would_not(name: str, limit: int) -> None:
    text = TEXTS[name]
    made = written("", text, "overwrite", Edits(token_limit=limit))
    assert true_count(made.text) == made.tokens <= limit
    if true_count(text) <= limit:
        assert (made.text, made.cut) == (text, "")
        return
    assert text.startswith(made.text)
    assert text.endswith(made.cut)
    if name in ("booru", "artists"):  # the next tag
        more = text[: len(made.text) + 1] + text[len(made.text) + 1 :].partition(",")[0]
        assert text[len(made.text)] == ","
    elif name == "Chinese":  # up to the next comma
        more = made.text + "，" + text[len(made.text) + 1 :].partition("，")[0]
    else:  # three words at most: a cut sentence does not end on "in the"
        more = made.text + " ".join(text[len(made.text) :].split(" ")[:4])
        assert made.text[-1] != " "
        assert text[len(made.text)] in " ," or name == "emoji"
    assert true_count(more) > limit


def test_a_sentence_with_commas_is_cut_at_a_word_and_not_at_its_last_comma() -> None:
    assert true_count(ENGLISH) == 80
    made = written("", ENGLISH, "overwrite", Edits(token_limit=77))
    assert made.tokens >= 75
    assert made.text.endswith("a lighthouse painted")


@given(spoken, spoken, st.sampled_from(MODES[1:]), st.integers(10, 100))
def test_no_text_grows_beyond_the_limit_and_no_word_is_cut(old: str, new: str, mode: str, limit: int) -> None:
    made = written(old, new, mode, Edits(token_limit=limit))  # type: ignore[arg-type]
    own = true_count(old.strip()) if mode != "overwrite" else 2
    assert true_count(made.text) <= max(limit, own)
    if made.cut and made.text.isascii() and mode == "overwrite":
        assert {word.strip(",") for word in made.text.split()} <= {word.strip(",") for word in new.split()}


def test_between_emoji_there_is_room_for_a_cut_and_inside_of_one_there_is_not() -> None:
    made = written("", "👩‍👩‍👧" * 30, "overwrite", Edits(token_limit=40))
    assert made.text
    assert made.text.removesuffix("👩‍👩‍👧") != made.text
