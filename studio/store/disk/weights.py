"""What one file of weights is, from its header alone: kind, family, parts, size, and why it cannot be used.

No weight is read and no model library imported. A file that is something else than its name says (a pickle, a zip, a
page of a website) is known by how it begins.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from studio.store import gguf
from studio.store.disk import families, networks

Kind = Literal[
    "checkpoint", "denoiser", "vae", "text_encoder", "lora", "control", "reference", "embedding", "upscaler",
    "language", "projector", "other", "unusable",
]  # fmt: skip
Reason = Literal[
    "", "pickle", "zip", "web_page", "pointer", "empty", "cut", "damaged", "unknown", "no_vocabulary", "packed",
    "not_readable",
]  # fmt: skip

SUFFIXES = (".safetensors", ".sft", ".gguf")
_HEADER = 100 << 20
_WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4}
_LORA = (b".lora_down.", b".lora_A.", b".hada_w1_a", b".lokr_w1", b".oft_blocks")
_END = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d+\s*,\s*(\d+)')
_ENOUGH = 12_000
"""Bytes of an adaptation's header, at either end, that tell what it is."""
_META = re.compile(rb'"__metadata__"\s*:\s*(\{(?:[^{}"]+|"(?:[^"\\]+|\\.)*")*+\})')
_PACKED = (
    *(b".quant_state.", b'.absmax"', b'.qweight"', b'.wscales"', b'.scale_weight"', b'.weight_scale"'),
    *(b'.comfy_quant"', b'"scaled_fp8"'),
)
"""In the names of tensors that are packed with scales of their own."""
_ENCODERS = ("t5", "t5encoder", "bert", "nomic-bert", "jina-bert-v2", "gemma-embedding")
_VIDEO = ("ltxv", "hyvid", "wan", "cosmos")


@dataclass(frozen=True, slots=True)
class Weights:
    """What a file is.

    Attributes:
        kind: "checkpoint" holds more than the network that paints, "denoiser" that alone.
        family: of pictures (studio.store.disk.families), or the architecture that a GGUF file names.
        variant: which of the family; of an upscaler that can be run its scale, "×4".
        prediction: "v_prediction" or "epsilon" where the file says so.
        zero_snr: it was taught to begin at pure noise.
        dtype: in which most of its numbers are stored, as the header calls it.
        holds: the parts of a whole model that are in it.
        parameters: numbers in it; 0 where nobody counted.
        nbytes: of the file.
        title: what it calls itself.
        reason: why it cannot be used; "" where it can, as far as the header tells.
    """

    kind: Kind
    family: str = ""
    variant: str = ""
    prediction: str = ""
    zero_snr: bool = False
    dtype: str = ""
    holds: tuple[str, ...] = ()
    parameters: int = 0
    nbytes: int = 0
    title: str = ""
    reason: Reason = ""


def read_weights(file: Path, whole: bool = False) -> Weights:
    """What `file` is. Never raises.

    Args:
        whole: also read past a vocabulary, which takes a moment: whether a GGUF file is cut short is told then.
    """
    size = 0
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(16)
            if reason := _disguise(start, size, file):
                return Weights("unusable", nbytes=size, reason=reason)
            if start[:4] == b"GGUF":
                return _gguf(file, size, whole)
            length = int.from_bytes(start[:8], "little")
            if not 2 <= length <= min(_HEADER, size - 8) or start[8:9] != b"{":
                cut = 2 <= length <= _HEADER and start[8:9] == b"{"
                return Weights("unusable", nbytes=size, reason="cut" if cut else "damaged")
            stream.seek(8)
            raw = stream.read(length)
    except OSError:
        return Weights("unusable", reason="not_readable")
    except ValueError:
        return Weights("unusable", nbytes=size, reason="damaged")
    return _safetensors(raw, size, file)


def _disguise(start: bytes, size: int, file: Path) -> Reason:
    """What a file is that its name hides; "" where it may be weights."""
    if size < 16:
        return "empty"
    if start[:4] == b"PK\x03\x04":
        with file.open("rb") as stream:
            return "pickle" if b"data.pkl" in stream.read(4096) else "zip"
    if start[:1] == b"\x80" and start[1] in range(2, 6) and start[2:3] in b"cX}]\x8a\x95(":
        return "pickle"
    if start.lstrip()[:1] == b"<":
        return "web_page"
    return "pointer" if start.startswith(b"version https:") else ""


