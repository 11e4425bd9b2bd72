"""Picture to text through transformers: BLIP, vision-encoder-decoder, Florence-2 and promptable vision-language models.

Takes a folder with config.json, a tokenizer, a preprocessor and *.safetensors; what it is, its config says. Pictures
are prepared with pillow alone: neither torchvision nor a video processor is needed.

Read from the card:
    options.dtype, options.ignore_code: see _torch. options.quantise: see _quantised.
    options.prompts: {short, normal, long}: what a promptable model is asked when the person typed nothing.
    options.template_options: further variables of the chat template, for example {enable_thinking = false}.
    options.marks: {en, zh, short, normal, long, tags}: tokens with which the decoder of a vision-encoder-decoder model
        begins, one for the language and one for the form. A prompt or an opening with Chinese in it asks for Chinese.
    options.max_side: pixels; larger pictures are made smaller first. Default 1024; 0 leaves them as they are.
    options.together: how many pictures of a folder go through it at once on a GPU. Default 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.caption import observations
from studio.engines.caption.generation import Asked, Notes, Row, controls
from studio.engines.shared import parking, processors, torch_loading
from studio.engines.shared.text_stream import after_each_token
from studio.errors import StudioError
from studio.requests import CaptionRequest, Request
from studio.results import Output
from studio.tasks.caption.styles import language_asked

_QUESTIONS = {
    "short": "Describe this picture in one short sentence.",
    "normal": "Describe this picture in two or three sentences.",
    "long": "Describe this picture in detail: what is in it, where, its colours, its style and its mood.",
}
_STYLES = {
    "prompt": "Write a prompt from which a picture model could paint this: subject, style, light, colours. "
    "Answer with the prompt alone.",
    "tags": "List what this picture shows as short tags, separated by commas. Answer with the tags alone.",
    "alt": "Write alt text for this picture: one sentence of at most 120 characters. Do not begin with 'image of'.",
}
_FLORENCE = {"short": "<CAPTION>", "normal": "<DETAILED_CAPTION>", "long": "<MORE_DETAILED_CAPTION>"}
_BLIP_TOKENS = {"short": (0, 12), "normal": (0, 1 << 30), "long": (24, 1 << 30)}
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_TOGETHER = ("blip", "florence2", "vision-encoder-decoder")
"""Kinds whose pictures all become one size, so that several go through one `generate`."""


class CaptionEngine(torch_loading.Casts):
    """Captioning models of transformers."""

    def weights(self, card: Card, files: Path) -> int:
        return torch_loading.stored_bytes(card, files)

    def work(self, card: Card, request: Request) -> int:  # noqa: ARG002
        """The tokens of one picture and its text, and the activations of the picture's encoder."""
        return (256 << 20) + card.parameters // 4

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> CaptionModel:  # noqa: ARG002
        torch_loading.refuse_code(card, files)
        with torch_loading.loading(card, device, "transformers"):
            import transformers

            from studio.engines.caption.networks import observer

            observer.register()
            dtype = torch_loading.dtype_for(card, files, device)
            config = transformers.AutoConfig.from_pretrained(files, local_files_only=True, trust_remote_code=False)
            kinds: dict[str, Any] = {
                "blip": transformers.BlipForConditionalGeneration,
                "vision-encoder-decoder": transformers.VisionEncoderDecoderModel,
            }
            kind = kinds.get(config.model_type, transformers.AutoModelForImageTextToText)
            model = torch_loading.pretrained(kind, card, files, device, dtype)
            processor = read_processor(files, config)
            promptable = config.model_type not in (*kinds, "florence2")
            if promptable and not getattr(processor, "chat_template", None):
                raise StudioError("broken_model", model=card.title, reason="it has no chat template")
            return CaptionModel(card, model, processor, device, observations.find_observer(files, model))


