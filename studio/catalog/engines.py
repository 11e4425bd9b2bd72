"""Facts about the engines, one table: where each lives, what it can do, what it reads from a model's table.

Plain values, so that the catalogue, the panel of models and the queue know an engine without importing it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.requests import TASKS, Task

Variant = Literal["offload", "int8", "int4", "offload-int8"]

_BITS: tuple[Variant, ...] = ("int8", "int4")
_BITS_AND_PARTS: tuple[Variant, ...] = ("offload", *_BITS, "offload-int8")
_TORCH = ("dtype", "ignore_code", "quantise", "straight")
_PIPELINE = (*_TORCH, "offload")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """An engine as the rest of the studio knows it.

    Attributes:
        place: its module and class, imported on first use.
        tasks: what its models can be asked for.
        options: the keys of a card's `options` that it reads; those of files (studio.store) come on top.
        variants: the ways in which it can run a model in less memory (studio.catalog.variants).
        linear: share of a model's weights that are linear layers and can be quantised.
        linear_large: the same for more than two billion parameters; 0 where it makes no difference.
        quantised_on_cpu: False where the steps are small and in float32 on a processor, so that 8 bits would more than
            double the time there.
        torch: its models are built with it; others may be built meanwhile where it is False.
        cpu_only: its models are computed on the processor, whatever else there is.
        native: its own code reads the file, in a language that crashes where Python raises: what a person brought
            along gets a process of its own, so that a damaged file costs an error and not the studio.
        files: False where nothing of it is on this machine: a card for it names no sizes, and at most a remote place.
        remote: it is computed on another computer, which its card names.
    """

    place: str
    tasks: tuple[Task, ...] = TASKS
    options: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    linear: float = 0.85
    linear_large: float = 0.0
    quantised_on_cpu: bool = True
    torch: bool = True
    cpu_only: bool = False
    native: bool = False
    files: bool = True
    remote: bool = False


ENGINES: dict[str, EngineFacts] = {
    "fake": EngineFacts(
        place="studio.engines.demo.fake:FakeEngine",
        options=("load_seconds", "most_pixels", "pixel_bytes", "places", "sees", "step_seconds"),
        variants=_BITS_AND_PARTS,
        torch=False,
    ),
    "llama": EngineFacts(
        place="studio.engines.text.llama:LlamaEngine",
        tasks=("chat", "code"),
        options=("ask", "fim", "keep_thinking", "mmproj", "next_edit", "places", "template_options"),
        torch=False,
        cpu_only=True,
        native=True,
    ),
    "text": EngineFacts(
        place="studio.engines.text.transformers_lm:TextEngine",
        tasks=("chat", "code"),
        options=(*_TORCH, "ask", "fim", "keep_thinking", "max_side", "next_edit", "sees", "template_options"),
        variants=_BITS,
    ),
    "diffusion": EngineFacts(
        place="studio.engines.image.diffusion:DiffusionEngine",
        tasks=("image",),
        options=(
            *(*_PIPELINE, "max_sequence_length", "preview", "tile_above"),
            *("vae", "text_encoders", "rest", "prediction", "refines"),
        ),
        variants=_BITS_AND_PARTS,
        linear=0.33,  # small painters are mostly convolutions
        linear_large=0.85,
    ),
    "musicgen": EngineFacts(
        place="studio.engines.music.musicgen:MusicgenEngine",
        tasks=("music",),
        options=(*_TORCH, "melody", "window"),
        variants=_BITS,
        quantised_on_cpu=False,
    ),
    "audio_diffusion": EngineFacts(
        place="studio.engines.music.audio_diffusion:AudioDiffusionEngine",
        tasks=("music",),
        options=(*_PIPELINE, "continues", "language", "shift"),
        variants=_BITS_AND_PARTS,
        linear=0.75,
    ),
    "audiocraft": EngineFacts(
        place="studio.engines.music.audiocraft:AudiocraftEngine",
        tasks=("music",),
        options=("decoding_steps", "extend_stride", "ignore_code"),
    ),
    "composer": EngineFacts(
        place="studio.engines.music.composer:ComposerEngine",
        tasks=("music",),
        options=_TORCH,
    ),
    "caption": EngineFacts(
        place="studio.engines.caption.vision_language:CaptionEngine",
        tasks=("caption",),
        options=(*_TORCH, "marks", "max_side", "prompts", "template_options", "together"),
        variants=_BITS,
        linear=0.75,
    ),
    "upscaler": EngineFacts(
        place="studio.engines.image.upscaler:UpscalerEngine",
        tasks=("upscale",),
        options=(*_TORCH, "tile"),
    ),
    "upscale_network": EngineFacts(
        place="studio.engines.image.upscale_network:UpscaleNetworkEngine",
        tasks=("upscale",),
        options=("dtype", "tile"),
    ),
    "resample": EngineFacts(
        place="studio.engines.image.resample:ResampleEngine",
        tasks=("upscale",),
        torch=False,
        files=False,
    ),
    "remote": EngineFacts(
        place="studio.manager.backends.engine:RemoteEngine",
        options=("extended", "key", "model", "sees", "speaks"),
        torch=False,
        files=False,
        remote=True,
    ),
    "gan": EngineFacts(place="studio.engines.lab.gan:GanEngine", tasks=(), cpu_only=True),
    "matcher": EngineFacts(place="studio.engines.lab.matcher:MatcherEngine", tasks=(), cpu_only=True),
}
"""By the name that the catalogue gives."""
