"""The form in which ComfyUI's editor keeps a graph, turned into the form that is queued.

    {"nodes": [{"id", "type", "mode", "inputs": [{"name", "link"}], "widgets_values": […]}],
     "links": [[id, from, slot, …]]}

Values stand in a list by place. Newer editors name the places beside the links; for graphs of older ones the places of
the common nodes are known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_NODES, MAX_LINKS, MAX_VALUES = 3_000, 20_000, 200
_MUTED, _BYPASSED = 2, 4
_SKIPPED = ""
_CONTROLS = ("fixed", "increment", "decrement", "randomize")

_PLACES: Mapping[str, tuple[str, ...]] = {
    "KSampler": ("seed", _SKIPPED, "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        "add_noise", "noise_seed", _SKIPPED, "steps", "cfg", "sampler_name", "scheduler", "start_at_step",
    ),
    "SamplerCustom": ("add_noise", "noise_seed", _SKIPPED, "cfg"),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
    "UnetLoaderGGUF": ("unet_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "RandomNoise": ("noise_seed", _SKIPPED),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "KSamplerSelect": ("sampler_name",),
    "CFGGuider": ("cfg",),
    "FluxGuidance": ("guidance",),
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "LatentUpscale": ("upscale_method", "width", "height"),
    "LoadImage": ("image",),
}  # fmt: skip
_LATENTS = ("width", "height", "batch_size")


def queued(said: Mapping[str, Any]) -> dict[str, Any]:
    """{id: {"class_type", "inputs"}}; what is muted or has no shape is left out, what is bypassed leads on."""
    sources: dict[Any, list[Any]] = {}
    for link in _list(said.get("links"))[:MAX_LINKS]:
        ends = [link.get(key) for key in ("id", "origin_id", "origin_slot")] if isinstance(link, dict) else _list(link)
        if len(ends) > 2 and isinstance(ends[0], int | str):
            sources[ends[0]] = [str(ends[1]), ends[2] if isinstance(ends[2], int) else 0]
    found = {}
    for node in _list(said.get("nodes"))[:MAX_NODES]:
        if not isinstance(node, dict) or not isinstance(node.get("type"), str) or node.get("mode") == _MUTED:
            continue
        passed = node.get("mode") == _BYPASSED
        inputs = {} if passed else _values(node)
        for entry in _list(node.get("inputs"))[:MAX_VALUES]:
            if isinstance(entry, dict) and isinstance(entry.get("link"), int | str) and entry["link"] in sources:
                inputs[str(entry.get("name", ""))] = sources[entry["link"]]
        found[str(node.get("id"))] = {"class_type": "Reroute" if passed else node["type"], "inputs": inputs}
    return found


def _values(node: Mapping[str, Any]) -> dict[str, Any]:
    values = node.get("widgets_values")
    if isinstance(values, dict):
        return {str(name): value for name, value in list(values.items())[:MAX_VALUES]}
    values = _list(values)[:MAX_VALUES]
    kind = node["type"]
    places = _PLACES.get(kind) or (_LATENTS if kind.startswith("Empty") and "Latent" in kind else ())
    named = [entry["name"] for entry in _list(node.get("inputs"))[:MAX_VALUES] if _widget(entry)]
    if places:
        return {name: value for name, value in zip(places, values, strict=False) if name}
    kept = [value for at, value in enumerate(values) if not (at and value in _CONTROLS)]
    if len(named) == len(kept):
        return dict(zip(named, kept, strict=True))
    return {"value": values[0]} if values and isinstance(values[0], str | int | float) else {}


def _widget(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("widget"), dict) and isinstance(entry.get("name"), str)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
