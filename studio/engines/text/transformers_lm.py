"""Causal language models through transformers: chat and code completion.

Takes a folder with config.json, a tokenizer and *.safetensors; nothing else is opened and no code of the folder runs. A
chat request holds all its turns. The keys and values of the last conversation stay, and the beginning that a new prompt
shares with it is not computed again.

Sampling draws from torch's global generator (`generate` takes no other), seeded at the start of each run.

Read from the card:
    options.dtype, options.ignore_code: see _torch. options.quantise: see _quantised.
    options.template_options: further variables of the chat template, for example {enable_thinking = false}.
    options.keep_thinking: true leaves <think> blocks of earlier turns in the prompt; default false.
    options.sees: true where it reads pictures (studio.engines.text.eyes, also of options.max_side); a person's own
        model does where its config says so.
    options.watermark: keys of a watermark in answers (studio.engines.text.watermark), which the studio puts in.
    options.ask: false has a model that talks go on, not asked to fill a gap. options.fim: see studio.tasks.code.fim.
    limits.context: tokens that prompt and answer may have together; default: the config's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context, Worth
from studio.engines.inside import NextTokens
from studio.engines.shared import faster, parking, torch_loading
from studio.engines.shared.text_stream import Detokenizer, Odds, StopCutter, after_each_token
from studio.engines.text import code_prompts, eyes, prompts, tokenizers, watermark
from studio.engines.text.next_tokens import TransformersNext
from studio.engines.text.static_keys import StaticKeys
from studio.requests import ChatRequest, CodeRequest, Request
from studio.results import Output, Usage
from studio.tasks.code.fim import fim_family

_GIVEN = ("input_ids", "attention_mask")
_PREFILL = 512  # tokens computed between two looks at the stop button


class TextEngine(torch_loading.Casts):
    """Transformers causal language models, for chat and code."""

    text = True

    def weights(self, card: Card, files: Path) -> int:
        return torch_loading.stored_bytes(card, files, text=True)

    def work(self, card: Card, request: Request) -> int:
        """Keys and values of prompt and answer at 32 kB a token or more, and room for one step's activations."""
        if isinstance(request, ChatRequest):
            characters = len(request.system) + sum(len(message.content) for message in request.messages)
        elif isinstance(request, CodeRequest):
            characters = len(request.prefix) + len(request.suffix) + sum(len(one.text) for one in request.files)
        else:
            characters = 0
        tokens = characters // 3 + (getattr(request, "max_tokens", None) or 0)
        tokens = min(tokens, int(card.limits.get("context", tokens)))
        return tokens * max(32_000, card.parameters // 20_000) + (64 << 20)

    def sees(self, card: Card, files: Path | None) -> bool:
        return bool(card.options.get("sees", card.own)) and (files is None or eyes.has_eyes(files))

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> TextModel:  # noqa: ARG002
        torch_loading.refuse_code(card, files)
        with torch_loading.loading(card, device, "transformers"):
            from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

            dtype = torch_loading.dtype_for(card, files, device, text=True)
            if self.sees(card, files):
                config = AutoConfig.from_pretrained(files, local_files_only=True, trust_remote_code=False)
                side, options = int(card.options.get("max_side", eyes.SIDE)), card.options.get("template_options", {})
                seeing = eyes.Eyes(files, config, side, options)
                model = torch_loading.pretrained(AutoModelForImageTextToText, card, files, device, dtype)
                return TextModel(card, model, seeing.tokenizer, device, seeing)
            tokenizer = AutoTokenizer.from_pretrained(files, local_files_only=True, trust_remote_code=False)
            model = torch_loading.pretrained(AutoModelForCausalLM, card, files, device, dtype)
            return TextModel(card, model, tokenizer, device)


class TextModel(parking.Parking):
    """A language model in memory, with the keys and values of the last conversation."""

    def __init__(self, card: Card, model: Any, tokenizer: Any, device: Device, seeing: eyes.Eyes | None = None) -> None:
        from transformers import GenerationConfig

        self._card, self._device = card, device
        self._model: Any = model
        self._weights: Any = parking.placed(card, device, model)
        self._tokenizer: Any = tokenizer
        self._vocabulary: dict[str, int] = tokenizer.get_vocab()
        own = model.generation_config.eos_token_id
        ends = [
            *(own if isinstance(own, list) else [own]),
            tokenizer.eos_token_id,
            *map(self._vocabulary.get, prompts.ENDS),
        ]
        self._ends = sorted({end for end in ends if end is not None})
        model.generation_config = GenerationConfig()  # sampling is the request's, not the folder's
        config = model.config.get_text_config(decoder=True)
        own_limit = getattr(config, "max_position_embeddings", None) or 2048
        self._limit = int(min(card.limits.get("context", own_limit), own_limit))
        self._family = fim_family(self._vocabulary.__contains__, str(card.options.get("fim", "")))
        self._reading = tokenizers.Reading(tokenizer, card.options.get("template_options", {}))
        self._eyes = seeing
        if seeing is not None:
            self._reading.render = seeing.render
        self._sizes = prompts.Sizes(self._reading)
        self._cache: Any = None
        self._cached: list[int] = []
        self._static = StaticKeys(model, self._limit, device)
        self._faster = faster.Faster(self._warm, self._plain)

    def hasten(self, worth: Worth) -> None:
        self._faster.worth = worth

    def nbytes(self) -> int:
        cached = 0
        for layer in getattr(self._cache, "layers", ()):
            held = (getattr(layer, "keys", None), getattr(layer, "values", None))
            cached += sum(tensor.untyped_storage().nbytes() for tensor in held if tensor is not None)
        return self._weights.nbytes() + cached

    def close(self) -> None:
        self._model = self._weights = self._tokenizer = self._cache = None
        self._static.close()

    def park(self) -> None:
        self._faster.drop()
        super().park()

    def _forget(self) -> None:
        self._cache, self._cached = None, []
        self._static.clear()

    def _warm(self) -> None:
        self._forget()
        self._static.warm()

    def _plain(self) -> None:
        self._forget()
        vars(self._model).pop("_compiled_call", None)

    def run(self, request: ChatRequest | CodeRequest, context: Context) -> Output:
        def run() -> Output:
            if isinstance(request, ChatRequest):
                return self._chat(request, context)
            return self._code(request, context)

        with torch_loading.working(self._card):
            return self._faster.run("answer", self._eyes is None, run, _each)

    def usage(self, request: ChatRequest) -> Usage:
        keep = bool(self._card.options.get("keep_thinking"))
        return prompts.usage(
            self._reading, request, self._sizes, self._limit, keep_thinking=keep, picture=self._picture
        )

    def next_tokens(self, context: Context) -> NextTokens:
        return TransformersNext(self._model, self._tokenizer, self._ends, context)

    def _chat(self, request: ChatRequest, context: Context) -> Output:
        keep = bool(self._card.options.get("keep_thinking"))
        prompt = prompts.chat(
            self._reading, request, self._sizes, self._limit, context.check,
            keep_thinking=keep, title=self._card.title, picture=self._picture,
        )  # fmt: skip
        if request.only_prompt:
            return prompt.shown()
        ids, seen = prompt.ids, None
        if self._eyes is not None:
            seen = self._eyes.inputs(prompt.safe, prompt.pictures) if prompt.pictures else {}
            ids = seen["input_ids"][0].tolist() if seen else ids
        shown: list[str] = []
        cutter = StopCutter((*request.stop, *prompt.stops))

        def show(text: str) -> None:
            if text:
                shown.append(text)
                context.text(text)

        def take(delta: str) -> bool:
            show(cutter.feed(delta))
            return cutter.ended

        show(prompt.begun)
        sampling = {
            "temperature": request.temperature or 0.0,
            "top_p": request.top_p,
            "top_k": request.top_k,
            "min_p": request.min_p,
            "repetition_penalty": request.repetition_penalty,
            "watermark": self._card.options.get(watermark.OPTION),
        }
        finish, stats = self._generate(
            ids, sampling, take, context, ends=self._ends, most=request.max_tokens or 1, seed=request.seed, seen=seen
        )
        if not cutter.ended:
            show(cutter.finish())
        notes = prompt.notes
        if finish == "length" and stats["tokens"] < (request.max_tokens or 1):
            notes = (*notes, ("context_end", {"limit": self._limit}))
        return Output(text="".join(shown), finish=finish, stats=stats, notes=notes)

    def _picture(self, data: bytes) -> int:
        return self._eyes.count(data) if self._eyes is not None else 0

    def _code(self, request: CodeRequest, context: Context) -> Output:
        filling = code_prompts.code(
            self._reading,
            request,
            self._family,
            self._limit,
            context.check,
            ask=bool(self._card.options.get("ask", True)),
            rewrites=bool(self._card.options.get("next_edit")),
        )
        if request.only_prompt or not filling.ids:
            return filling.shown()
        cleaner = filling.cleaner
        shown: list[str] = []

        def show(text: str) -> None:
            if text:
                shown.append(text)
                context.text(text)

        def take(delta: str) -> bool:
            show(cleaner.feed(delta))
            return cleaner.ended

        ends = sorted({*self._ends, *(self._vocabulary[stop] for stop in filling.stops if stop in self._vocabulary)})
        sampling = {"temperature": request.temperature or 0.0, "top_p": request.top_p}
        finish, stats = self._generate(
            filling.ids, sampling, take, context, ends=ends, most=request.max_tokens or 1, seed=request.seed,
            odds=(odds := Odds() if request.count > 1 else None),
        )  # fmt: skip
        show(cleaner.finish())
        stats |= odds.stats() if odds else {}
        return Output(text="".join(shown), finish=finish, stats=stats, notes=filling.notes)

    def _generate(
        self,
        ids: list[int],
        sampling: dict[str, Any],
        take: Callable[[str], bool],
        context: Context,
        *,
        ends: Sequence[int],
        most: int,
        seed: int | None,
        odds: Odds | None = None,
        seen: dict[str, Any] | None = None,
    ) -> tuple[Literal["stop", "length", "cancelled"], dict[str, float]]:
        """Generate at most `most` tokens after `ids`, giving text to `take` until it says that it has enough.

        `odds` is told how likely each token was. `seen` goes in beside the tokens; a model with eyes has it, empty
        perhaps. Such a one reads all anew each time: where its pictures stand is not told from the tokens alone.
        """
        import torch
        from transformers import GenerationConfig

        most = max(1, min(most, self._limit - len(ids)))
        if seen is not None:
            self._forget()
        cache, reused = self._reuse(ids, len(ids) + most)
        decoder = Detokenizer(self._tokenizer, ids[-4:])
        finish: Literal["stop", "length", "cancelled"] = "length"
        times: list[float] = []

        def look(sequences: Any) -> bool:
            nonlocal finish
            if finish != "length":  # some devices learn of the stop one step late
                return True
            token = int(sequences[0, -1])
            times.append(time.perf_counter())
            if odds is not None:
                odds.chosen(token)
            if token in ends or take(decoder.feed(token)):
                finish = "stop"
            elif context.cancelled:
                finish = "cancelled"
            context.step(len(times), most)
            return finish != "length"

        compiled = {"compile_config": faster.compiling(self._device)} if self._faster.on else {}
        config = GenerationConfig(
            max_new_tokens=most, eos_token_id=list(ends), pad_token_id=ends[0] if ends else 0, **_sampler(sampling),
            **compiled,
        )  # fmt: skip
        torch.manual_seed(seed or 0)
        began = time.perf_counter()
        more = {name: self._cast(value) for name, value in (seen or {}).items() if name not in _GIVEN}
        if seen is None:
            self._prefill(ids, reused, cache, context)
        tokens = torch.tensor([ids], device=self._model.device)
        sequences = self._model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            past_key_values=cache,
            generation_config=config,
            stopping_criteria=after_each_token(look),
            logits_processor=[odds] if odds else None,
            **more,
        )
        if finish != "stop":
            take(decoder.finish())
        if seen is None:
            self._cache, self._cached = cache, sequences[0].tolist()[: int(cache.get_seq_length())]
        decoding = times[-1] - times[0] if len(times) > 1 else times[-1] - began
        stats = {
            "tokens": float(len(times)),
            "tokens_per_second": max(1, len(times) - 1) / max(decoding, 1e-9),
            "prompt_tokens": float(len(ids)),
            "cached_tokens": float(reused),
        }
        return finish, stats

    def _cast(self, value: Any) -> Any:
        floating = hasattr(value, "is_floating_point") and value.is_floating_point()
        value = value.to(self._model.device) if hasattr(value, "to") else value
        return value.to(self._model.dtype) if floating else value

    def _reuse(self, ids: list[int], room: int) -> tuple[Any, int]:
        """Keys and values for a beginning of `ids`, taken from the last conversation, and how many tokens they cover.

        They are this run's from here on: if it fails, nothing half-written is used again.

        Args:
            room: tokens that prompt and answer may have together.
        """
        from transformers import DynamicCache
        from transformers.cache_utils import DynamicLayer

        cache, cached = self._cache, self._cached
        self._cache, self._cached = None, []
        same = next((i for i, (one, other) in enumerate(zip(ids, cached, strict=False)) if one != other), None)
        shared = min(len(cached), len(ids)) if same is None else same
        shared = min(shared, len(ids) - 1)  # the last token must be computed to know what follows it
        surplus = len(cached) - shared
        if self._faster.on:
            return self._static.rewound(room, shared if cache is not None else 0)
        croppable = cache is not None and all(type(layer) is DynamicLayer for layer in cache.layers)
        if cache is None or shared == 0 or (surplus and not croppable):
            return DynamicCache(config=self._model.config), 0
        if surplus:
            cache.crop(-surplus)
        return cache, shared

    def _prefill(self, ids: list[int], done: int, cache: Any, context: Context) -> None:
        """Compute a prompt in parts, so that Stop is heard. Leaves the last token to `generate`.

        That one is always computed alone, as it is where the rest was read before: many at once come out different
        by a hair, and a seed would give another answer the second time.
        """
        import torch

        last = len(ids) - 1
        while done < last:
            context.check()
            part = torch.tensor([ids[done : min(last, done + _PREFILL)]], device=self._model.device)
            self._model(input_ids=part, past_key_values=cache, use_cache=True, logits_to_keep=1)
            done += part.shape[1]


def _sampler(sampling: dict[str, Any]) -> dict[str, Any]:
    """The request's sampling as `generate` takes it. Temperature 0 is greedy; 0 and 1 mean off as people use them."""
    penalty = sampling.get("repetition_penalty") or 1.0
    chosen: dict[str, Any] = {"repetition_penalty": float(penalty)} if penalty != 1.0 else {}
    if sampling["temperature"] <= 0:
        return {**chosen, "do_sample": False}
    chosen |= {
        "do_sample": True,
        "temperature": float(sampling["temperature"]),
        "top_k": int(sampling.get("top_k") or 0),
    }
    if (top_p := sampling.get("top_p")) is not None and top_p < 1:
        chosen["top_p"] = float(top_p)
    if known := sampling.get("watermark"):
        chosen["watermarking_config"] = watermark.config(known)
    if sampling.get("min_p"):
        chosen["min_p"] = float(sampling["min_p"])
    return chosen


def _each(output: Output) -> float:
    """Seconds a token; 0 where there were too few to tell."""
    rate = output.stats.get("tokens_per_second", 0.0)
    return 1 / rate if rate > 0 and output.stats.get("tokens", 0) > 8 else 0.0
