"""Picture to text through transformers: BLIP, vision-encoder-decoder, Florence-2 and promptable vision-language models.

Takes a folder with config.json, a tokenizer, a preprocessor and *.safetensors; what it is, its config says. Pictures
are prepared with pillow alone: neither torchvision nor a video processor is needed.

Read from the card:
    options.dtype, options.ignore_code: see _torch.
    options.prompts: {short, normal, long}: what a promptable model is asked when the person typed nothing.
    options.template_options: further variables of the chat template, for example {enable_thinking = false}.
    options.max_side: pixels; larger pictures are made smaller first. Default 1024; 0 leaves them as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from studio.catalog import Card
from studio.engines import _torch
from studio.engines._decode import Detokenizer, after_each_token
from studio.engines.base import Context, Device
from studio.errors import StudioError
from studio.requests import CaptionRequest, Request
from studio.types import Output

_QUESTIONS = {
    "short": "Describe this picture in one short sentence.",
    "normal": "Describe this picture in two or three sentences.",
    "long": "Describe this picture in detail: what is in it, where, its colours, its style and its mood.",
}
_FLORENCE = {"short": "<CAPTION>", "normal": "<DETAILED_CAPTION>", "long": "<MORE_DETAILED_CAPTION>"}
_BLIP_TOKENS = {"short": (0, 12), "normal": (0, 1 << 30), "long": (24, 1 << 30)}


class CaptionEngine:
    """Captioning models of transformers."""

    def weights(self, card: Card, files: Path) -> int:
        return _torch.stored_bytes(card, files)

    def work(self, card: Card, request: Request) -> int:  # noqa: ARG002
        """The tokens of one picture and its text, and the activations of the picture's encoder."""
        return (256 << 20) + card.parameters // 4

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> CaptionModel:  # noqa: ARG002
        _torch.refuse_code(card, files)
        with _torch.loading(card, device, "transformers"):
            import transformers

            dtype = _torch.dtype_for(card, files, device)
            config = transformers.AutoConfig.from_pretrained(files, local_files_only=True, trust_remote_code=False)
            kinds: dict[str, Any] = {
                "blip": transformers.BlipForConditionalGeneration,
                "vision-encoder-decoder": transformers.VisionEncoderDecoderModel,
            }
            kind = kinds.get(config.model_type, transformers.AutoModelForImageTextToText)
            loaded: Any = kind.from_pretrained(
                files,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                **_torch.placement(device),
            )
            model, info = loaded
            _torch.require_complete(card, info)
            processor = read_processor(files, config)
            promptable = config.model_type not in (*kinds, "florence2")
            if promptable and not getattr(processor, "chat_template", None):
                raise StudioError("broken_model", model=card.title, reason="it has no chat template")
            return CaptionModel(card, model.eval(), processor, device)


def read_processor(files: Path, config: Any) -> Any:
    """What turns pictures and text into a model's inputs, also where torchvision is missing.

    Without torchvision transformers cannot make video processors, so a processor that has one is made without it.
    """
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if config.model_type == "vision-encoder-decoder":
        return _Pair(
            transformers.AutoImageProcessor.from_pretrained(files, **options),
            transformers.AutoTokenizer.from_pretrained(files, **options),
        )
    try:
        return transformers.AutoProcessor.from_pretrained(files, **options)
    except ImportError:
        kind: Any = PROCESSOR_MAPPING[type(config)]
        if "video_processor" not in kind.get_attributes():
            raise

        class StillPictures(kind):
            @classmethod
            def get_attributes(cls) -> list[str]:
                return [name for name in super().get_attributes() if name != "video_processor"]

        return StillPictures.from_pretrained(files, **options)


