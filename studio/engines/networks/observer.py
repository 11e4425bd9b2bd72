"""The encoder of the bundled captioner: what a picture shows, as a few vectors that a decoder puts into words.

EfficientNet-Lite0, unchanged, names photographs: its 1,000 classes. A copy of its first blocks, trained further, names
drawings: what emoji show. Two still smaller networks name colours and tell drawings from photographs. What comes out is
no map but a sequence: kind, ground, two colours, and the likeliest things.

Knows nothing of words. `register` makes the class known to transformers; no program code comes with the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from studio.engines.networks.lite import BLOCKS, Block, Lite, Pixelwise

DRAWN = 13
"""So many blocks read drawings; 32 times smaller than the picture, 192 channels."""


SURE, NEAR = 0.4, 0.3
"""A thing at least so likely is said alone; else also those that are not less likely than this share of the first."""

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
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.hidden_size, self.things, self.classes, self.colours = hidden_size, things, classes, colours
        self.kinds, self.groups, self.shown, self.drawing_sides = kinds, groups, shown, drawing_sides
        self.recall_side, self.recall_weight = recall_side, recall_weight


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


class Colours(nn.Module):
    """Names the colour of each pixel, or says that it belongs to the ground."""

    SIDE = 32

    def __init__(self, colours: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(9, 32, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, 1, 2, 2),
            nn.ReLU(),
            nn.Conv2d(32, colours + 1, 1),
        )
        self.ground = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, colours))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(count, 3, side, side) to the shares of colours and ground (they add up to 1) and the ground's logits."""
        small = F.interpolate(pixels, (self.SIDE, self.SIDE), mode="area")
        edge = _rim(small, 2).median(2).values
        around = edge[..., None, None].expand_as(small)
        found = self.look(torch.cat([small, around, (small - around).abs()], 1)).softmax(1)
        return found.mean((2, 3)), self.ground(edge)


class Photographed(nn.Module):
    """Whether a picture is a photograph: how often neighbouring pixels differ, by how much, at two sizes; and how much
    of it has the colour of its border.

    Neighbours alone would call a soft drawing a photograph: what was painted by a model, or enlarged, has grain too.
    """

    EDGES = (0.004, 0.012, 0.03, 0.06, 0.12, 0.25)
    APART = (0.02, 0.05, 0.1, 0.2, 0.4)

    def __init__(self) -> None:
        super().__init__()
        measures = 4 * len(self.EDGES) + 2 * len(self.APART)
        self.judge = nn.Sequential(nn.Linear(measures, 24), nn.ReLU(), nn.Linear(24, 1))

    def measured(self, pixels: torch.Tensor) -> torch.Tensor:
        """Shares of differences below each edge, (count, 34): between neighbours in the whole and in its border, fine
        and coarse; and from the colour that the border has mostly, in the whole and in the border."""
        shares = []
        for picture in (pixels, F.avg_pool2d(pixels, 2)):
            across = (picture[..., :-1, 1:] - picture[..., :-1, :-1]).abs().amax(1)
            step = torch.maximum(across, (picture[..., 1:, :-1] - picture[..., :-1, :-1]).abs().amax(1))
            rim = step.shape[-1] // 10
            border = torch.cat([step[:, :rim].flatten(1), step[:, -rim:].flatten(1)], 1)
            for part in (step.flatten(1), border):
                shares += [(part < edge).to(pixels.dtype).mean(1) for edge in self.EDGES]
        coarse = F.avg_pool2d(pixels, 4)
        edge = _rim(coarse, 3)
        mostly = edge.median(2, keepdim=True).values
        for part in (coarse.flatten(2), edge):
            apart = (part - mostly).abs().amax(1)
            shares += [(apart < most).to(pixels.dtype).mean(1) for most in self.APART]
        return torch.stack(shares, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(count, 3, side, side) in -1..1 to one logit each."""
        return self.judge(self.measured(pixels))[:, 0]


def _rim(picture: torch.Tensor, wide: int) -> torch.Tensor:
    """The pixels within `wide` of the border, (count, 3, pixels); those of the corners twice."""
    sides = (picture[..., :wide, :], picture[..., -wide:, :], picture[..., :wide], picture[..., -wide:])
    return torch.cat([side.flatten(2) for side in sides], 2)


@dataclass(frozen=True)
class Findings:
    """What was found in pictures, as numbers of names; each (count,) or (count, several).

    Attributes:
        things: drawn things, then classes of photographs, then their groups; `nothing` where there is no further one.
        colours: the first and the second; `nothing` where no colour is a good part.
    """

    kind: torch.Tensor
    ground: torch.Tensor
    colours: torch.Tensor
    things: torch.Tensor


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
        drawn = self._likeliest(things.float().softmax(1), 0)
        classed = self._classed(self.lite(pixels).float().softmax(1))
        nothing = torch.full_like(ground[:, 0], self.config.colours, dtype=torch.long)
        return Findings(
            torch.where(photo, 0, kinds.argmax(1)),
            torch.where(photo, nothing, ground.argmax(1)),
            torch.where(photo[:, None], nothing[:, None], self._main(shares)),
            torch.where(photo[:, None], classed, drawn),
        )

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
        member = self.group >= 0
        together = torch.zeros(len(chances), config.groups, dtype=chances.dtype, device=chances.device)
        together.index_add_(1, self.group[member].long(), chances[:, member])
        sum_, group = together.max(1)
        general = (chances.amax(1) < SURE) & (sum_ > SURE)
        first = torch.where(general, group + config.things + config.classes, found[:, 0])
        others = torch.where(general[:, None], found[:, :-1], found[:, 1:])
        return torch.cat([first[:, None], others], 1)

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
