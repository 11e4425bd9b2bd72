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
from typing import TYPE_CHECKING, Any

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context, Worth
from studio.engines.image import (
    areas,
    call,
    conditioning,
    control,
    decode,
    decoders,
    details,
    edit,
    embeddings,
    init_image,
    inside,
    latents,
    noise,
    references,
    refiner,
    remarks,
    seamless,
    token_count,
    translation,
)
from studio.engines.image.control import Controls
from studio.engines.image.decoders import Decoders
from studio.engines.image.details import Detectors
from studio.engines.image.img2img import Family, Member
from studio.engines.image.loras import Adapters
from studio.engines.image.passes import Pass, Progress, SkippedError, plan, work
from studio.engines.image.previews import Previews, watch
from studio.engines.image.references import References
from studio.engines.image.refiner import Refiner
from studio.engines.image.regional import Regional
from studio.engines.image.single_file import loading
from studio.engines.shared import diffusers_loading, parking, torch_loading
from studio.errors import Cancelled, StudioError
from studio.requests import ImageRequest, Request
from studio.results import Output, Painting, Tokens
from studio.tasks.image import glossary
from studio.tasks.image.schedulers import fits
from studio.tasks.seeds import stepped, varied

if TYPE_CHECKING:
    import numpy as np

PIPELINES = (
    "StableDiffusionPipeline", "StableDiffusionXLPipeline", "LatentConsistencyModelPipeline",
    "StableDiffusion3Pipeline", "PixArtSigmaPipeline", "ZImagePipeline", "FluxPipeline",
    "FluxKontextPipeline", "Flux2KleinPipeline", "QwenImagePipeline",
    "QwenImageEditPipeline", "QwenImageEditPlusPipeline", "SanaPipeline", "SanaSprintPipeline",
)  # fmt: skip
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
        parts = control.work(card, request) + references.work(card, request) + details.work(request)
        return work(card, request) + parts + decoders.work(request) + refiner.work(card, request)

    def check_controls(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        control.check(card, files, request, folders)

    def check_references(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        references.check(card, files, request, folders)

    def check_vae(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        decoders.check(card, files, request.vae, folders)

    def check_refiner(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        refiner.check(card, files, request, folders)

    def check_regions(self, card: Card, files: Path) -> None:
        areas.check(card, files)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> DiffusionModel:  # noqa: ARG002
        if card.options.get("refines"):
            raise StudioError("only_refines", model=card.title)
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
        self._edited: tuple[Image.Image, ...] = ()  # the pictures that the run's instruction speaks of
        self._references: Any = References(card, self._family, device)
        self._decoders: Any = Decoders(card, self._family, device)
        self._refiner: Any = Refiner(card, self._family, device)
        self._detectors = Detectors(card, device)
        self._embeddings = conditioning.NONE  # what names in the prompts of the run stand for
        self._regions: list[Image.Image] = []  # the masks of the run's regions
        self._previews: Any = Previews(card, pipe, files, device)
        self._faster: Any = Regional(pipe)
        self._weights: Any = parking.placed(
            card, device, *diffusers_loading.modules(pipe).values(), *self._previews.modules()
        )

    def nbytes(self) -> int:
        return self._weights.nbytes() + sum(part.nbytes() for part in self._parts)

    def close(self) -> None:
        self._family = self._adapters = self._controls = self._references = self._previews = self._weights = None
        self._decoders = self._refiner = self._faster = None

    def hasten(self, worth: Worth) -> None:
        self._faster.worth = worth

    def _forget(self) -> None:
        self._faster.drop()
        for part in self._parts:
            part.clear()

    @property
    def _parts(self) -> tuple[Any, ...]:
        """What other files bring, kept with the model until it is parked."""
        return self._controls, self._references, self._decoders, self._refiner, self._detectors

    def run(self, request: ImageRequest, context: Context) -> Output:
        return self._faster.painted(request, lambda: self._run(request, context))

    def _run(self, request: ImageRequest, context: Context) -> Output:
        request, said = translation.translate_request(request, self._glossary)
        request, fitted = remarks.fitted(request, self._family)
        cutout = init_image.read_source(request)
        source = cutout and cutout.source
        self._edited, noted = edit.read_pictures(request)
        measured = bool(request.image or request.hires_scale > 1) and self._family.paints_over()
        twice = request.hires_scale > 1 and measured
        passes = plan(request, int(self._card.limits.get("multiple", 8)), twice, measured)
        # refused here, before anything is painted, where the model has no pipeline for this
        self._family.member(source is not None, source is not None and source.mask is not None)
        if self._decoders.apply(request.vae, context.adapters):
            self._controls.renew()
        self._refiner.apply(request.refiner, context.adapters)
        if request.details and not self._family.paints_over():
            raise StudioError("no_image_input", model=self._card.title)
        self._detectors.apply(request.details, context.adapters)
        self._controls.apply(request.controls, context.adapters)
        self._controls.member(source is not None, source is not None and source.mask is not None)
        self._references.apply(request.references, context.adapters)
        # a part that is put back somewhere must fit there and not to itself
        if request.seamless and not (seamless.possible(self._family.pipe) and (cutout is None or not cutout.whole)):
            fitted.append(("no_seamless", {}))
            request = replace(request, seamless="")
        self._adapters.apply(request.loras, context.adapters)
        more = (one.prompt for one in (*request.regions, *request.details))
        texts = (*(request.prompts or (request.prompt,)), request.negative_prompt, *more)
        self._embeddings, told = embeddings.read(self._family.pipe, texts, context.adapters)
        self._refined = conditioning.NONE
        if (half := self._refiner.member()) is not None:
            self._refined = embeddings.read(half.pipe, texts, context.adapters)[0]
            if not self._refiner.takes(request, passes[-1], source is not None and source.mask is not None):
                fitted.append(("refiner_not_used", {}))
        pictures: list[Image.Image] = []
        seeds: list[tuple[int, int]] = []
        relatives = self._varied(request)
        finish = "stop"
        began = time.perf_counter()
        with torch_loading.working(self._card), self._references.worn():
            notes = [*said, *(source.notes if source else noted), *fitted, *told]
            notes += remarks.run_notes(request, self._card, self._family, twice, relatives)
            decode.set_tiles(self._family.pipe, self._card, request)
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

    def painting(self, request: ImageRequest, context: Context) -> Painting:
        return inside.painting(self._card, self._family.pipe, self._family, self._glossary, request, context, self.run)

    def encode(self, pictures: Sequence[Image.Image], context: Context) -> np.ndarray:
        return inside.encode(self._card, self._family.pipe, pictures, context)

    def decode(self, latents: np.ndarray, context: Context) -> tuple[Image.Image, ...]:
        return inside.decode(self._card, self._family.pipe, latents, context)

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
        with seamless.wrapped(self._family.pipe, request.seamless), noise.drawn(request.rng):
            for part, one in enumerate(passes):
                if painted is not None:
                    whole = painted if here is None else here.kept(painted)
                    larger = seamless.enlarged(whole, one.size, request.seamless)
                    start = init_image.Source(larger)
                    # outside the mask the second pass starts from the person's own pixels, not from enlarged ones
                    start = start if source is None else replace(source, image=source.kept(larger))
                here = start and start.sized(one.size)
                told = lambda done, steps, part=part: progress.step(number, part, done, steps)  # noqa: E731
                refined = part == len(passes) - 1 and self._refiner.takes(request, one, bool(here and here.mask))
                painted = self._paint(request, one, here, number, generator, context, told, refined)
        assert painted is not None
        # encoding and decoding change every pixel a little: outside the mask the given ones are put back
        finished = painted if cutout is None else cutout.put_back(painted)

        def again(asked: ImageRequest, one: Pass, place: init_image.Cutout, part: int) -> Image.Image:
            self._regions = areas.shown(asked.regions, place)
            told = lambda done, steps: progress.step(number, len(passes) + part, done, steps)  # noqa: E731
            own = torch.Generator("cpu").manual_seed(request.seed or 0)
            with self._controls.resting(), noise.drawn(request.rng):
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
        refined: bool = False,
    ) -> Image.Image:
        """One pass of one picture; where it is `refined`, the refiner paints the rest of it."""
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
            steps = whole = getattr(pipe, "num_timesteps", None) or one.expected
            if refined:  # it knows of its own share alone
                whole = max(round(steps / request.refiner_at), steps + 1)
            # called behind a step: what is set here is what the next one reads
            self._references.before(step + 1, whole)
            tensors |= words.before(step + 1, whole, one.expected)
            mixed.before(step + 1, whole, one.expected)
            if kept is not None:
                tensors["latents"] = kept.after_step(step, tensors["latents"])
            self._controls.done(step + 1)
            told(step + 1, whole)
            context.check()
            if context.skipped():
                raise SkippedError
            if expected is not None and step + 1 < whole:  # after the last step the picture itself comes
                self._previews.show(expected(tensors["latents"]), context, number)
            return tensors

        try:
            self._references.before(0, one.expected)
            with self._controls.steering(request.seed or 0, member), mixed.mixed(getattr(pipe, "unet", None)):
                drawn = call.arguments(
                    self._card, member, request, one, start, generator, edited=self._edited,
                    related=self._varied(request),
                )  # fmt: skip
                result = pipe(
                    **drawn,
                    **self._controls.arguments(one.size, member),
                    **self._references.arguments(one.size, member, request.guidance_scale or 0.0),
                    **words.arguments,
                    **words.watched(("latents",)),
                    generator=generator,
                    callback_on_step_end=after_step,
                    **({"denoising_end": request.refiner_at, "output_type": "latent"} if refined else refiner.PIXELS),
                ).images
            if refined:
                prompt = _prompt(request, number)
                result = self._refiner.finish(request, one, result, prompt, self._refined, generator, context, told)
        finally:
            self._family.restore()
        if context.skipped():  # pressed while it was decoded
            raise SkippedError
        return decode.as_picture(self._card, result[0])

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

    def _varied(self, request: ImageRequest) -> bool:
        """Whether its pictures are relatives of one."""
        return varied(request) and type(self._family.pipe).__name__ in latents.PLAIN


def _prompt(request: ImageRequest, number: int) -> str:
    """What picture `number` is painted from."""
    return request.prompts[number] if number < len(request.prompts) else request.prompt
