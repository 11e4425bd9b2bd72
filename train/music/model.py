"""The composer's network: a GPT-2 of 2.8 million parameters over the words of `studio.tasks.music.melody_tokens`."""

# transformers is imported lazily and typed more narrowly than it is used:
# pyright: reportPrivateImportUsage=false, reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from studio.tasks.music.melody_tokens import END, PART, START, WORDS
from train.music import data
from train.run import Run

LONGEST = 640
"""Words of a piece; of a longer one the last parts are left out."""
STUDIED = 400
"""Words of a piece in training: two parts or three."""
BATCH = 24
RATE = 1e-3
_IDS = {word: index for index, word in enumerate(WORDS)}


def build() -> Any:
    """An untrained GPT2LMHeadModel."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(WORDS), n_positions=LONGEST, n_embd=192, n_layer=6, n_head=6,
            activation_function="gelu_pytorch_tanh",  # gelu_new in one operation
            resid_pdrop=0.1, embd_pdrop=0.1, attn_pdrop=0.0,  # chances for every pair of words cost a third of a step
            bos_token_id=_IDS[START], eos_token_id=_IDS[END], pad_token_id=_IDS["pad"],
            attn_implementation="eager",  # the backward of PyTorch's fused attention halves the pace on a CPU
        )
    )  # fmt: skip


def tokenizer() -> Any:
    """The words as transformers reads them: one a token, with spaces between."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel(_IDS, unk_token="pad"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]
    return made


def ship(folder: Path, target: Path) -> None:
    """Write the checkpoint as transformers lays it out, in half precision."""
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

    model = GPT2LMHeadModel.from_pretrained(folder / "model", dtype=torch.float16)
    model.save_pretrained(target, max_shard_size="9MB")
    words = PreTrainedTokenizerFast(tokenizer_object=tokenizer(), bos_token=START, eos_token=END, pad_token="pad")
    words.save_pretrained(target)


def numbers(words: list[str], most: int = LONGEST) -> list[int]:
    """Words as the network counts them, cut before the first part that does not fit whole."""
    if len(words) > most:
        ends = [place for place, word in enumerate(words[:most]) if word == PART]
        words = words[: ends[-1] if len(ends) > 1 else most]
    return [_IDS[word] for word in words]


def train(folder: Path, minutes: float, device: str) -> None:
    """Train for so many minutes, from the last checkpoint if there is one, and write `model`."""
    tunes = data.load(folder)
    seen = [tune for tune in tunes if not tune["held_out"]]
    model = build().to(device)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.1, fused=True)
    run = Run(folder / "composer.pt", model, optimiser, minutes, average=0.998)
    random = np.random.default_rng(run.step)
    torch.manual_seed(run.step)
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16)
    model.train()
    while run.going():
        some = [numbers(data.line(seen[i], random), STUDIED) for i in random.choice(len(seen), BATCH * 8)]
        for place in range(0, len(some), BATCH):  # pieces of like length together: little is padded
            ids, mask = _batch(sorted(some, key=len)[place : place + BATCH], device)
            with autocast:
                value = model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
            run.update(value, RATE, note=f"{run.step * BATCH} pieces")
    model.load_state_dict(run.average)
    print(f"loss on tunes held out: {loss(model, [t for t in tunes if t['held_out']], device):.4f}")
    model.save_pretrained(folder / "model")


@torch.no_grad()
def loss(model: Any, tunes: list[dict[str, Any]], device: str) -> float:
    """Nats a word."""
    model.eval()
    total = count = 0.0
    for place in range(0, len(tunes), BATCH):
        ids, mask = _batch([numbers(data.line(tune)) for tune in tunes[place : place + BATCH]], device)
        words = float(mask.sum() - len(mask))
        total += float(model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss) * words
        count += words
    model.train()
    return total / count


def _batch(pieces: list[list[int]], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, pieces))
    ids = torch.tensor([piece + [0] * (longest - len(piece)) for piece in pieces], device=device)
    mask = torch.tensor([[1] * len(piece) + [0] * (longest - len(piece)) for piece in pieces], device=device)
    return ids, mask
