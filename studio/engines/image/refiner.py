"""Second half of Stable Diffusion XL: a network that was taught the last fifth of the painting, behind the first one.

As its makers describe it: the base model ends early and hands its latents on, the refiner goes on from there with the
same schedule (`denoising_end`, `denoising_start`). Only its UNet is held: the reader of words and the decoder are those
of the base model, whose second reader is the refiner's only one.
"""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.image import conditioning, control_heads
from studio.engines.image.embeddings import Embeddings
from studio.engines.image.img2img import Family, Member
from studio.engines.image.passes import Pass, SkippedError
from studio.engines.image.single_file import beside, configs, loading
from studio.engines.image.single_file import shapes as read
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.requests import ImageRequest, Request
from studio.store.disk.families import UNET, bare
from studio.store.disk.weights import read_weights
from studio.tasks.image import control_files, refiner_files

PIXELS = {"output_type": "np"}
BASE = "StableDiffusionXLPipeline"
_SHARE = 0.65
"""Of the base model's memory that the refiner's network takes: 2.26 of 3.47 billion numbers, by the published sizes."""

_Stamp = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Head:
    """A refiner's network: its file or folder, and its configuration."""

    place: Path
    config: Mapping[str, Any]


class Refiner:
    """The refiner behind one model."""

    def __init__(self, card: Card, family: Family, device: Device) -> None:
        self._card, self._family, self._device = card, family, device
        self._unet: Any = None
        self._stamp: _Stamp | None = None
        self._member: Member | None = None

    def apply(self, name: str, folders: Sequence[Path]) -> None:
        """Have this one in memory, "" for none.

        Raises:
            StudioError: refiner_missing, refiner_wrong, refiner_form, refiner_not_taken, bad_file, out_of_memory. There
                is none then.
        """
        stamp = _stamp(name, folders) if name else None
        if stamp == self._stamp:
            return
        self.clear()
        if stamp is None:
            return
        pipe = self._family.pipe
        if type(pipe).__name__ != BASE:
            raise StudioError("refiner_not_taken", model=self._card.title)
        reader = pipe.text_encoder_2.config
        head = read_head(name, _place(name, folders), int(reader.projection_dim))
        check_fit(head, name, self._card, int(reader.hidden_size))
        with torch_loading.loading(self._card, self._device, "diffusers"):
            unet = _read(head, pipe.unet.dtype)
            if any(one.is_meta for one in unet.parameters()):
                raise StudioError("bad_file", path=head.place.name, reason="not all of a refiner is in it")
            self._unet = unet.to(str(self._device)).eval().requires_grad_(False)
        self._stamp = stamp

    def member(self) -> Member | None:
        """The pipeline that goes on with latents; None where there is no refiner."""
        if self._unet is None:
            return None
        pipe = self._family.pipe
        if self._member is None:
            from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
                StableDiffusionXLImg2ImgPipeline,
            )

            config = self._unet.config
            told = config.projection_class_embeddings_input_dim - pipe.text_encoder_2.config.projection_dim
            none: Any = None
            sister = StableDiffusionXLImg2ImgPipeline(
                vae=pipe.vae, text_encoder=none, text_encoder_2=pipe.text_encoder_2, tokenizer=none,
                tokenizer_2=pipe.tokenizer_2, unet=self._unet, scheduler=pipe.scheduler,
                # five numbers beside the words and not six: one says how beautiful the picture shall be
                requires_aesthetics_score=told == 5 * config.addition_time_embed_dim,
                force_zeros_for_empty_prompt=False, add_watermarker=False,
            )  # fmt: skip
            sister.set_progress_bar_config(disable=True)
            self._member = Member(sister, inspect.signature(sister.__call__).parameters)
        self._member.pipe.vae = pipe.vae
        return self._member

    def takes(self, request: ImageRequest, one: Pass, masked: bool) -> bool:
        """Whether it has a part in a pass: not over a mask, nor where less is painted than its share."""
        if self._unet is None or masked or (one.strength is not None and one.strength <= 1 - request.refiner_at):
            return False
        return steps_left(self._family.scheduler(request.scheduler), one.steps, request.refiner_at) > 0

    def finish(
        self,
        request: ImageRequest,
        one: Pass,
        begun: Any,
        prompt: str,
        names: Embeddings,
        generator: Any,
        context: Context,
        told: Callable[[int, int], None],
    ) -> Any:
        """The rest of a pass; pixels as the pipelines give them.

        Args:
            begun: the latents at which the model ended.
            names: what names in the prompts stand for.

        Raises:
            Cancelled, SkippedError.
        """
        member = self.member()
        assert member is not None
        pipe = member.pipe
        pipe.scheduler = self._family.scheduler(request.scheduler)
        first = min(int(one.expected * request.refiner_at), one.expected - 1)
        words = conditioning.condition(
            pipe, member.accepts, prompt, request.negative_prompt, request.guidance_scale or 0.0, request.clip_skip,
            one.expected, int(one.second), names, first,
        )  # fmt: skip

        def after_step(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            steps = pipe.num_timesteps or 1
            tensors |= words.before(step + 1, steps, max(one.expected - first, 1))
            told(first + step + 1, max(first + steps, first + step + 1))
            context.check()
            if context.skipped():
                raise SkippedError
            return tensors

        return pipe(
            **words.arguments, **words.watched(("latents",)), image=begun, denoising_start=request.refiner_at,
            num_inference_steps=one.steps, guidance_scale=request.guidance_scale, generator=generator,
            callback_on_step_end=after_step, **PIXELS,
        ).images  # fmt: skip

    def nbytes(self) -> int:
        """Bytes of its network."""
        return 0 if self._unet is None else torch_loading.nbytes(self._unet)

    def clear(self) -> None:
        """Drop it; it is read again when it is wanted."""
        self._unet = self._stamp = self._member = None


def steps_left(scheduler: Any, steps: int, at: float) -> int:
    """How many of `steps` are behind the switch, as the pipelines count them."""
    scheduler.set_timesteps(steps)
    taught = scheduler.config.num_train_timesteps
    return int((scheduler.timesteps < round(taught - at * taught)).sum())


def check(card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
    """Refuse, from headers alone, a refiner that a model cannot hand on to.

    Raises:
        StudioError: refiner_missing, refiner_wrong, refiner_form, refiner_not_taken, bad_file.
    """
    if not request.refiner:
        return
    pipeline, _ = control_heads.read_model(card, files)
    if pipeline and pipeline != BASE:
        raise StudioError("refiner_not_taken", model=card.title)
    reader = _reader(card, files)
    head = read_head(request.refiner, _place(request.refiner, folders), int(reader.get("projection_dim", 0)))
    if reader:
        check_fit(head, request.refiner, card, int(reader["hidden_size"]))


def work(card: Card, request: Request) -> int:
    """Bytes that the refiner of a request takes, by the share of its base that the published one is."""
    return round(card.memory_bytes * _SHARE) if getattr(request, "refiner", "") else 0


def read_head(name: str, place: Path, pooled: int = 0) -> Head:
    """What lies at `place`.

    Args:
        pooled: how long the vector is that a whole prompt becomes; 0 where that is not known.

    Raises:
        StudioError: bad_file, refiner_form (another network).
    """
    try:
        if place.is_dir():
            config = json.loads((place / refiner_files.PART / control_files.CONFIG).read_text(encoding="utf-8"))
        else:
            config = _of_file(place, pooled)
        sized = config.get("addition_embed_type") == "text_time" and config.get("in_channels", 4) == 4
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise StudioError("bad_file", path=place.name, reason="not a refiner") from None
    if not sized:
        raise StudioError("refiner_form", name=name)
    return Head(place, config)


def check_fit(head: Head, name: str, card: Card, width: int) -> None:
    """Raise StudioError where a network reads other words than those of the model's second reader: refiner_wrong."""
    across = head.config.get("cross_attention_dim")
    if across != width:
        raise StudioError("refiner_wrong", name=name, model=card.title)


def _of_file(place: Path, pooled: int) -> dict[str, Any]:
    shapes = beside.tensors(place)
    painter = bare(shapes, UNET if f"{UNET}input_blocks.0.0.weight" in shapes else "")
    config = {**configs.family("sdxl")["unet"], **read.unet(painter)}
    # its last level has no attention, and the middle one has
    if depth := read.count_blocks(painter, r"middle_block\.1\.transformer_blocks\.(\d+)\."):
        config["transformer_layers_per_block"][-1] = depth
    told = config["projection_class_embeddings_input_dim"] - pooled
    if pooled and told > 0:
        config["addition_time_embed_dim"] = told // 5
    return config


def _reader(card: Card, files: Path) -> Mapping[str, Any]:
    """The configuration of a model's second reader; empty where its files do not tell."""
    try:
        if (file := loading.checkpoint(card, files)) is not None:
            return configs.networks(read_weights(file), beside.tensors(file)).get("text_encoder_2", {})
        return json.loads((files / "text_encoder_2" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return {}


def _read(head: Head, dtype: Any) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    kind: Any = UNet2DConditionModel
    if head.place.is_dir():
        weights = refiner_files.weights(head.place)
        stem = "" if weights is None else weights.stem.partition(".")[2]
        return kind.from_pretrained(
            head.place / refiner_files.PART, dtype=dtype, use_safetensors=True, local_files_only=True,
            **({"variant": stem} if stem else {}),
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="atelier-") as made:
        (Path(made) / control_files.CONFIG).write_text(json.dumps(dict(head.config)), encoding="utf-8")
        return kind.from_single_file(str(head.place), config=made, local_files_only=True, dtype=dtype)


def _place(name: str, folders: Sequence[Path]) -> Path:
    if (place := refiner_files.find(name, folders)) is None:
        raise StudioError("refiner_missing", name=name)
    return place


def _stamp(name: str, folders: Sequence[Path]) -> _Stamp:
    if (found := control_files.stamp(name, _place(name, folders), refiner_files.weights)) is None:
        raise StudioError("refiner_missing", name=name)
    return found
