"""MusicGen's tokens as sound while they come, for whoever listens already.

The codec is asked for a second at a time, with a little of what came before, so that pieces fit together. What is
heard this way is the same music as the finished piece, whose codes are decoded at once in the end. Knows the layout of
MusicGen's codes: codebook k of a channel is written k tokens late, behind one starting token.
"""

from __future__ import annotations

from typing import Any

from studio.engines.base import Context

_SECOND = 1.0
"""How much is decoded at once."""
_BEFORE, _AFTER = 24, 6
"""Frames on both sides that the codec needs to know what lies between them."""


class Listened:
    """One run of `generate`.

    Args:
        heard: frames of codes at its beginning that are nothing new.
    """

    def __init__(self, model: Any, context: Context, heard: int) -> None:
        self._model, self._context = model, context
        self._given = heard
        self._tokens: Any = None
        self._channels: int = model.config.decoder.audio_channels
        self._books: int = model.config.decoder.num_codebooks // self._channels
        self._rate: int = model.config.audio_encoder.sampling_rate
        self._hop = self._rate // model.config.audio_encoder.frame_rate
        self._chunk = max(1, round(_SECOND * model.config.audio_encoder.frame_rate))

    def look(self, tokens: Any) -> None:
        """Give away what became certain with the newest token.

        Args:
            tokens: (codebooks of all channels, all that is written).
        """
        self._tokens = tokens
        whole = tokens.shape[-1] - self._books
        if whole - _AFTER - self._given >= self._chunk:
            self._give(tokens, whole, whole - _AFTER)

    def finish(self) -> None:
        """Give away what is left."""
        whole = self._tokens.shape[-1] - self._books if self._tokens is not None else 0
        if whole > self._given:
            self._give(self._tokens, whole, whole)

    def _give(self, tokens: Any, whole: int, until: int) -> None:
        """Sound of the frames from the last one given up to `until`, decoded from up to `whole` of them."""
        import torch

        start = max(0, self._given - _BEFORE)
        late = torch.stack([
            tokens[row, 1 + start + row // self._channels : 1 + whole + row // self._channels]
            for row in range(tokens.shape[0])
        ])  # fmt: skip
        late = late.clamp(0, self._model.config.audio_encoder.codebook_size - 1)
        with torch.inference_mode():
            sounds = [
                self._model.audio_encoder.decode(late[None, None, channel :: self._channels], [None]).audio_values[0]
                for channel in range(self._channels)
            ]
        samples = torch.cat(sounds)[:, (self._given - start) * self._hop : (until - start) * self._hop]
        self._context.sound(samples.float().cpu().numpy(), self._rate)
        self._given = until
