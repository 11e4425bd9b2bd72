"""What a prompt becomes in a pipeline's call: the words themselves, or their embeddings where some weigh more.

Weights multiply the embeddings of their tokens, and the whole is brought back to the level it had, as
AUTOMATIC1111's web UI does. Only pipelines with a UNet take them: their text encoders work token by token. A prompt
without weights is handed over as words, so that it is read exactly as the bare library reads it.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from studio.prompting import attention, plain, weighted


def prompt_arguments(
    pipe: Any, accepts: Container[str], prompt: str, negative: str, guidance: float, clip_skip: int = 0
) -> dict[str, Any]:
    """The arguments of `pipe` that carry the prompt, the negative prompt and how much of the encoder is skipped."""
    words: dict[str, Any] = {"prompt": plain(prompt)}
    if negative and "negative_prompt" in accepts:
        words["negative_prompt"] = plain(negative)
    skip = _skipped(pipe, clip_skip) if "clip_skip" in accepts else 0
    by_hand = skip and not _is_clip(pipe)  # the pipelines look for CLIP's last norm there
    if not (takes_weights(pipe, accepts) and (weighted(prompt) or weighted(negative) or by_hand)):
        return words | ({"clip_skip": skip} if skip else {})
    return _embeddings(pipe, accepts, words, prompt, negative, guidance, skip)


def takes_weights(pipe: Any, accepts: Container[str]) -> bool:
    """Whether parts of a prompt can weigh more than others."""
    return getattr(pipe, "unet", None) is not None and "prompt_embeds" in accepts


def _skipped(pipe: Any, wanted: int) -> int:
    """As many layers as there are to leave out; SDXL leaves out one in any case."""
    encoders = [pipe.text_encoder, getattr(pipe, "text_encoder_2", None)]
    layers = min(encoder.config.num_hidden_layers for encoder in encoders if encoder is not None)
    return min(wanted, layers - (1 if encoders[1] is None else 2))


def _is_clip(pipe: Any) -> bool:
    return pipe.text_encoder is None or "CLIP" in type(pipe.text_encoder).__name__


def _embeddings(
    pipe: Any, accepts: Container[str], words: dict[str, Any], prompt: str, negative: str, guidance: float, skip: int
) -> dict[str, Any]:
    guided = guidance > 1 and pipe.unet.config.time_cond_proj_dim is None
    more: dict[str, Any] = {"clip_skip": skip} if skip else {}
    if skip and not _is_clip(pipe):
        more = {"prompt_embeds": _of_layer(pipe, words["prompt"], skip)}
    found = pipe.encode_prompt(
        words["prompt"],
        device=pipe._execution_device,
        num_images_per_prompt=1,
        do_classifier_free_guidance=guided,
        negative_prompt=words.get("negative_prompt"),
        **more,
    )
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    embeddings = {name: value for name, value in zip(names, found, strict=False) if value is not None}
    embeddings["prompt_embeds"] = _weigh(pipe, embeddings["prompt_embeds"], prompt)
    if negative and "negative_prompt_embeds" in embeddings:
        embeddings["negative_prompt_embeds"] = _weigh(pipe, embeddings["negative_prompt_embeds"], negative)
    return {name: value for name, value in embeddings.items() if name in accepts}


def _of_layer(pipe: Any, text: str, skip: int) -> Any:
    """What a BERT says `skip` layers before its last: each of its layers ends in a norm, so none has to be added."""
    read = _read(pipe.tokenizer, text, return_tensors="pt").to(pipe._execution_device)
    states = pipe.text_encoder(read.input_ids, attention_mask=read.attention_mask, output_hidden_states=True)
    return states.hidden_states[-(skip + 1)]


def _read(tokenizer: Any, text: str, **more: Any) -> Any:
    """Tokens as the pipelines make them."""
    length = tokenizer.model_max_length
    return tokenizer(text, padding="max_length", max_length=length, truncation=True, **more)


def _weigh(pipe: Any, embeddings: Any, prompt: str) -> Any:
    """The embeddings (1, tokens, width) times the weight of each token; of two encoders each on its own."""
    import torch

    if not weighted(prompt):
        return embeddings
    pairs = [(pipe.tokenizer, pipe.text_encoder)]
    if getattr(pipe, "text_encoder_2", None) is not None:
        pairs.append((pipe.tokenizer_2, pipe.text_encoder_2))
    pairs = [(tokenizer, encoder) for tokenizer, encoder in pairs if encoder is not None]
    parts = torch.split(embeddings.float(), [encoder.config.hidden_size for _, encoder in pairs], dim=-1)
    scaled = []
    for part, (tokenizer, encoder) in zip(parts, pairs, strict=True):
        weights = torch.tensor(_weights(tokenizer, prompt), device=part.device)[None, :, None]
        heavier = part * weights
        # The mean is what A1111 keeps. Behind a norm it can be near nothing, so the mean size takes its place there.
        before, after = (
            (part.mean(), heavier.mean())
            if "CLIP" in type(encoder).__name__
            else (part.abs().mean(), heavier.abs().mean())
        )
        scaled.append(heavier * (before / after) if after.abs() > 1e-6 else heavier)
    return torch.cat(scaled, dim=-1).to(embeddings.dtype)


def _weights(tokenizer: Any, prompt: str) -> list[float]:
    """The weight of each token: that of the text in which it ends; 1 for those that are not of the text."""
    letters = [weight for words, weight in attention(prompt) for _ in words]
    offsets = _read(tokenizer, plain(prompt), return_offsets_mapping=True)["offset_mapping"]
    return [letters[end - 1] if end > start else 1.0 for start, end in offsets]
