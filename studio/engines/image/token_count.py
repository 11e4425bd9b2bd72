"""Length of a prompt in tokens, and how much of it a diffusers pipeline reads, from its tokenizer alone.

No weights are read and torch computes nothing, so this may run beside anything else, on any thread.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.engines.image import prompt_chunks
from studio.engines.shared.torch_loading import library
from studio.results import Tokens
from studio.tasks.image.prompt_schedule import BREAK, timetable
from studio.tasks.image.prompt_weights import plain

_LENGTHS = {
    "StableDiffusion3Pipeline": 256,
    "PixArtSigmaPipeline": 300,
    "ZImagePipeline": 512,
    "Flux2KleinPipeline": 512,
    "FluxPipeline": 512,
    "FluxKontextPipeline": 512,
    "QwenImagePipeline": 1024,
    "QwenImageEditPipeline": 1024,
    "QwenImageEditPlusPipeline": 1024,
    "SanaPipeline": 300,
    "SanaSprintPipeline": 300,
}
"""Tokens that these read unless the card says otherwise; the others read what their tokenizer says."""

_TALKS = ("ZImagePipeline", "Flux2KleinPipeline")
"""Those that put the prompt into a message of a chat first."""

_STEPS = 20  # of which the first is measured

_lock = threading.Lock()
_cache: dict[str, tuple[int, Any]] = {}


def count(card: Card, files: Path, prompt: str, embeddings: Mapping[str, int] = prompt_chunks.NONE) -> Tokens:
    """Tokens of the prompt without its weights and without those that every prompt gets; what is not read of it.

    Of a prompt that changes from step to step, what it is at first. All zero where the folder has no tokenizer that
    can be read.

    Args:
        embeddings: names that stand for so many vectors, where the model reads them.
    """
    try:
        index = json.loads((files / "model_index.json").read_text(encoding="utf-8"))
        pipeline, first = str(index["_class_name"]), timetable(prompt, _STEPS)[0]
        with _lock:  # a fast tokenizer gives wrong answers to two threads at once
            tokenizer = _tokenizer(_folder(files, pipeline))
            if not prompt_chunks.declared(index):
                return _measured(tokenizer, card, pipeline, plain(BREAK.sub(" ", first)))
            chunks = prompt_chunks.split(tokenizer, first, embeddings)
            return Tokens(sum(map(len, chunks)), len(chunks) * prompt_chunks.room(tokenizer), "")
    except Exception:  # nobody wrote a tokenizer for this; a count is no reason to fail
        return Tokens(0, 0, "")


def widths(files: Path) -> tuple[int, ...]:
    """Widths of the CLIP encoders in a pipeline's folder, in their order; none where that cannot be read."""
    try:
        parts = (files / name / "config.json" for name in ("text_encoder", "text_encoder_2"))
        found = [json.loads(file.read_text(encoding="utf-8")) for file in parts if file.is_file()]
        return tuple(int(each["hidden_size"]) for each in found)
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def of_checkpoint(tokenizer: Any | None, prompt: str, embeddings: Mapping[str, int] = prompt_chunks.NONE) -> Tokens:
    """The same for a checkpoint of one file, whose CLIP reads any length.

    Args:
        tokenizer: None for a model that reads in another way: nobody counts then.
    """
    if tokenizer is None:
        return Tokens(0, 0, "")
    with _lock:
        chunks = prompt_chunks.split(tokenizer, timetable(prompt, _STEPS)[0], embeddings)
    return Tokens(sum(map(len, chunks)), len(chunks) * prompt_chunks.room(tokenizer), "")


def excess(tokenizer: Any, card: Card, pipeline: str, prompt: str) -> int:
    """Tokens of the prompt that a model that reads no chunks will not see."""
    with _lock:
        found = _measured(tokenizer, card, pipeline, plain(BREAK.sub(" ", timetable(prompt, _STEPS)[0])))
    return max(0, found.count - found.limit) if found.limit else 0


def _folder(files: Path, pipeline: str) -> Path:
    third = files / "tokenizer_3"  # of Stable Diffusion 3's readers the one that reads furthest
    return third if pipeline == "StableDiffusion3Pipeline" and third.is_dir() else files / "tokenizer"


def _tokenizer(folder: Path) -> Any:
    """The tokenizer in this folder; read again where one of its files changed."""
    changed = max(file.stat().st_mtime_ns for file in folder.iterdir())
    known = _cache.get(str(folder))
    if known is None or known[0] != changed:
        if len(_cache) >= 4:
            _cache.clear()
        reader = library("transformers").AutoTokenizer  # also while a model is loaded on another thread
        known = _cache[str(folder)] = (changed, reader.from_pretrained(folder, local_files_only=True))
    return known[1]


def _measured(tokenizer: Any, card: Card, pipeline: str, text: str) -> Tokens:
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=tokenizer.is_fast, verbose=False)
    number = len(read["input_ids"])
    limit = int(card.options.get("max_sequence_length") or _LENGTHS.get(pipeline) or tokenizer.model_max_length)
    if limit > 1_000_000:  # transformers writes "no limit" as a very large number
        return Tokens(number, 0, "")
    limit -= _around(tokenizer) if pipeline in _TALKS else tokenizer.num_special_tokens_to_add()
    cut = ""
    if number > limit and tokenizer.is_fast:
        cut = text[read["offset_mapping"][max(limit, 0)][0] :].strip()
    return Tokens(number, max(limit, 0), cut)


def _around(tokenizer: Any) -> int:
    """Tokens of the message round a prompt."""
    message = [{"role": "user", "content": ""}]
    text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])