def _safetensors(raw: bytes, size: int, file: Path) -> Weights:
    rest = size - 8 - len(raw)
    if any(sign in raw for sign in _LORA) and b'"first_stage_model.' not in raw:
        return _adapter(raw, size, rest)
    try:
        table = json.loads(raw)
        meta = table.pop("__metadata__", None) or {}
        shapes = {name: tuple(entry["shape"]) for name, entry in table.items()}
        sizes: dict[str, int] = {}
        end = 0
        for entry in table.values():
            (start, stop), dtype = entry["data_offsets"], entry["dtype"]
            sizes[dtype] = sizes.get(dtype, 0) + stop - start
            end = max(end, stop)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        return Weights("unusable", nbytes=size, reason="damaged")
    if end != rest:
        return Weights("unusable", nbytes=size, reason="cut" if end > rest else "damaged")
    meta = meta if isinstance(meta, dict) else {}
    found = _what(shapes)
    found = replace(
        found,
        dtype=max(sizes, key=lambda name: sizes[name] // _WIDTHS.get(name, 1)) if sizes else "",
        parameters=sum(count // _WIDTHS.get(name, 1) for name, count in sizes.items()),
        nbytes=size,
        title=_title(meta),
    )
    if found.kind in ("checkpoint", "denoiser"):
        if any(sign in raw for sign in _PACKED):
            return replace(found, reason="packed")
        return _predicts(found, shapes, meta, file)
    return found


def _adapter(raw: bytes, size: int, rest: int) -> Weights:
    """An adaptation, of which people have thousands: its names are looked for as they stand, which is faster."""
    end = _end(raw[-_ENOUGH:])  # nearly all programs write the last tensor last
    end = end if end == rest else _end(raw)
    if end != rest:
        return Weights("unusable", nbytes=size, reason="cut" if end > rest else "damaged")
    meta = metadata(raw)
    family = _adapted(meta) or families.adapter_family((raw[:_ENOUGH] + raw[-_ENOUGH:]).decode("utf-8", "replace"))
    return Weights("lora", family, nbytes=size, title=_title(meta), holds=("adapter",))


def _end(raw: bytes) -> int:
    return max((int(number) for number in _END.findall(raw)), default=0)


def metadata(raw: bytes) -> dict[str, Any]:
    """What the header of a safetensors file says of it; nothing where that cannot be read."""
    match = _META.search(raw)
    try:
        found = json.loads(match[1]) if match else {}
        return found if isinstance(found, dict) else {}
    except (ValueError, RecursionError):
        return {}


def _adapted(meta: Mapping[str, Any]) -> str:
    told = f"{meta.get('modelspec.architecture', '')} {meta.get('ss_base_model_version', '')}".lower()
    for sign, family in (
        ("xl", "sdxl"), ("flux-1", "flux1"), ("flux1", "flux1"), ("flux2", "flux2"), ("flux-2", "flux2"),
        ("stable-diffusion-3", "sd3"), ("sd3", "sd3"), ("v2", "sd2"), ("stable-diffusion-v1", "sd1"), ("sd_v1", "sd1"),
        ("qwen", "qwen-image"), ("z-image", "z-image"), ("zimage", "z-image"),
    ):  # fmt: skip
        if sign in told:
            return family
    return ""


def _what(shapes: families.Shapes) -> Weights:
    """What the tensors are, by their names and shapes."""
    if families.reference(shapes):  # those for faces have low-rank layers as well
        return Weights("reference")
    if families.adapter(shapes):
        return Weights("lora", families.adapter_family("\n".join(shapes)), holds=("adapter",))
    if families.control(shapes):
        return Weights("control")
    if (found := families.denoiser(shapes)) is not None:
        parts = families.holds(shapes)
        kind: Kind = "denoiser" if parts == ("denoiser",) else "checkpoint"
        return Weights(kind, found.family, found.variant, holds=parts)
    if (network := networks.upscaler(shapes)) is not None:
        return Weights("upscaler", network.name, f"×{network.scale}" if network.runs else "")
    if decoder := families.vae(shapes):
        return Weights("vae", decoder, holds=("vae",))
    if reader := families.text_encoder(shapes):
        return Weights("text_encoder", reader, holds=(reader,))
    if families.embedding(shapes):
        return Weights("embedding")
    return Weights("other", reason="unknown")


def _title(meta: Mapping[str, Any]) -> str:
    told = meta.get("modelspec.title") or meta.get("ss_output_name") or ""
    return " ".join(told.split())[:80] if isinstance(told, str) else ""


def _predicts(found: Weights, shapes: families.Shapes, meta: Mapping[str, Any], file: Path) -> Weights:
    """With what the network was taught to predict, where the file, its metadata or the settings beside it say so."""
    if found.family not in ("sd1", "sd2", "sdxl"):
        return found
    told = str(meta.get("modelspec.prediction_type") or meta.get("modelspec.predict_key") or "").lower()
    architecture = str(meta.get("modelspec.architecture", "")).lower()
    marked = "v_pred" in shapes or told in ("v", "v_prediction", "v-prediction", "velocity")
    marked = marked or str(meta.get("ss_v_parameterization", "")).lower() == "true" or "768-v" in architecture
    marked = (
        marked or re.search(r"v[-_ ]?pred", file.stem, re.I) is not None or 'parameterization: "v"' in _beside(file)
    )
    zero = "ztsnr" in shapes or str(meta.get("ss_zero_terminal_snr", "")).lower() == "true"
    if marked:
        return replace(found, prediction="v_prediction", zero_snr=zero)
    if told in ("epsilon", "eps") or "v2-512" in architecture:
        return replace(found, prediction="epsilon", zero_snr=zero)
    if found.family == "sd2":
        # the larger of its two kinds predicts velocity, and nothing but a name tells them apart
        small = re.search(r"512|base", file.stem, re.I) or meta.get("modelspec.resolution") == "512x512"
        return replace(found, prediction="epsilon" if small else "v_prediction", zero_snr=zero)
    return replace(found, zero_snr=zero)


def _beside(file: Path) -> str:
    """The settings that other web UIs look for beside a checkpoint, with one kind of quotes."""
    try:
        with file.with_suffix(".yaml").open(encoding="utf-8", errors="replace") as stream:
            return stream.read(100_000).replace("'", '"').replace("parameterization: v", 'parameterization: "v"')
    except OSError:
        return ""


def _gguf(file: Path, size: int, whole: bool) -> Weights:
    until = "" if whole else "tokenizer.ggml.tokens"
    head = gguf.read_header(file, gguf.NotLong(), tensors=True, until=until)
    architecture = str(head.values.get("general.architecture", ""))
    title = str(head.values.get("general.name", ""))[:80]
    if head.nbytes > size:
        return Weights("unusable", nbytes=size, reason="cut")
    known = Weights("language", architecture, nbytes=size, title=title, dtype="GGUF")
    if architecture in ("clip", "mmproj", "clip-vision") or "clip.has_vision_encoder" in head.keys:
        return replace(known, kind="projector")
    if architecture in _ENCODERS:
        return replace(known, kind="text_encoder", reason="unknown")
    if head.shapes and (painter := families.denoiser(head.shapes)) is not None:
        numbers = sum(math.prod(shape) for shape in head.shapes.values())
        parts = families.holds(head.shapes)
        kind: Kind = "denoiser" if parts == ("denoiser",) else "checkpoint"
        return replace(
            known, kind=kind, family=painter.family, variant=painter.variant, parameters=numbers, holds=parts
        )
    if architecture in _VIDEO:
        return replace(known, kind="denoiser", family="wan")
    if "tokenizer.ggml.model" not in head.keys and "tokenizer.ggml.tokens" not in head.keys:
        return replace(known, kind="unusable", reason="no_vocabulary")
    if whole and not head.shapes:
        return replace(known, kind="unusable", reason="cut")
    return replace(known, parameters=sum(math.prod(shape) for shape in head.shapes.values()))
