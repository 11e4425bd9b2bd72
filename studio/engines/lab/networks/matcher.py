"""A matcher: pictures and words as directions in one space, so that an angle says how well they go together.

Radford et al. (2021) taught two networks that from four hundred million pairs. This one has neither network of its own:
the caption starter's encoder looks, the picture starter's text encoder reads, and two small heads, taught on icons,
turn what both say into the same 256 numbers. What the encoder sees comes to its head as the mean meaning of the things
that it may be (Norouzi et al. 2014), so that a photograph's name lands near its word though no photograph was learnt
from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

MEANING, HIDDEN, SPACE = 384, 384, 256
COLOURS, KINDS, INNER = 20, 6, 128
SEEN = MEANING + INNER + COLOURS + KINDS + 1
"""Numbers that a head is given of a picture: its meaning, what reads drawings, colours, kinds, photograph or not."""
TOKENS = 24
"""Word pieces that are read of a text, as the picture starter reads them."""
SIDE = 224
"""Pixels a side of a picture that is looked at; drawings are read smaller."""


class Heads(nn.Module):
    """From what both networks say to directions.

    Attributes:
        sharpness: the logarithm of what a cosine is multiplied with before a softmax.
        things: what the encoder's names mean, (things and classes, 384), one byte a number; `scale` is per name.
    """

    things: torch.Tensor
    scale: torch.Tensor

    def __init__(self, things: int) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Linear(SEEN, HIDDEN), nn.GELU(), nn.Dropout(0.2), nn.Linear(HIDDEN, SPACE))
        self.hear = nn.Sequential(nn.Linear(MEANING, HIDDEN), nn.GELU(), nn.Dropout(0.1), nn.Linear(HIDDEN, SPACE))
        self.sharpness = nn.Parameter(torch.tensor(2.7))
        self.register_buffer("things", torch.zeros(things, MEANING, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(things))

    def meanings(self) -> torch.Tensor:
        """(things and classes, 384), each of length 1."""
        return functional.normalize(self.things.float() * self.scale.float()[:, None], dim=-1)

    def pictures(self, seen: torch.Tensor) -> torch.Tensor:
        """(count, SEEN) to (count, 256), each of length 1."""
        return functional.normalize(self.look(seen), dim=-1)

    def words(self, said: torch.Tensor) -> torch.Tensor:
        """(count, 384) to (count, 256), each of length 1."""
        return functional.normalize(self.hear(functional.normalize(said, dim=-1)), dim=-1)


@torch.inference_mode()
def observed(encoder: Any, heads: Heads, pixels: torch.Tensor) -> torch.Tensor:
    """What the caption starter's encoder makes of pictures, (count, 3, 224, 224) in -1..1, to (count, SEEN)."""
    from studio.engines.caption.networks.observer import resized

    meanings, count = heads.meanings(), encoder.config.things
    photo = encoder.photographed(pixels) > 0
    drawn, inner, kinds = read_drawing(encoder, resized(pixels, max(encoder.config.drawing_sides)))
    meaning = drawn.softmax(1) @ meanings[:count]
    if photo.any():
        classes = encoder.lite(pixels[photo]).float().softmax(1)
        meaning[photo] = classes @ meanings[count : count + encoder.config.classes]
    inner, kinds = (functional.normalize(inner, dim=-1), kinds.softmax(1))
    inner[photo], kinds[photo] = 0.0, 0.0
    shares, _ = encoder.shades(pixels)
    return torch.cat([functional.normalize(meaning, dim=-1), inner, shares, kinds, photo[:, None].float()], 1)


def read_drawing(encoder: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The logits of drawn things, the numbers that they are read from, and the logits of kinds; at two sizes."""
    from studio.engines.caption.networks.observer import resized

    drawing, found = encoder.drawing, []
    for side in (64, pixels.shape[-1]):
        x = resized(pixels, side)
        x = functional.relu6(drawing.stem(functional.pad(x, (0, 1, 0, 1))))
        for block in drawing.blocks:
            x = block(x)
        x = functional.relu6(drawing.gather(x))
        x = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        found.append((drawing.sum_up(x), drawing.kinds(x)))
    inner, kinds = (torch.stack(each).mean(0) for each in zip(*found, strict=True))
    return drawing.things(inner), inner, kinds


def load_heads(folder: Path) -> Heads:
    """The heads in single precision."""
    found = load_file(folder / "model.safetensors")
    heads = Heads(len(found["things"]))
    kept = {name: value if name == "things" else value.float() for name, value in found.items()}
    heads.load_state_dict(kept)
    return heads.eval().requires_grad_(False)


def load_encoder(captioner: Path) -> Any:
    """The caption starter's encoder in single precision, without its decoder."""
    from transformers import VisionEncoderDecoderModel

    from studio.engines.caption.networks import observer

    observer.register()
    whole: Any = VisionEncoderDecoderModel.from_pretrained(captioner, dtype=torch.float32, local_files_only=True)
    return whole.encoder.eval().requires_grad_(False)


class Words:
    """The picture starter's text encoder: texts to what they mean.

    Args:
        encoder: the folder of its weights. tokenizer: the folder of its tokenizer.
    """

    def __init__(self, encoder: Path, tokenizer: Path) -> None:
        from transformers import BertModel, BertTokenizer

        model: Any = BertModel.from_pretrained(
            encoder, add_pooling_layer=False, dtype=torch.float32, local_files_only=True
        )
        self.model: Any = model.eval().requires_grad_(False)
        self._tokenizer = BertTokenizer.from_pretrained(tokenizer, local_files_only=True)

    @torch.inference_mode()
    def __call__(self, texts: list[str]) -> torch.Tensor:
        """The mean of the word vectors of each text, (count, 384)."""
        pieces: Any = self._tokenizer(texts, padding=True, max_length=TOKENS, truncation=True, return_tensors="pt")
        mask = pieces["attention_mask"].float()[..., None]
        states = self.model(input_ids=pieces["input_ids"], attention_mask=pieces["attention_mask"]).last_hidden_state
        return (states * mask).sum(1) / mask.sum(1)