class _Pair:
    """An image processor and a tokenizer, for models that have no processor of their own."""

    def __init__(self, pictures: Any, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._pictures = pictures

    def __call__(self, images: Any, return_tensors: str) -> Any:
        return self._pictures(images, return_tensors=return_tensors)


class CaptionModel:
    """A captioning model in memory."""

    def __init__(self, card: Card, model: Any, processor: Any, device: Device) -> None:
        self._card, self._device = card, device
        self._model: Any = model
        self._processor: Any = processor
        self._kind: str = model.config.model_type
        parts: list[Any] = [model, getattr(model, "text_decoder", None)]
        for part in parts:
            if getattr(part, "generation_config", None) is not None:
                part.generation_config.max_length = None  # the request says how much

    def nbytes(self) -> int:
        return _torch.nbytes(self._model)

    def close(self) -> None:
        self._model = self._processor = None
        _torch.release(self._device)

    def run(self, request: CaptionRequest, context: Context) -> Output:
        from studio.media import decode_image

        picture = self._fitted(decode_image(request.image))
        context.check()
        with _torch.working(self._card):
            inputs, opening, notes = self._inputs(picture, request)
            return self._generate(inputs, opening, notes, request, context)

    def _fitted(self, picture: Image.Image) -> Image.Image:
        side = int(self._card.options.get("max_side", 1024))
        if side and max(picture.size) > side:
            picture = picture.copy()
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        return picture

    def _inputs(
        self, picture: Image.Image, request: CaptionRequest
    ) -> tuple[dict[str, Any], str, tuple[tuple[str, dict[str, Any]], ...]]:
        """The model's inputs, the beginning that the caption is given, and what the reader should know."""
        prompt = request.prompt.strip()
        notes: tuple[tuple[str, dict[str, Any]], ...] = ()
        opening = ""
        texts: dict[str, Any] = {}
        if self._kind == "blip":
            opening = prompt
            texts = {"text": prompt} if prompt else {}
        elif self._kind == "florence2":
            known = self._processor.task_prompts_without_inputs
            texts = {"text": prompt if prompt in known else _FLORENCE[request.length]}
            notes = (("no_prompt", {}),) if prompt and prompt not in known else ()
        elif self._kind == "vision-encoder-decoder":
            notes = (("no_prompt", {}),) if prompt else ()
        else:
            texts = {"text": [self._question(prompt or self._asked(request.length))]}
        inputs = self._processor(images=[picture], **texts, return_tensors="pt").to(self._model.device)
        return {name: self._cast(value) for name, value in inputs.items()}, opening, notes

    def _asked(self, length: Literal["short", "normal", "long"]) -> str:
        return self._card.options.get("prompts", {}).get(length) or _QUESTIONS[length]

    def _question(self, prompt: str) -> str:
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}
        options = dict(self._card.options.get("template_options", {}))
        return self._processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False, **options)

    def _cast(self, value: Any) -> Any:
        return (
            value.to(self._model.dtype) if hasattr(value, "is_floating_point") and value.is_floating_point() else value
        )

    def _generate(
        self,
        inputs: dict[str, Any],
        opening: str,
        notes: tuple[tuple[str, dict[str, Any]], ...],
        request: CaptionRequest,
        context: Context,
    ) -> Output:
        import torch

        most = request.max_tokens or 1
        sampling: dict[str, Any] = {"do_sample": False}
        if (request.temperature or 0) > 0:
            sampling = {"do_sample": True, "temperature": float(request.temperature or 1)}
        if self._kind == "blip":
            least, limit = _BLIP_TOKENS[request.length]
            most = min(most, limit)
            sampling["min_new_tokens"] = min(least, most)
        shown: list[str] = []
        times: list[float] = []
        cancelled = False
        decoder: Detokenizer | None = None

        def show(text: str) -> None:
            text = text if shown else text.lstrip()
            if text:
                shown.append(text)
                context.text(text)

        def look(sequences: Any) -> bool:
            nonlocal decoder, cancelled
            ids = sequences[0]
            decoder = decoder or Detokenizer(self._processor.tokenizer, ids[:-1].tolist()[-4:])
            if not cancelled:
                times.append(time.perf_counter())
                show(decoder.feed(int(ids[-1])))
                context.step(len(times), most)
                cancelled = context.cancelled
            return cancelled

        show(opening)
        torch.manual_seed(request.seed or 0)
        self._model.generate(
            **inputs, max_new_tokens=most, num_beams=1, stopping_criteria=after_each_token(look), **sampling
        )
        if decoder:
            show(decoder.finish())
        stats = {"tokens": float(len(times))}
        if len(times) > 1:
            stats["tokens_per_second"] = (len(times) - 1) / max(times[-1] - times[0], 1e-9)
        finish: Literal["stop", "length", "cancelled"] = "length" if len(times) >= most else "stop"
        if cancelled:
            finish = "cancelled"
        return Output(text="".join(shown).strip(), finish=finish, stats=stats, notes=notes)
