"""Networks that enlarge pictures, told from the names and shapes of their tensors: which, by how much, and of what.

The signs and sums are those by which spandrel, which runs them, tells them apart; here they need no torch, so that a
folder can be looked through before anything is loaded. What is not told here may still run from models.toml.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]
_Sums = Callable[[Shapes], tuple[int, int, int]]
"""Scale, channels of what goes in, channels of what comes out. Raises where the shapes are not as they should be."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that enlarges.

    Attributes:
        name: as people call its architecture.
        scale: how many times as wide the result is; 0 where the shapes do not tell.
        channels: of the picture that goes in and of the one that comes out.
    """

    name: str
    scale: int = 0
    channels: tuple[int, int] = (0, 0)

    @property
    def runs(self) -> bool:
        """It makes a picture in colour of a picture in colour, by a scale that is known."""
        return self.scale > 0 and self.channels == (3, 3)


def upscaler(shapes: Shapes) -> Network | None:
    """The network that enlarges in these tensors; None where there is none."""
    for front in ("module.", "netG."):
        if shapes and all(name.startswith(front) for name in shapes):
            shapes = {name[len(front) :]: shape for name, shape in shapes.items()}
    for name, signs, sums in _KINDS:
        if not all(any(one in shapes for one in sign.split("|")) for sign in signs):
            continue
        try:
            scale, given, made = sums(shapes) if sums else (0, 0, 0)
        except (KeyError, IndexError, ValueError, ZeroDivisionError):
            return Network(name)
        return Network(name, scale, (given, made))
    return None


def _count(shapes: Shapes, front: str) -> int:
    """One more than the highest number behind `front`."""
    numbers = (name[len(front) :].partition(".")[0] for name in shapes if name.startswith(front))
    return max((int(number) for number in numbers if number.isdecimal()), default=-1) + 1


def _direct(numbers: int, given: int) -> tuple[int, int]:
    """Scale and channels of a last layer whose channels become pixels: as many channels as go in, else 3, 4 or 1."""
    for channels in (given, 3, 4, 1):
        scale = math.isqrt(numbers // channels)
        if scale and channels * scale**2 == numbers:
            return scale, channels
    raise ValueError(numbers)


def _stages(shapes: Shapes) -> int:
    """Scale of layers `upsample.0`, `upsample.2` …, each of which doubles or triples."""
    scale = 1
    for number in range(0, 10, 2):
        shape = shapes.get(f"upsample.{number}.weight")
        if shape is None:
            break
        scale *= math.isqrt(shape[0] // shape[1])
    return scale


def _esrgan(shapes: Shapes) -> tuple[int, int, int]:
    """Each of its convolutions behind the blocks doubles. Where pixels were folded into channels first, it is less."""
    if "conv_first.weight" in shapes:
        ups = [int(found[1]) for name in shapes if (found := re.match(r"(?:upconv|conv_up)(\d)\.", name))]
        doublings, given = max(ups, default=0), shapes["conv_first.weight"][1]
        made = shapes["conv_last.weight"][0]
    else:
        count = _count(shapes, "model.")
        doublings, given = (count - 5) // 3, shapes["model.0.weight"][1]
        made = shapes[f"model.{count - 1}.weight"][0]
    folded = math.isqrt(given // made) if given in (made * 4, made * 16) else 1
    return 2**doublings // folded, given // folded**2, made


def _compact(shapes: Shapes) -> tuple[int, int, int]:
    given = shapes["body.0.weight"][1]
    scale, made = _direct(shapes[f"body.{_count(shapes, 'body.') - 1}.bias"][0], given)
    return scale, given, made


def _last(entry: str, last: str) -> _Sums:
    """An architecture that ends in one layer whose channels become pixels."""

    def sums(shapes: Shapes) -> tuple[int, int, int]:
        given = shapes[entry][1]
        scale, made = _direct(shapes[last][0], given)
        return scale, given, made

    return sums


def _swin(shapes: Shapes) -> tuple[int, int, int]:
    """SwinIR and what was made of it, with their four ways to end."""
    first = shapes["conv_first.1.weight"] if "conv_first.1.weight" in shapes else shapes["conv_first.weight"]
    folded = math.isqrt(first[1] // 3) if "conv_first.1.weight" in shapes else 1
    given = first[1] // folded**2
    made = shapes["conv_last.weight"][0] if "conv_last.weight" in shapes else given
    if "conv_up1.weight" in shapes:
        scale = 4 if "conv_up2.weight" in shapes else 2
    elif "conv_before_upsample.0.weight" in shapes:
        scale = _stages(shapes)
    elif "upsample.0.weight" in shapes:
        scale = math.isqrt(shapes["upsample.0.weight"][0] // made)
    else:
        scale = 1
    return scale // folded, given, made


def _plksr(shapes: Shapes) -> tuple[int, int, int]:
    return math.isqrt(shapes[f"feats.{_count(shapes, 'feats.') - 1}.weight"][0] // 3), shapes["feats.0.weight"][1], 3


def _cugan(shapes: Shapes) -> tuple[int, int, int]:
    given = shapes["unet1.conv1.conv.0.weight"][1]
    if "conv_final.weight" in shapes:
        made = shapes["conv_final.weight"][0] // 4
        return (2, given // 4, made) if made * 4 == given else (4, given, made)
    scale = 3 if shapes["unet1.conv_bottom.weight"][2] == 5 else 2
    return scale, given, shapes["unet2.conv_bottom.weight"][0]


_BLOCK = "layers.0.residual_group.blocks.0."
_KINDS: tuple[tuple[str, tuple[str, ...], _Sums | None], ...] = (
    ("Compact", ("body.0.weight", "body.1.weight"), _compact),
    ("HAT", ("layers.0.residual_group.overlap_attn.relative_position_bias_table", "conv_last.weight"), _swin),
    ("Swin2SR", ("swin2sr.first_convolution.weight",), None),
    ("Swin2SR", (_BLOCK + "attn.logit_scale", "conv_first.weight"), _swin),
    ("SwinIR", (_BLOCK + "attn.relative_position_index", "conv_first.weight|conv_first.1.weight",
                _BLOCK + "mlp.fc1.bias"), _swin),
    ("OmniSR", ("residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "input.weight", "up.0.weight"),
     _last("input.weight", "up.0.weight")),
    ("RGT", ("before_RG.1.weight", "layers.0.blocks.0.gamma", "conv_last.weight"), _swin),
    ("DAT", ("before_RG.1.weight", "layers.0.blocks.0.ffn.sg.norm.weight"), _swin),
    ("SPAN", ("conv_1.sk.weight", "block_1.c1_r.sk.weight", "upsampler.0.weight"),
     _last("conv_1.sk.weight", "upsampler.0.weight")),
    ("RealCUGAN", ("unet1.conv1.conv.0.weight", "unet2.conv5.weight", "unet2.conv_bottom.weight"), _cugan),
    ("SAFMN", ("to_feat.weight", "feats.0.safm.mfr.0.weight", "to_img.0.weight"),
     _last("to_feat.weight", "to_img.0.weight")),
    ("ATD", ("layers.0.residual_group.td", "conv_first.weight"), _swin),
    ("DRCT", ("layers.0.swin1.norm1.weight", "layers.0.adjust5.weight", "conv_last.weight"), _swin),
    ("ESRGAN", ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight|model.1.sub.0.RDB1.conv1x1.weight"), _esrgan),
    ("ESRGAN", ("conv_first.weight", "body.0.rdb1.conv1.weight|RRDB_trunk.0.RDB1.conv1.weight", "conv_last.weight"),
     _esrgan),
    ("PLKSR", ("feats.0.weight", "feats.1.refine.weight",
               "feats.1.channe_mixer.0.weight|feats.1.channel_mixer.0.weight"), _plksr),
)  # fmt: skip
"""Name, the tensors that it has (of several with a bar between them, one), and the sums; the first that fits counts.

Swin2SR in transformers' layout is a folder with its configuration; one file of it alone is not run.
"""
