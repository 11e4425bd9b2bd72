"""Prompts in a pipeline's call: the words themselves, or their embeddings where some weigh more.

Weights multiply the embeddings of their tokens, and the whole is brought back to the level it had, as
AUTOMATIC1111's web UI does. Only pipelines with a UNet take them: their text encoders work token by token. A prompt
without weights is handed over as words, so that it is read exactly as the bare library reads it.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from studio.tasks.image.prompt_weights import attention, plain, weighted


def prompt_arguments(
    pipe: Any, accepts: Container[str], prompt: str, negative: str, guidance: float, clip_skip: int = 0
) -> dict[str, Any]:
    """The arguments of `pipe` that carry the prompt, the negative prompt and how much of the encoder is skipped."""
    words: dict[str, Any] = {"prompt": plain(prompt)}
    if negative and "negative_prompt" in accepts:
        words["negative_prompt"] = plain(negative)
    skip = skipped(pipe, clip_skip) if "clip_skip" in accepts else 0
    if not (takes_weights(pipe, accepts) and (weighted(prompt) or weighted(negative) or skip)):
        return words
    return embeddings(pipe, accepts, words, prompt, negative, guidance, skip)


def takes_weights(pipe: Any, accepts: Container[str]) -> bool:
    """Whether parts of a prompt can weigh more than others."""
    return getattr(pipe, "unet", None) is not None and "prompt_embeds" in accepts


def skipped(pipe: Any, wanted: int) -> int:
    """As many layers as there are to leave out; SDXL leaves out one in any case."""
    encoders = [pipe.text_encoder, getattr(pipe, "text_encoder_2", None)]
    layers = min(encoder.config.num_hidden_layers for encoder in encoders if encoder is not None)
    return min(wanted, layers - (1 if encoders[1] is None else 2))


def embeddings(
    pipe: Any, accepts: Container[str], words: dict[str, Any], prompt: str, negative: str, guidance: float, skip: int
) -> dict[str, Any]:
    guided = guidance > 1 and pipe.unet.config.time_cond_proj_dim is None
    more: dict[str, Any] = {"clip_skip": skip} if skip else {}
    if skip and getattr(pipe, "text_encoder_2", None) is None:
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
    told = {name: value for name, value in zip(names, found, strict=False) if value is not None}
    told["prompt_embeds"] = _weigh(pipe, told["prompt_embeds"], prompt)
    if negative and "negative_prompt_embeds" in told:
        told["negative_prompt_embeds"] = _weigh(pipe, told["negative_prompt_embeds"], negative)
    return {name: value for name, value in told.items() if name in accepts}


def _of_layer(pipe: Any, text: str, skip: int) -> Any:
    """What a single encoder says `skip` layers before its last, through its last norm where that stands apart.

    The pipelines look for the norm where transformers before 5 had it, and only CLIP has one: each layer of a BERT ends
    in its own.
    """
    encoder = pipe.text_encoder
    read = _read(pipe.tokenizer, text, return_tensors="pt").to(pipe._execution_device)
    mask = read.attention_mask if getattr(encoder.config, "use_attention_mask", False) else None
    state = encoder(read.input_ids, attention_mask=mask, output_hidden_states=True).hidden_states[-(skip + 1)]
    return normed(encoder, state)


def normed(encoder: Any, state: Any) -> Any:
    """A layer's state through the encoder's last norm, where that stands apart."""
    norm = getattr(encoder, "final_layer_norm", None)
    return state if norm is None else norm(state)


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
    weighed = [scaled(part, _weights(tokenizer, prompt)) for part, (tokenizer, _) in zip(parts, pairs, strict=True)]
    return torch.cat(weighed, dim=-1).to(embeddings.dtype)


def scaled(state: Any, weights: list[float]) -> Any:
    """What one encoder says (1, tokens, width) times the weight of each token, at the level that it had."""
    import torch

    if all(weight == 1.0 for weight in weights):
        return state
    part = state.float()
    heavier = part * torch.tensor(weights, device=part.device)[None, :, None]
    # The mean is what A1111 keeps. Where it is next to nothing, as behind a bare norm, the mean size has to serve.
    level = torch.mean if part.mean().abs() > 0.05 * part.abs().mean() else lambda tensor: tensor.abs().mean()
    before, after = level(part), level(heavier)
    return (heavier * (before / after) if after.abs() > 1e-6 else heavier).to(state.dtype)


def _weights(tokenizer: Any, prompt: str) -> list[float]:
    """The weight of each token: that of the text in which it ends; 1 for those that are not of the text."""
    letters = [weight for words, weight in attention(prompt) for _ in words]
    offsets = _read(tokenizer, plain(prompt), return_offsets_mapping=True)["offset_mapping"]
    return [letters[end - 1] if end > start else 1.0 for start, end in offsets]
