"""The encoder of the bundled captioner: what a picture shows, as a few vectors that a decoder puts into words.

EfficientNet-Lite0, unchanged, names photographs: its 1,000 classes. A copy of its first blocks, trained further, names
drawings: what emoji show. Two still smaller networks name colours and tell drawings from photographs. What comes out is
no map but a sequence: kind, ground, two colours, and the likeliest things.

`register` makes the class known to transformers; no program code comes with the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from studio.engines.caption.networks.lite import BLOCKS, Block, Lite, Pixelwise
from studio.engines.caption.networks.looks import Colours, Photographed

DRAWN = 13
"""So many blocks read drawings; 32 times smaller than the picture, 192 channels."""


SURE, NEAR = 0.4, 0.3
"""A thing at least so likely is said alone; else also those that are not less likely than this share of the first."""
DOUBT_DRAWN, DOUBT_PHOTO = 0.45, 0.4
"""What is named with less confidence than this is not certain; measured on icons that training never saw, and on
photographs (train/caption/doubt.py)."""
STRANGE, ODD = 0.9, 0.5
"""A picture at least so likely of a kind without things is called that; from ODD on it lowers the confidence."""
STRANGERS = ("blank", "noise", "text", "chart", "screenshot")
"""Kinds of pictures that hold no thing which could be named."""

MAIN, SECOND = 0.3, 0.2
"""Shares of a drawing from which on its first and its second colour are said."""


class ObserverConfig(PretrainedConfig):
    """Sizes.

    Args:
        things: drawings that have a name.
        classes: photographs that have a name.
        groups: what several classes have in common.
        colours: names of colours.
        kinds: how a picture looks: photograph, flat, outlined and so on.
        shown: how many of the likeliest things the decoder is told.
        drawing_sides: pixels a side at which drawings are read; the readings count alike.
        recall_side, recall_weight: the same for what EfficientNet-Lite0 makes of a drawing, and how much that counts.
        strangers: kinds of pictures without a thing; none in checkpoints that never learnt them.
    """

    model_type = "observer"

    def __init__(
        self,
        hidden_size: int = 128,
        things: int = 1344,
        classes: int = 1000,
        colours: int = 19,
        kinds: int = 6,
        groups: int = 59,
        shown: int = 3,
        drawing_sides: tuple[int, ...] = (64, 80, 96),
        recall_side: int = 128,
        recall_weight: float = 0.5,
        strangers: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.hidden_size, self.things, self.classes, self.colours = hidden_size, things, classes, colours
        self.kinds, self.groups, self.shown, self.drawing_sides = kinds, groups, shown, drawing_sides
        self.recall_side, self.recall_weight, self.strangers = recall_side, recall_weight, strangers


class Drawing(nn.Module):
    """The reader of drawings: the first blocks of EfficientNet-Lite0, trained further, and what they add up to."""

    def __init__(self, things: int, kinds: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2)
        widths = [32, *(width for _, _, width, _ in BLOCKS)]
        self.blocks = nn.ModuleList(
            Block(before, kernel, stride, after, expansion)
            for before, (kernel, stride, after, expansion) in zip(widths, BLOCKS[:DRAWN], strict=False)
        )
        self.gather = Pixelwise(widths[DRAWN], 512)
        self.sum_up = nn.Linear(1024, width)
        self.things = nn.Linear(width, things)
        self.kinds = nn.Linear(1024, kinds)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(count, 3, side, side) in -1..1 to the logits of things and of kinds."""
        x = F.relu6(self.stem(F.pad(pixels, (0, 1, 0, 1))))
        for block in self.blocks:
            x = block(x)
        x = F.relu6(self.gather(x))
        x = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        return self.things(self.sum_up(x)), self.kinds(x)


@dataclass(frozen=True)
class Findings:
    """What was found in pictures, as numbers of names; each (count,) or (count, several).

    Attributes:
        things: drawn things, then classes of photographs, then their groups; `nothing` where there is no further one.
        colours: the first and the second; `nothing` where no colour is a good part.
        confidence: how likely the first thing is the right one, 0..1.
        strange: 0 for a picture of something, else one more than the place in STRANGERS.
    """

    kind: torch.Tensor
    ground: torch.Tensor
    colours: torch.Tensor
    things: torch.Tensor
    confidence: torch.Tensor | None = None
    strange: torch.Tensor | None = None

    def doubtful(self) -> torch.Tensor:
        """(count,), whether what is named is not certain."""
        assert self.confidence is not None
        return self.confidence < torch.where(self.kind == 0, DOUBT_PHOTO, DOUBT_DRAWN)


