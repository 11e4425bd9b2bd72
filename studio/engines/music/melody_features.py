"""The melody of a sound as MusicGen melody reads it, and whether the model reads it at all.

Which of the twelve tones is the strongest in each of its frames. transformers has this too, but only where torchaudio
can be loaded. Its releases from 4.57 to 5.5 made models that ignore melody and words, without a sign, which is why a
model is tested before it is trusted.
"""

from __future__ import annotations

from typing import Any

from studio.catalog.card import Card
from studio.errors import StudioError

WINDOW, HOP = 16_384, 4_096
"""Frames of a Fourier transform, and between two, for which the models were trained (at 32 kHz)."""
_SECONDS = 30
"""What the model hears at most."""


def chroma(samples: Any, model: Any) -> Any:
    """The strongest tone of each frame, one-hot, a tensor (1, frames, 12).

    Args:
        samples: mono at the model's rate, float32, (frames,).
        model: its config says rate and tones.
    """
    import torch
    from transformers.audio_utils import chroma_filter_bank

    rate, tones = model.config.audio_encoder.sampling_rate, model.config.num_chroma
    sound = torch.from_numpy(samples[: _SECONDS * rate])
    if (missing := WINDOW - len(sound)) > 0:
        sound = torch.nn.functional.pad(sound, (missing // 2, missing - missing // 2))
    spectrum = torch.stft(sound, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True).abs() ** 2
    bank = chroma_filter_bank(num_frequency_bins=WINDOW, num_chroma=tones, sampling_rate=rate, tuning=0)
    strength = torch.from_numpy(bank).float() @ spectrum
    return torch.nn.functional.one_hot(strength.argmax(0), tones).float()[None]


def require_heard(card: Card, model: Any, tokenizer: Any) -> None:
    """Refuse a model whose first token is equally likely whatever tune and words it is given.

    Raises:
        StudioError: ignores_melody.
    """
    import torch

    tones = model.config.num_chroma
    first, second = (torch.eye(tones)[[tone] * 8][None] for tone in (0, tones // 2))

    def begins(words: str, tune: torch.Tensor) -> torch.Tensor:
        inputs = tokenizer([words], return_tensors="pt").to(model.device)
        made = model.generate(
            input_ids=inputs.input_ids,
            attention_mask=inputs.attention_mask,
            input_features=tune.to(model.device, model.dtype),
            max_new_tokens=model.config.decoder.num_codebooks + 1,
            guidance_scale=1.0,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
        return made.logits[0].float()

    with torch.inference_mode():
        plain = begins("drums", first)
        if torch.equal(plain, begins("drums", second)) or torch.equal(plain, begins("a slow sad violin", first)):
            raise StudioError("ignores_melody", model=card.title)
