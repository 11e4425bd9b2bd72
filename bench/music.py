"""How much of transformers' speed the studio lets through, for music.

Prints one ratio, measured in this run: seconds a piece through the studio, made equally loud and saved with its recipe,
against the bare model called with the same prompt and settings (aim: at most 1.05). The two take turns; the median of
each round's ratio counts. Takes MusicGen small where it is on disk, else a model of its configuration with random
weights, which takes the same time (2.4 GB in a temporary folder).

    python bench/music.py [--seconds 2] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import here

from studio import settings
from studio.requests import MusicRequest
from studio.service import Studio

MODEL, PROMPT, GUIDANCE, TOP_K = "musicgen-small", "calm piano with soft strings", 3.0, 250
PAUSE = 0.5
"""Before each piece: torch's threads of the other side still look for work for a while."""


def random_small(folder: Path) -> None:
    """A model of MusicGen small's build."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        EncodecConfig,
        MusicgenConfig,
        MusicgenForConditionalGeneration,
        PreTrainedTokenizerFast,
        T5Config,
    )
    from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

    words = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *PROMPT.split()])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    reader = T5Config(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12, vocab_size=32128)
    codec = EncodecConfig(
        sampling_rate=32_000, upsampling_ratios=[8, 5, 4, 4], num_filters=64, hidden_size=128, codebook_size=2048,
        codebook_dim=128, target_bandwidths=[2.2], normalize=False, use_causal_conv=False, chunk_length_s=None,
    )  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=2048, num_codebooks=4, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, ffn_dim=4096,
        pad_token_id=2048, bos_token_id=2048,
    )  # fmt: skip
    model: Any = MusicgenForConditionalGeneration(
        MusicgenConfig(text_encoder=reader.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict())
    )
    for name in ("decoder_start_token_id", "pad_token_id", "bos_token_id"):
        setattr(model.generation_config, name, 2048)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)


def bare(files: Path) -> tuple[Any, Any]:
    """The model and its tokenizer as transformers loads them."""
    import torch
    from transformers import AutoTokenizer, MusicgenForConditionalGeneration

    model: Any = MusicgenForConditionalGeneration.from_pretrained(files, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(files)


def bare_seconds(model: Any, tokenizer: Any, length: float, seed: int) -> float:
    import torch

    time.sleep(PAUSE)
    began = time.perf_counter()
    inputs = tokenizer([PROMPT], padding=True, return_tensors="pt")
    torch.manual_seed(seed)
    tokens = round(length * model.config.audio_encoder.frame_rate) + model.config.decoder.num_codebooks - 1
    model.generate(
        input_ids=inputs.input_ids, attention_mask=inputs.attention_mask, max_new_tokens=tokens, do_sample=True,
        guidance_scale=GUIDANCE, temperature=1.0, top_k=TOP_K,
    )  # fmt: skip
    return time.perf_counter() - began


def studio_seconds(studio: Studio, length: float, seed: int) -> float:
    request = MusicRequest(
        prompt=PROMPT, model="bench", duration=length, guidance_scale=GUIDANCE, temperature=1.0, top_k=TOP_K, seed=seed
    )
    time.sleep(PAUSE)
    began = time.perf_counter()
    studio.submit(request).result()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a piece")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds; the median counts")
    options = parser.parse_args()
    quiet = import_module("transformers.utils.logging")
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        files = here.files_of(MODEL)
        if files is None:
            print("model: random weights, MusicGen small's configuration")
            random_small(files := Path(folder) / "model")
        card = f'[models.bench]\ntask = "music"\nengine = "musicgen"\npath = "{files.as_posix()}"\n'
        (home / "models.toml").write_text(card + 'options = { dtype = "float32" }\n')
        with Studio(settings.Settings(home=home)) as studio:
            model, tokenizer = bare(files)
            studio_seconds(studio, 1, 0), bare_seconds(model, tokenizer, 1, 0)  # both warm
            rounds = [
                (bare_seconds(model, tokenizer, options.seconds, seed), studio_seconds(studio, options.seconds, seed))
                for seed in range(1, options.rounds + 1)
            ]
    for name, column in (("transformers", 0), ("studio", 1)):
        print(f"{name:<13} {statistics.median(times[column] for times in rounds):.2f} s a piece")
    print(f"ratio         {statistics.median(ours / theirs for theirs, ours in rounds):.3f} (aim: at most 1.05)")


if __name__ == "__main__":
    main()