class ObserverModel(PreTrainedModel):
    """Pictures to what they show: (count, 3, side, side) in -1..1 to (count, 4 + shown, hidden_size)."""

    config_class = ObserverConfig
    main_input_name = "pixel_values"
    group: torch.Tensor

    def __init__(self, config: ObserverConfig) -> None:
        super().__init__(config)
        self.lite = Lite(config.classes)
        self.drawing = Drawing(config.things, config.kinds, config.hidden_size)
        self.recall = Pixelwise(1280, config.hidden_size)
        self.shades = Colours(config.colours)
        self.photographed = Photographed()
        self.strange = nn.Linear(1280, config.strangers + 1) if config.strangers else None
        self.register_buffer("group", torch.full((config.classes,), -1, dtype=torch.int16))
        self.names = nn.Embedding(config.things + config.classes + config.groups + 1, config.hidden_size)
        self.kinds = nn.Embedding(config.kinds, config.hidden_size)
        self.colours = nn.Embedding(config.colours + 1, config.hidden_size)
        self.places = nn.Parameter(torch.zeros(4 + config.shown, config.hidden_size))
        self.post_init()

    def forward(self, pixel_values: torch.Tensor, return_dict: bool | None = None, **_: Any) -> Any:
        states = self.told(self.look(pixel_values))
        return (states,) if return_dict is False else BaseModelOutput(last_hidden_state=states)  # pyright: ignore

    def told(self, found: Findings) -> torch.Tensor:
        """What the decoder reads of the findings."""
        parts = (self.kinds(found.kind)[:, None], self.colours(found.ground)[:, None], self.colours(found.colours),
                 self.names(found.things))  # fmt: skip
        return torch.cat(parts, 1) + self.places

    def look(self, pixels: torch.Tensor) -> Findings:
        """Kind 0 is the photograph."""
        things, kinds = self._drawn(pixels)
        shares, ground = self.shades(pixels)
        photo = self.photographed(pixels) > 0
        kinds[:, 0] = float("-inf")
        features = self.lite.features(pixels)
        likely, classes = things.float().softmax(1), self.lite.classify(features).float().softmax(1)
        drawn, classed = self._likeliest(likely, 0), self._classed(classes)
        confidence = torch.where(photo, torch.maximum(classes.amax(1), self._together(classes).amax(1)), likely.amax(1))
        confidence, strange = self._stranger(features, confidence)
        nothing = torch.full_like(ground[:, 0], self.config.colours, dtype=torch.long)
        return Findings(
            torch.where(photo, 0, kinds.argmax(1)),
            torch.where(photo, nothing, ground.argmax(1)),
            torch.where(photo[:, None], nothing[:, None], self._main(shares)),
            torch.where(photo[:, None], classed, drawn),
            confidence,
            strange,
        )

    def _stranger(self, features: torch.Tensor, confidence: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What is left of the confidence where a picture may be of no thing at all; and of which kind it is then."""
        if self.strange is None:
            return confidence, torch.zeros_like(confidence, dtype=torch.long)
        chances = self.strange(features.clamp(min=0).sqrt()).float().softmax(1)
        odd = 1 - chances[:, 0]
        which = torch.where(odd >= STRANGE, chances[:, 1:].argmax(1) + 1, 0)
        return torch.where(odd < ODD, confidence, confidence * (1 - odd)), which

    def _drawn(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The logits of drawn things and of kinds, over all sizes."""
        config = self.config
        readings = [self.drawing(resized(pixels, side)) for side in config.drawing_sides]
        things = torch.stack([reading[0] for reading in readings]).mean(0)
        recalled = self.recall(self.lite.features(resized(pixels, config.recall_side)))
        things = things + config.recall_weight * self.drawing.things(recalled)
        return things, torch.stack([reading[1] for reading in readings]).mean(0)

    def _likeliest(self, chances: torch.Tensor, start: int) -> torch.Tensor:
        """The first, and further ones while the first is not certain and they are not far behind."""
        chance, which = chances.topk(self.config.shown, 1)
        kept = (chance[:, :1] < SURE) & (chance > chance[:, :1] * NEAR)
        kept[:, 0] = True
        return torch.where(kept, which + start, self.names.num_embeddings - 1)

    def _classed(self, chances: torch.Tensor) -> torch.Tensor:
        """Classes of photographs; their common group first where it is likely and no single class is."""
        config = self.config
        found = self._likeliest(chances, config.things)
        sum_, group = self._together(chances).max(1)
        general = (chances.amax(1) < SURE) & (sum_ > SURE)
        first = torch.where(general, group + config.things + config.classes, found[:, 0])
        others = torch.where(general[:, None], found[:, :-1], found[:, 1:])
        return torch.cat([first[:, None], others], 1)

    def _together(self, chances: torch.Tensor) -> torch.Tensor:
        """(count, classes) to (count, groups): how likely one of a group's classes is."""
        member = self.group >= 0
        sums = torch.zeros(len(chances), self.config.groups, dtype=chances.dtype, device=chances.device)
        return sums.index_add_(1, self.group[member].long(), chances[:, member])

    def _main(self, shares: torch.Tensor) -> torch.Tensor:
        solid = shares[:, :-1] / shares[:, :-1].sum(1, keepdim=True).clamp(min=1e-4)
        share, which = solid.topk(2, 1)
        enough = torch.stack([share[:, 0] > MAIN, (share[:, 0] > MAIN) & (share[:, 1] > SECOND)], 1)
        return torch.where(enough, which, self.config.colours)


def resized(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """(count, 3, side, side), without the patterns that leaving out pixels would make."""
    made = F.interpolate(pixels.float(), (side, side), mode="bilinear", antialias=True)
    return made.to(pixels.dtype)


def register() -> None:
    """Make the class known to transformers, which then finds it by its `model_type`. May be called again."""
    AutoConfig.register(ObserverConfig.model_type, ObserverConfig, exist_ok=True)
    AutoModel.register(ObserverConfig, ObserverModel, exist_ok=True)
