"""Fill-in-the-middle: the marks of each family of models, and in which order they stand.

Knows no tokenizer, no model and no torch: the engines ask whether a vocabulary has a family's tokens. The templates
are those of the models' own cards and papers (Qwen2.5-Coder, CodeGemma, StarCoder, Code Llama, DeepSeek-Coder,
Codestral, Seed-Coder, CodeGeeX4, Mellum).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

STOPS = (
    "<|endoftext|>",
    "<|im_end|>",
    "<|im_start|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|file_sep|>",
    "<|file_separator|>",
    "<|repo_name|>",
    "<file_sep>",
    "<repo_name>",
    "<|EOT|>",
    "<eos>",
    "</s>",
)
"""Marks that end a document or a turn in one family or another. None of them is code that a person wants."""


@dataclass(frozen=True, slots=True)
class FimFamily:
    """One way to write fill-in-the-middle prompts.

    Attributes:
        prefix, suffix, middle: the tokens around the text; `middle` is empty where the prompt ends with the prefix.
        suffix_first: the suffix comes before the prefix.
        known_by: a token that tells it from another family whose marks are written alike.
        stops: strings that end the answer and are never part of it.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    suffix_first: bool = False
    ends: tuple[str, ...] = ()
    known_by: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[str, ...]:
        """The family's own tokens. A vocabulary that has them all belongs to the family."""
        return tuple(token for token in (self.prefix, self.suffix, self.middle, *self.known_by) if token)

    @property
    def stops(self) -> tuple[str, ...]:
        return (*self.ends, *self.tokens, *STOPS)

    def pieces(self, prefix: str, suffix: str) -> tuple[tuple[bool, str], ...]:
        """The prompt in order, as (is a special token, text): user text must not be read as special tokens."""
        before, after = ((True, self.prefix), (False, prefix)), ((True, self.suffix), (False, suffix))
        order = (*after, *before) if self.suffix_first else (*before, *after)
        return (*order, (True, self.middle)) if self.middle else order

    def prompt(self, prefix: str, suffix: str) -> str:
        """The prompt as one string, for a tokenizer that reads special tokens in text."""
        return "".join(text for _, text in self.pieces(prefix, suffix))


FAMILIES = (
    FimFamily("qwen", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", ends=("<|fim_pad|>",)),
    FimFamily("seed", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>", suffix_first=True),
    FimFamily("glm", "<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>", suffix_first=True, ends=("<|user|>",)),
    FimFamily(
        "mellum",
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
        suffix_first=True,
        ends=("<fim_pad>",),
        known_by=("<|im_start|>",),
    ),
    FimFamily("starcoder", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", ends=("<fim_pad>",)),
    FimFamily("santacoder", "<fim-prefix>", "<fim-suffix>", "<fim-middle>", ends=("<fim-pad>",)),
    FimFamily("codellama", "▁<PRE>", "▁<SUF>", "▁<MID>", ends=("▁<EOT>", "<EOT>")),
    FimFamily("codellama-plain", "<PRE>", "<SUF>", "<MID>", ends=("<EOT>",)),
    FimFamily("deepseek", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", ends=("<｜end▁of▁sentence｜>",)),
    FimFamily("codestral", "[PREFIX]", "[SUFFIX]", "", suffix_first=True, ends=("[MIDDLE]",)),
)
"""Tried in order; where the marks of two are alike, the one with one more to know it by comes first. Qwen's are
CodeGemma's and Granite 4's as well, StarCoder's those of StarCoder 2, Stable Code and earlier Granite."""


def fim_family(has_token: Callable[[str], bool], name: str = "") -> FimFamily | None:
    """The family whose tokens a vocabulary has, or None: such a model can only go on from left to right.

    Args:
        name: the family that it is said to be of, where tokens alone would tell another.
    """
    if name:
        named = next((family for family in FAMILIES if family.name == name), None)
        return named if named and all(map(has_token, named.tokens[:3])) else None
    return next((family for family in FAMILIES if all(map(has_token, family.tokens))), None)


def left_to_right(prefix: str) -> tuple[str, str]:
    """The prompt for a model that only writes on, and the white space before the cursor that it leaves out.

    Tokens of code begin with their white space, so a prompt that ends in some makes the model write something else
    than it would have. Give the second part to `CompletionCleaner`: the answer brings that white space again.
    """
    prompt = prefix.rstrip()
    return (prompt, prefix[len(prompt) :]) if prompt else (prefix, "")
