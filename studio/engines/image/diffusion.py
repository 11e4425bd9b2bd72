"""Pictures from words, and from pictures, through diffusers.

Takes a folder with model_index.json whose pipeline class is one of `PIPELINES`, and opens only its *.safetensors; or
one file, as other programs keep models (studio.engines.image.single_file).
Pictures are made one after another, each from its own generator on the CPU, so that picture i of a batch is the same as
a single picture with seed + i, on every device; relatives of one picture share its seed and have variation_seed + i.
Painting over a picture goes through pipelines of the same modules, so no weights are held twice. Pictures are returned,
not written.

Read from the card:
    options.dtype, options.ignore_code: see _torch. options.preview: see _previews.
    options.vae, .text_encoders, .rest, .prediction: of a checkpoint of one file, see single_file.loading.
    options.variant: "fp16" where the weights are named so; found out by itself where there are no others.
    options.offload: "model" keeps only the part that works on the GPU (CUDA); "none" (default).
    options.quantise: see _quantised.
    options.tile_above: pixels above which the picture is decoded in tiles; default 2,400,000.
    options.max_sequence_length: tokens of the prompt, where the pipeline takes it.
    limits.multiple: what the sides of a first, smaller pass are rounded to; default 8.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.image import (
    areas,
    conditioning,
    control,
    details,
    embeddings,
    init_image,
    latents,
    remarks,
    seamless,
    token_count,
    translation,
)
from studio.engines.image.control import Controls
from studio.engines.image.details import Detectors
from studio.engines.image.img2img import Family, Member
from studio.engines.image.loras import Adapters
from studio.engines.image.passes import Pass, Progress, SkippedError, plan, tiled, work
from studio.engines.image.previews import Previews, watch
from studio.engines.image.single_file import loading
from studio.engines.shared import diffusers_loading, parking, torch_loading
from studio.errors import Cancelled, StudioError
from studio.requests import ImageRequest, Request
from studio.results import Output, Tokens
from studio.tasks.image import glossary
from studio.tasks.image.schedulers import fits
from studio.tasks.seeds import stepped, varied

PIPELINES = (
    "StableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "LatentConsistencyModelPipeline",
    "StableDiffusion3Pipeline",
    "PixArtSigmaPipeline",
    "ZImagePipeline",
    "FluxPipeline",
    "Flux2KleinPipeline",
    "QwenImagePipeline",
    "SanaPipeline",
    "SanaSprintPipeline",
)
"""Pipeline classes that are loaded; a folder that asks for another one is refused."""


class DiffusionEngine(torch_loading.Casts):
    """Diffusers pipelines that make pictures."""

    def weights(self, card: Card, files: Path) -> int:
        if file := loading.checkpoint(card, files):
            try:
                return loading.nbytes(card, file, loading.rest_of(card, files)) or card.memory_bytes
            except (OSError, ValueError, KeyError, TypeError):  # a broken file is reported by load, with its reason
                return card.memory_bytes
        return diffusers_loading.weights(card, files)

    def work(self, card: Card, request: Request) -> int:
        return work(card, request) + control.work(card, request) + details.work(request)

    def check_controls(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        control.check(card, files, request, folders)

    def check_regions(self, card: Card, files: Path) -> None:
        areas.check(card, files)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> DiffusionModel:  # noqa: ARG002
        if file := loading.checkpoint(card, files):
            pipe = loading.load(card, file, loading.rest_of(card, files), device, PIPELINES)
            pipe = diffusers_loading.settled(card, pipe, device)
        else:
            pipe = diffusers_loading.load(card, files, device, PIPELINES)
        return DiffusionModel(card, pipe, files, device)

    def tokens(self, card: Card, files: Path, prompt: str, adapters: Sequence[Path] = ()) -> Tokens:
        """How much of the prompt the model reads. Zeros where nobody can tell."""
        if loading.checkpoint(card, files):
            found = embeddings.sizes([prompt], adapters)
            return token_count.of_checkpoint(loading.chunked(card, files), prompt, found)
        read = glossary.read_prompt(prompt, glossary.load_glossary(files)).prompt
        return token_count.count(card, files, read, embeddings.sizes([prompt], adapters, token_count.widths(files)))

    def samples(self, card: Card, files: Path, scheduler: str) -> bool:
        if loading.checkpoint(card, files):
            config = loading.scheduler_config(card, files)
            rest = loading.rest_of(card, files)
            return fits(scheduler, config) if config or rest is None else diffusers_loading.samples(rest, scheduler)
        return diffusers_loading.samples(files, scheduler)


class DiffusionModel(parking.Parking):
    """A pipeline in memory, with the scheduler settings that it came with."""

    def __init__(self, card: Card, pipe: Any, files: Path, device: Device) -> None:
        self._card, self._device, self._glossary = card, device, glossary.load_glossary(files)
        self._family: Any = Family(card, pipe)
        self._adapters: Any = Adapters(card, pipe)
        self._controls: Any = Controls(card, self._family, device)
        self._detectors = Detectors(card, device)
        self._embeddings = conditioning.NONE  # what names in the prompts of the run stand for
        self._regions: list[Image.Image] = []  # the masks of the run's regions
        self._previews: Any = Previews(card, pipe, files, device)
        self._weights: Any = parking.placed(
            card, device, *diffusers_loading.modules(pipe).values(), *self._previews.modules()
        )

    def nbytes(self) -> int:
        return self._weights.nbytes() + self._controls.nbytes() + self._detectors.nbytes()

    def close(self) -> None:
        self._family = self._adapters = self._controls = self._previews = self._weights = None

    def _forget(self) -> None:
        self._controls.clear()
        self._detectors.clear()

    def run(self, request: ImageRequest, context: Context) -> Output:
        request, said = translation.translate_request(request, self._glossary)
        request, fitted = remarks.fitted(request, self._family)
        cutout = init_image.read_source(request)
        source = cutout and cutout.source
        measured = bool(request.image or request.hires_scale > 1) and self._family.paints_over()
        twice = request.hires_scale > 1 and measured
        passes = plan(request, int(self._card.limits.get("multiple", 8)), twice, measured)
        # refused here, before anything is painted, where the model has no pipeline for this
        self._family.member(source is not None, source is not None and source.mask is not None)
        if request.details and not self._family.paints_over():
            raise StudioError("no_image_input", model=self._card.title)
        self._detectors.apply(request.details, context.adapters)
        self._controls.apply(request.controls, context.adapters)
        self._controls.member(source is not None, source is not None and source.mask is not None)
        # a part that is put back somewhere must fit there and not to itself
        if request.seamless and not (seamless.possible(self._family.pipe) and (cutout is None or not cutout.whole)):
            fitted.append(("no_seamless", {}))
            request = replace(request, seamless="")
        self._adapters.apply(request.loras, context.adapters)
        more = (one.prompt for one in (*request.regions, *request.details))
        texts = (*(request.prompts or (request.prompt,)), request.negative_prompt, *more)
        self._embeddings, told = embeddings.read(self._family.pipe, texts, context.adapters)
        pictures: list[Image.Image] = []
        seeds: list[tuple[int, int]] = []
        relatives = self._varied(request)
        finish = "stop"
        began = time.perf_counter()
        with torch_loading.working(self._card):
            notes = [*said, *(source.notes if source else ()), *fitted, *told]
            notes += remarks.run_notes(request, self._card, self._family, twice, relatives)
            self._tile(request)
            self._previews.begin()
            progress = Progress(context, request.count, passes)
            for number in range(request.count):
                one = stepped(request, number, relatives)
                try:
                    context.check()
                    pictures.append(self._picture(one, passes, cutout, number, context, progress))
                except SkippedError:
                    continue
                except Cancelled:
                    if not pictures:
                        raise
                    # Stop keeps the pictures that are whole
                    finish = "cancelled"
                    break
                seeds.append((one.seed or 0, one.variation_seed or 0))
                if number + 1 < request.count:
                    context.preview(pictures[-1], number, whole=True)
        if not pictures:
            raise Cancelled
        steps = request.count * (request.steps or 1)
        stats = {"seconds": time.perf_counter() - began, "steps": float(steps)}
        own, steps_of = zip(*seeds, strict=True)
        return Output(
            images=tuple(pictures), seeds=own, variation_seeds=steps_of if relatives else (), finish=finish,
            stats=stats, notes=tuple(notes),
        )  # fmt: skip

    def _picture(
        self,
        request: ImageRequest,
        passes: tuple[Pass, ...],
        cutout: init_image.Cutout | None,
        number: int,
        context: Context,
        progress: Progress,
    ) -> Image.Image:
        """One picture; raises Cancelled or SkippedError between steps and leaves the pipelines ready for the next."""
        import torch

        generator = torch.Generator("cpu").manual_seed(request.seed or 0)
        start = source = cutout and cutout.source
        here: init_image.Source | None = None
        painted: Image.Image | None = None
        self._regions = areas.shown(request.regions, cutout)
        with seamless.wrapped(self._family.pipe, request.seamless):
            for part, one in enumerate(passes):
                if painted is not None:
                    whole = painted if here is None else here.kept(painted)
                    larger = seamless.enlarged(whole, one.size, request.seamless)
                    start = init_image.Source(larger)
                    # outside the mask the second pass starts from the person's own pixels, not from enlarged ones
                    start = start if source is None else replace(source, image=source.kept(larger))
                here = start and start.sized(one.size)
                told = lambda done, steps, part=part: progress.step(number, part, done, steps)  # noqa: E731
                painted = self._paint(request, one, here, number, generator, context, told)
        assert painted is not None
        # encoding and decoding change every pixel a little: outside the mask the given ones are put back
        finished = painted if cutout is None else cutout.put_back(painted)

        def again(asked: ImageRequest, one: Pass, place: init_image.Cutout, part: int) -> Image.Image:
            self._regions = areas.shown(asked.regions, place)
            told = lambda done, steps: progress.step(number, len(passes) + part, done, steps)  # noqa: E731
            own = torch.Generator("cpu").manual_seed(request.seed or 0)
            with self._controls.resting():
                return self._paint(asked, one, place.source, number, own, context, told)

        return details.repainted(self._detectors, request, finished, self._card, again)

    def _paint(
        self,
        request: ImageRequest,
        one: Pass,
        start: init_image.Source | None,
        number: int,
        generator: Any,
        context: Context,
        told: Callable[[int, int], None],
    ) -> Image.Image:
        """One pass of one picture."""
        if start is not None and one.steps == 0:
            return start.image
        masked = start is not None and start.mask is not None
        over = start is not None, masked
        member = self._controls.member(*over) or self._family.member(*over)
        pipe = member.pipe
        pipe.scheduler = self._family.scheduler(request.scheduler)
        looked_at = context.previews and self._previews.possible
        expected = watch(pipe.scheduler) if looked_at else None
        kept = None
        if start is not None and start.mask is not None and member.by_hand:
            kept = latents.Kept(pipe, start.image, start.mask, request.seed or 0)

        words, mixed = self._words(request, one, number, member)

        def after_step(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            # some schedulers take another number of steps than they were asked for; the pipeline knows once it runs
            steps = getattr(pipe, "num_timesteps", None) or one.expected
            # called behind a step: what is set here is what the next one reads
            tensors |= words.before(step + 1, steps, one.expected)
            mixed.before(step + 1, steps, one.expected)
            if kept is not None:
                tensors["latents"] = kept.after_step(step, tensors["latents"])
            told(step + 1, steps)
            context.check()
            if context.skipped():
                raise SkippedError
            if expected is not None and step + 1 < steps:  # after the last step the picture itself comes
                self._previews.show(expected(tensors["latents"]), context, number)
            return tensors

        try:
            with self._controls.chance(request.seed or 0), mixed.mixed(getattr(pipe, "unet", None)):
                result = pipe(
                    **self._arguments(request, one, start, generator, member),
                    **self._controls.arguments(one.size, member),
                    **words.arguments,
                    **words.watched(("latents",)),
                    generator=generator,
                    callback_on_step_end=after_step,
                    output_type="np",
                ).images[0]
        finally:
            self._family.restore()
        if context.skipped():  # pressed while it was decoded
            raise SkippedError
        return self._checked(result)

    def _words(
        self, request: ImageRequest, one: Pass, number: int, member: Member
    ) -> tuple[conditioning.Conditioning, areas.Areas]:
        """What the pipeline is told, and what else has a say."""
        guidance = request.guidance_scale or 0.0
        base = areas.prompts(_prompt(request, number), member, guidance)
        how = (request.clip_skip, one.expected, int(one.second), self._embeddings)
        own = conditioning.condition(
            member.pipe, member.accepts, base[0][0], request.negative_prompt, guidance, *how
        )  # fmt: skip
        return own, areas.areas(member, base, request.regions, self._regions, guidance, *how)

    def _checked(self, result: Any) -> Image.Image:
        import numpy as np

        if not np.isfinite(result).all():
            raise StudioError("bad_output", model=self._card.title, reason="not numbers")
        if not result.any():
            raise StudioError("bad_output", model=self._card.title, reason="a black picture")
        return Image.fromarray((result * 255).round().astype("uint8"), "RGB")

    def _arguments(
        self,
        request: ImageRequest,
        one: Pass,
        start: init_image.Source | None,
        generator: Any,
        member: Member,
    ) -> dict[str, Any]:
        """What this pipeline's call takes of the request, but for its words."""
        import torch

        accepts = member.accepts
        wanted: dict[str, Any] = {
            "width": one.size[0],
            "height": one.size[1],
            "num_inference_steps": one.steps,
            "guidance_scale": request.guidance_scale,
        }
        if _guides_by_a_second_prompt(member.pipe):
            wanted["true_cfg_scale"] = wanted.pop("guidance_scale")
            if not request.negative_prompt.strip():
                wanted["negative_prompt"] = " "  # without one the scale would count for nothing
        if start is not None:
            wanted |= {"image": start.image, "mask_image": start.mask, "strength": one.strength}
            if "original_inference_steps" in accepts and one.strength is not None:  # strength thins out those it knows
                taught = member.pipe.scheduler.config.original_inference_steps
                wanted["strength"] = max(one.strength, 1.5 / taught)
                wanted["num_inference_steps"] = min(one.steps, int(taught * wanted["strength"]))
        elif self._varied(request):
            other = torch.Generator("cpu").manual_seed(request.variation_seed or 0)
            wanted["latents"] = latents.between(member.pipe, one.size, generator, other, request.variation)
        if "max_sequence_length" in self._card.options:
            wanted["max_sequence_length"] = self._card.options["max_sequence_length"]
        if "intermediate_timesteps" in accepts and request.steps != 2:
            wanted["intermediate_timesteps"] = None  # Sana-Sprint has one for two steps only
        if "use_resolution_binning" in accepts:
            wanted["use_resolution_binning"] = False  # the size is what was asked for
        return {name: value for name, value in wanted.items() if name in accepts}

    def _varied(self, request: ImageRequest) -> bool:
        """Whether its pictures are relatives of one."""
        return varied(request) and type(self._family.pipe).__name__ in latents.PLAIN

    def _tile(self, request: ImageRequest) -> None:
        """Decode big pictures in tiles, others whole: tiles need less memory and can leave faint seams."""
        vae = self._family.pipe.vae
        if tiled(self._card, request) and hasattr(vae, "enable_tiling"):
            vae.enable_tiling()
        elif hasattr(vae, "disable_tiling"):
            vae.disable_tiling()


def _guides_by_a_second_prompt(pipe: Any) -> bool:
    """Whether `guidance_scale` is for distilled weights only, and the usual guidance has a name of its own."""
    return type(pipe).__name__.startswith("QwenImage") and not pipe.transformer.config.guidance_embeds


def _prompt(request: ImageRequest, number: int) -> str:
    """What picture `number` is painted from."""
    return request.prompts[number] if number < len(request.prompts) else request.prompt
