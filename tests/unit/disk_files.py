"""Headers of files of weights, with holes where the weights would be: gigabytes that take no room."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I64": 8}
XL_FIRST = "conditioner.embedders.0.transformer.text_model.embeddings.position_embedding.weight"
XL_SECOND = "conditioner.embedders.1.model.positional_embedding"
UNET = "model.diffusion_model."
CLIP = "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight"
VAE = {"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)}

SD1 = {
    UNET + "input_blocks.0.0.weight": (320, 4, 3, 3),
    UNET + "input_blocks.1.1.proj_in.weight": (320, 320, 1, 1),
    UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    UNET + "output_blocks.11.0.skip_connection.weight": (320, 640, 1, 1),
}
SDXL = {
    UNET + "input_blocks.0.0.weight": (320, 4, 3, 3),
    UNET + "label_emb.0.0.weight": (1280, 2816),
    UNET + "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
    XL_FIRST: (77, 768),
    XL_SECOND: (77, 1280),
}

ESRGAN = {
    "conv_first.weight": (64, 3, 3, 3), "body.0.rdb1.conv1.weight": (32, 64, 3, 3), "conv_body.weight": (64, 64, 3, 3),
    "conv_up1.weight": (64, 64, 3, 3), "conv_up2.weight": (64, 64, 3, 3), "conv_last.weight": (3, 64, 3, 3),
}  # fmt: skip


def weights(
    file: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str = "F16", meta: Mapping[str, str] | None = None
) -> Path:
    """A safetensors file with these tensors, all of one type."""
    table: dict[str, object] = {"__metadata__": dict(meta)} if meta else {}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + math.prod(shape) * _BYTES[dtype]
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    head = json.dumps(table).encode()
    head += b" " * (-len(head) % 8)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        stream.write(len(head).to_bytes(8, "little") + head)
        stream.truncate(8 + len(head) + end)
    return file


def gguf(
    file: Path, architecture: str, shapes: Mapping[str, tuple[int, ...]] | None = None, vocabulary: bool = True
) -> Path:
    """A GGUF file as llama.cpp's own library writes it."""
    import numpy as np
    from gguf import GGUFWriter

    file.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(file, architecture)
    writer.add_name("Tiny")
    if vocabulary:
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list([f"t{number}" for number in range(300)])
    for name, shape in (shapes or {"token_embd.weight": (300, 8)}).items():
        writer.add_tensor(name, np.zeros(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
