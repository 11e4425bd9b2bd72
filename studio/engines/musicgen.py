"""Text-to-music with MusicGen through transformers.

Takes a folder with config.json, a tokenizer and *.safetensors of `MusicgenForConditionalGeneration`. Pieces are made
one after another, each with torch's global generator seeded anew (`generate` takes no other), so that piece i of a
batch is the same as a single piece with seed + i. Melody models are refused: transformers ignored their conditioning
for several releases. A piece longer than the model was trained for is made window by window: each hears the last
third of the one before and goes on.

Read from the card:
    options.dtype, options.ignore_code: see _torch.
    options.window: seconds that the model makes at once; default 30.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.catalog import Card
from studio.engines import _audio, _torch
from studio.engines._decode import after_each_token
from studio.engines.base import Context, Device
from studio.errors import StudioError
from studio.requests import MusicRequest, Request
from studio.types import Audio, Output

_HEARD = 1 / 3
"""Share of a window that is the end of the one before."""
_JOINT = 0.02
"""Seconds over which two windows go over into each other."""


class MusicgenEngine:
    """MusicGen, mono and stereo."""

    def weights(self, card: Card, files: Path) -> int:
        return _torch.stored_bytes(card, files)

    def work(self, card: Card, request: Request) -> int:
        """Keys and values of two sequences and the decoded sound: about a twentieth of the weights a second."""
        asked = _audio.seconds(request) if isinstance(request, MusicRequest) else 0
        duration = min(asked, float(card.options.get("window", 30)))
        return int(duration * max(10 << 20, card.parameters // 20)) + (64 << 20)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> MusicgenModel:  # noqa: ARG002
        _torch.refuse_code(card, files)
        with _torch.loading(card, device, "transformers"):
            from transformers import AutoConfig, AutoTokenizer, MusicgenForConditionalGeneration

            dtype = _torch.dtype_for(card, files, device)
            config = AutoConfig.from_pretrained(files, local_files_only=True, trust_remote_code=False)
            if config.model_type != "musicgen":
                raise StudioError("broken_model", model=card.title, reason=f"{config.model_type} is not MusicGen")
            tokenizer = AutoTokenizer.from_pretrained(files, local_files_only=True, trust_remote_code=False)
            loaded: Any = MusicgenForConditionalGeneration.from_pretrained(
                files,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                **_torch.placement(device),
            )
            model, info = loaded
            _torch.require_complete(card, info)
            return MusicgenModel(card, model.eval(), tokenizer, device)


class MusicgenModel:
    """A MusicGen in memory."""

    def __init__(self, card: Card, model: Any, tokenizer: Any, device: Device) -> None:
        self._card, self._device = card, device
        self._model: Any = model
        self._tokenizer: Any = tokenizer
        self._frame_rate: int = model.config.audio_encoder.frame_rate
        self._rate: int = model.config.audio_encoder.sampling_rate
        self._codebooks: int = model.config.decoder.num_codebooks
        self._window = float(card.options.get("window", 30))
        self._kept = round(self._window * _HEARD * self._frame_rate) * (self._rate // self._frame_rate)

    def nbytes(self) -> int:
        return _torch.nbytes(self._model)

    def close(self) -> None:
        self._model = self._tokenizer = None
        _torch.release(self._device)

    def run(self, request: MusicRequest, context: Context) -> Output:
        ignored = {"no_negative": request.negative_prompt, "no_lyrics": request.lyrics, "no_melody": request.melody}
        notes = tuple((name, {}) for name, given in ignored.items() if given)
        with _torch.working(self._card):
            output = _audio.each_piece(
                request, context, lambda number, seed: self._piece(request, number, seed, context)
            )
        return replace(output, notes=notes)

    def _piece(self, request: MusicRequest, number: int, seed: int, context: Context) -> Audio:
        import torch

        longer = _audio.seconds(request) + _audio.overlap(self._card, request)
        # the codebooks are generated shifted against each other, so the last frame is whole that many tokens later
        tokens = [math.ceil(new * self._frame_rate) + self._codebooks - 1 for new in _windows(longer, self._window)]
        done = 0

        def look(_: Any) -> bool:
            nonlocal done
            done += 1
            context.step(number * sum(tokens) + done, request.count * sum(tokens))
            context.check()
            return False

        sampling: dict[str, Any] = {"do_sample": False}
        if (request.temperature or 0) > 0:
            sampling = {"do_sample": True, "temperature": float(request.temperature or 1), "top_k": request.top_k or 0}
        inputs = self._tokenizer([_audio.words(request)], padding=True, return_tensors="pt").to(self._model.device)
        torch.manual_seed(seed)
        whole: Any = None
        for new in tokens:
            heard = {} if whole is None else {"input_values": whole[None, :, -self._kept :]}
            sound = self._model.generate(
                input_ids=inputs.input_ids,
                attention_mask=inputs.attention_mask,
                max_new_tokens=new,
                guidance_scale=max(1.0, float(request.guidance_scale or 1.0)),
                stopping_criteria=after_each_token(look),
                **heard,
                **sampling,
            )[0]
            whole = sound if whole is None else _joined(whole, sound, self._kept, round(_JOINT * self._rate))
        samples = whole.float().cpu().numpy()[:, : round(longer * self._rate)]
        return _audio.asked_for(self._card, request, samples, self._rate)


def _windows(seconds: float, window: float) -> list[float]:
    """Seconds that each run adds: a window at first, then what a window has room for behind what it hears."""
    room = window * (1 - _HEARD)
    more = max(0.0, seconds - window)
    return [min(seconds, window)] + [min(room, more - room * place) for place in range(math.ceil(more / room))]


def _joined(whole: Any, sound: Any, kept: int, joint: int) -> Any:
    """`whole` and what `sound` (channels, frames) adds behind its first `kept` frames, which are the end of `whole`.

    The codec writes those anew; over `joint` frames the one goes over into the other.
    """
    import torch

    turn = torch.linspace(0, 1, joint, device=whole.device, dtype=whole.dtype)
    seam = whole[:, -joint:] * (1 - turn) + sound[:, kept - joint : kept] * turn
    return torch.cat([whole[:, :-joint], seam, sound[:, kept:]], dim=1)
