"""The decoder: a small GPT-2 that puts what the encoder found into words. It never sees a picture.

What an encoder may find is drawn at random: any thing of any kind in any colour. So it learns every name equally well,
and every combination.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studio.engines.caption.networks.observer import Findings
from train.caption import augment, data, groups, sentences
from train.run import Run

WIDTH = 128
VOCABULARY = 3000
BATCH = 256
RATE = 2e-3
START, END, PAD = "<s>", "</s>", "<pad>"
MARKS = (*(f"<{word}>" for word in sentences.LANGUAGES), *(f"<{word}>" for word in sentences.FORMS))
LONGEST = 72


class Speaker(nn.Module):
    """The decoder, and the vectors of names, kinds and colours that it reads."""

    def __init__(self, names: int, vocabulary: int, ends: Any) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel

        super().__init__()
        self.names = nn.Embedding(names + 1, WIDTH)
        self.kinds = nn.Embedding(len(augment.KINDS), WIDTH)
        self.colours = nn.Embedding(len(augment.COLOURS) + 1, WIDTH)
        self.places = nn.Parameter(torch.randn(7, WIDTH) * 0.5)
        for table in (self.names, self.kinds, self.colours):
            nn.init.normal_(table.weight, std=0.5)
        config = GPT2Config(
            vocab_size=vocabulary, n_positions=LONGEST + 8, n_embd=WIDTH, n_layer=2, n_head=4, n_inner=4 * WIDTH,
            add_cross_attention=True, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **ends,
        )  # fmt: skip
        config._attn_implementation = "eager"  # its gradients are the quicker ones on a processor
        self.decoder: Any = GPT2LMHeadModel(config)

    def told(self, found: Findings) -> torch.Tensor:
        parts = (self.kinds(found.kind)[:, None], self.colours(found.ground)[:, None], self.colours(found.colours),
                 self.names(found.things))  # fmt: skip
        return torch.cat(parts, 1) + self.places


def imagined(chance: random.Random, drawn: int, classes: int, all_: int) -> tuple[int, int, list[int], list[int]]:
    """Kind, ground, two colours and three things, as numbers, as an encoder might find them."""
    nothing, none = len(augment.COLOURS), all_
    photo = chance.random() < 0.4
    sure = chance.random() < 0.7
    low, high = (drawn, all_) if photo else (0, drawn)
    first = chance.randrange(low, high)
    others = [none, none] if sure else [chance.randrange(low, min(high, drawn + classes)), none]
    if not sure and chance.random() < 0.5:
        others[1] = chance.randrange(low, min(high, drawn + classes))
    if photo:
        return 0, nothing, [nothing, nothing], [first, *others]
    colours = chance.sample(range(nothing), 2)
    if chance.random() < 0.5:
        colours[1] = nothing
    if chance.random() < 0.15:
        colours = [nothing, nothing]
    ground = augment.COLOURS.index("white") if chance.random() < 0.4 else chance.randrange(nothing)
    return chance.randrange(1, len(augment.KINDS)), ground, colours, [first, *others]


def seen(found: tuple[int, int, list[int], list[int]], names: list[sentences.Name]) -> sentences.Seen:
    """The findings in words."""
    kind, ground, colours, things = found
    said = tuple(augment.COLOURS[colour] for colour in colours if colour < len(augment.COLOURS))
    where = "" if ground == len(augment.COLOURS) else augment.COLOURS[ground]
    return sentences.Seen(augment.KINDS[kind], where, said, tuple(names[t] for t in things if t < len(names)))


def tokenizer(folder: Path, names: list[sentences.Name]) -> Any:
    """The word pieces, learnt from sentences about everything; written on the first call."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    file = folder / "tokenizer.json"
    if not file.is_file():
        chance, made = random.Random(0), Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore
        made.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
        drawn, all_ = len(names) - 1000 - len(groups.GROUPS), len(names)
        texts = [
            sentences.say(seen(imagined(chance, drawn, 1000, all_), names), language, "long")
            for _ in range(20000)
            for language in sentences.LANGUAGES
        ]
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=[START, END, PAD, *MARKS], show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )  # fmt: skip
        made.train_from_iterator(texts, trainer)
        made.save(str(file))
    return PreTrainedTokenizerFast(
        tokenizer_file=str(file), bos_token=START, eos_token=END, pad_token=PAD, extra_special_tokens=list(MARKS),
        model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False,
    )  # fmt: skip


def batch(
    chance: random.Random, names: list[sentences.Name], words: Any, count: int
) -> tuple[Findings, torch.Tensor, torch.Tensor]:
    """Findings, token ids (count, length) and what is to be learnt of them (-100: nothing)."""
    drawn = len(names) - 1000 - len(groups.GROUPS)
    found = [imagined(chance, drawn, 1000, len(names)) for _ in range(count)]
    form = chance.choices(sentences.FORMS, (2, 2, 4, 3))[0]  # one a batch: sentences of one length waste nothing
    marks = [(chance.choice(sentences.LANGUAGES), form) for _ in found]
    texts = [sentences.say(seen(each, names), *mark) for each, mark in zip(found, marks, strict=True)]
    coded = words(texts, add_special_tokens=False)["input_ids"]
    rows = []
    for (language, form), ids in zip(marks, coded, strict=True):
        marked = words.convert_tokens_to_ids([START, f"<{language}>", f"<{form}>"])
        if (language, form) == ("en", "normal") and chance.random() < 0.3:
            marked = marked[:1]  # what is said where nothing is asked for
        rows.append((marked, [*ids[: LONGEST - 4], words.eos_token_id]))
    longest = max(len(marked) + len(ids) for marked, ids in rows)
    tokens = torch.full((count, longest), words.pad_token_id)
    goals = torch.full((count, longest), -100)
    for row, (marked, ids) in enumerate(rows):
        both = torch.tensor([*marked, *ids])
        tokens[row, : len(both)] = both
        goals[row, len(marked) : len(both)] = both[len(marked) :]
    columns = [torch.tensor(column) for column in zip(*found, strict=True)]
    return Findings(*columns), tokens, goals


def build(folder: Path) -> tuple[Speaker, Any, list[sentences.Name]]:
    """An untrained speaker, its word pieces, and all names."""
    _, entries = data.load(folder)
    names = sentences.all_names(entries)
    words = tokenizer(folder, names)
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    return Speaker(len(names), len(words), ends), words, names


def train(folder: Path, minutes: float, device: str) -> None:
    """Train for so many minutes, from the last checkpoint if there is one."""
    model, words, names = build(folder)
    model = model.to(device)
    run = Run(folder / "speaker.pt", model, torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.0), minutes)
    chance = random.Random(run.step)
    while run.going():
        found, tokens, goals = batch(chance, names, words, BATCH)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            said = model.decoder(tokens, encoder_hidden_states=model.told(found)).logits
        value = nn.functional.cross_entropy(said[:, :-1].float().flatten(0, 1), goals[:, 1:].flatten())
        good = (said[:, :-1].argmax(2) == goals[:, 1:]) | (goals[:, 1:] < 0)
        run.update(value, RATE, note=f"whole sentences right {good.all(1).float().mean().item():.0%}")