def read_processor(files: Path, config: Any) -> Any:
    """What turns pictures and text into a model's inputs, also where torchvision is missing.

    Without torchvision transformers cannot make video processors, so a processor that has one is made without it.
    """
    import transformers

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if config.model_type == "vision-encoder-decoder":
        return _Pair(
            transformers.AutoImageProcessor.from_pretrained(files, **options),
            transformers.AutoTokenizer.from_pretrained(files, **options),
        )
    return processors.for_pictures(files, config)


class _Pair:
    """An image processor and a tokenizer, for models that have no processor of their own."""

    def __init__(self, pictures: Any, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._pictures = pictures

    def __call__(self, images: Any, return_tensors: str) -> Any:
        return self._pictures(images, return_tensors=return_tensors)


class CaptionModel(parking.Parking):
    """A captioning model in memory."""

    def __init__(
        self, card: Card, model: Any, processor: Any, device: Device, observed: observations.Observer | None = None
    ) -> None:
        self._card, self._device, self._observed = card, device, observed
        self._model: Any = model
        self._weights: Any = parking.placed(card, device, model)
        self._processor: Any = processor
        self._kind: str = model.config.model_type
        self._marks: dict[str, str] = card.options.get("marks", {})
        parts: list[Any] = [model, getattr(model, "text_decoder", None)]
        for part in parts:
            if getattr(part, "generation_config", None) is not None:
                part.generation_config.max_length = None  # the request says how much

    def nbytes(self) -> int:
        return self._weights.nbytes()

    def close(self) -> None:
        self._model = self._weights = self._processor = self._observed = None

    def run(self, request: CaptionRequest, context: Context) -> Output:
        from studio.media.image import decode_image

        picture = self._fitted(decode_image(request.image))
        context.check()
        with torch_loading.working(self._card):
            return self._generate(self._asked([picture], request), request, context, context.text)[0]

    def together(self, request: CaptionRequest) -> int:  # noqa: ARG002
        """How many requests `run_many` takes at once."""
        on_gpu = self._device.kind != "cpu" and self._kind in _TOGETHER
        return int(self._card.options.get("together", 8)) if on_gpu else 1

    def run_many(self, requests: list[CaptionRequest], context: Context) -> list[Output]:
        """Captions of several pictures that are asked for in one way and without chance, in one pass.

        Raises:
            StudioError: one of the pictures cannot be read.
        """
        from studio.media.image import decode_image

        pictures = [self._fitted(decode_image(request.image)) for request in requests]
        context.check()
        with torch_loading.working(self._card):
            return self._generate(self._asked(pictures, requests[0]), requests[0], context, lambda _: None)

    def _fitted(self, picture: Image.Image) -> Image.Image:
        side = int(self._card.options.get("max_side", 1024))
        if side and max(picture.size) > side:
            picture = picture.copy()
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        return picture

    def _asked(self, pictures: list[Image.Image], request: CaptionRequest) -> Asked:
        """The model's inputs for some pictures, the beginning that their captions are given, and notes."""
        prompt, opening = request.prompt.strip(), request.opening.strip()
        notes: Notes = ()
        texts: dict[str, Any] = {}
        if self._kind == "blip":
            notes = (("no_prompt", {}),) if prompt and (opening or language_asked(prompt)) else ()
            opening = opening or ("" if language_asked(prompt) else prompt)
            texts = {"text": [opening] * len(pictures)} if opening else {}
        elif self._kind == "florence2":
            known = self._processor.task_prompts_without_inputs
            texts = {"text": [prompt if prompt in known else _FLORENCE[request.length]] * len(pictures)}
            notes = (("no_prompt", {}),) if prompt and prompt not in known else ()
        elif self._kind == "vision-encoder-decoder":
            notes = (("no_prompt", {}),) if prompt and not (self._marks and language_asked(prompt)) else ()
        else:
            wish = prompt if prompt and not language_asked(prompt) else f"{self._wish(request)} {prompt}".strip()
            texts = {"text": [self._question(wish, opening)]}
        inputs = self._processor(images=pictures, **texts, return_tensors="pt").to(self._model.device)
        cast = {name: self._cast(value) for name, value in inputs.items()}
        marks = self._marked(request)
        if (opening or marks) and self._kind in ("florence2", "vision-encoder-decoder"):
            cast["decoder_input_ids"] = self._begun(marks, opening, len(pictures))
        return Asked(cast, opening, notes)

    def _marked(self, request: CaptionRequest) -> list[int]:
        """The tokens that tell a decoder its language and its form; none where the card names none."""
        if not self._marks:
            return []
        language = "zh" if self._chinese(request) else "en"
        form = request.style if request.style in self._marks else request.length
        return self._processor.tokenizer.convert_tokens_to_ids([self._marks[language], self._marks[form]])

    def _chinese(self, request: CaptionRequest) -> bool:
        asked = language_asked(request.prompt)
        return asked == "zh" or (not asked and bool(_CHINESE.search(request.prompt + request.opening)))

    def _begun(self, marks: list[int], opening: str, count: int) -> Any:
        """The first tokens of a text decoder that is to go on from `opening`."""
        import torch

        config = self._model.generation_config
        first = [one for one in (config.decoder_start_token_id, config.forced_bos_token_id) if one is not None]
        if not first:
            first = [self._model.config.decoder_start_token_id]
        ids = [*first, *marks, *self._processor.tokenizer(opening, add_special_tokens=False).input_ids]
        return torch.tensor([ids] * count, device=self._model.device)

    def _wish(self, request: CaptionRequest) -> str:
        """What a model that can be asked is asked, where the person asked nothing."""
        asked = _STYLES.get(request.style) or self._card.options.get("prompts", {}).get(request.length)
        wish = asked or _QUESTIONS[request.length]
        return f"{wish} Mention: {', '.join(request.require)}." if request.require else wish

    def _question(self, prompt: str, opening: str) -> str:
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}
        options = dict(self._card.options.get("template_options", {}))
        return (
            self._processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False, **options) + opening
        )

    def _cast(self, value: Any) -> Any:
        return (
            value.to(self._model.dtype) if hasattr(value, "is_floating_point") and value.is_floating_point() else value
        )

    def _generate(
        self, asked: Asked, request: CaptionRequest, context: Context, tell: Callable[[str], None]
    ) -> list[Output]:
        """A caption for each picture; `tell` hears the first one as it comes."""
        import torch

        most = request.max_tokens or 1
        least, limit = _BLIP_TOKENS[request.length]
        if self._kind == "blip":
            most = min(most, limit)
        options, ends = controls(self._model, self._processor.tokenizer, self._kind, request, most)
        if self._kind == "blip":
            options["min_new_tokens"] = min(least, most)
        rows: list[Row] = []
        cancelled = False

        def look(sequences: Any) -> bool:
            nonlocal cancelled
            ids = sequences.tolist()
            if not rows:
                over = ends if len(ids) > 1 else set[int]()  # one alone ends with `generate`
                for number, one in enumerate(ids):
                    hear = None if number else tell
                    rows.append(Row(self._processor.tokenizer, one[:-1], asked.opening, over, hear))
            if not cancelled:
                for row, one in zip(rows, ids, strict=True):
                    row.feed(one[-1])
                context.step(max(row.count for row in rows), most)
                cancelled = context.cancelled
            return cancelled

        inputs, seen = asked.inputs, None
        if self._observed is not None:
            seen = self._observed.look(inputs["pixel_values"], "zh" if self._chinese(request) else "en")
            if seen.nothing():
                return [seen.told(0, Output(notes=asked.notes))]
            inputs = {**inputs, "encoder_outputs": seen.states}
            options["logits_processor"] = seen.held(self._processor.tokenizer, ends, options.get("logits_processor"))
        if asked.opening:
            tell(asked.opening)
        torch.manual_seed(request.seed or 0)
        self._model.generate(
            **inputs, max_new_tokens=most, num_beams=1, stopping_criteria=after_each_token(look), **options
        )
        outputs = [row.output(asked, most, cancelled) for row in rows]
        return outputs if seen is None else [seen.told(number, one) for number, one in enumerate(outputs)]
