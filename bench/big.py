"""Models of real configurations with random weights, for the benchmarks of memory: quick to write, and of real size.

Nothing is built in memory: shapes come from the classes on torch's meta device, and the numbers repeat a block of
noise, so a gigabyte is written about as fast as the disk takes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from studio.catalog.card import Card, Source

Kind = Literal["text", "image"]
WORDS = ("a", "red", "heart", "hello", "world")
_BLOCK = 1 << 20


def big_model(folder: Path, kind: Kind = "text", stored: str = "") -> Card:
    """Write a model into `folder`, which may not exist yet, and return its card; the folder is the card's source.

    Args:
        kind: "text" is a Llama of 362 million parameters (SmolLM2-360M's configuration, 724 MB in bfloat16); "image" a
            Stable Diffusion 1.5 of 1,066 million (2.1 GB in float16).
        stored: the float type of its files; default bfloat16 for text, float16 for pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (_llama if kind == "text" else _stable_diffusion)(folder, stored or {"text": "bfloat16", "image": "float16"}[kind])
    return big_card(folder, kind)


def big_card(folder: Path, kind: Kind) -> Card:
    """The card of a model that was written before."""
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    return Card(
        id=f"big-{kind}", title=f"Big {kind}", tasks=("chat",) if kind == "text" else ("image",),
        engine="text" if kind == "text" else "diffusion", source=Source("local", path=str(folder)),
        licence="Apache-2.0", licence_url="", commercial=True, parameters=size // 2, disk_bytes=size,
        memory_bytes=size, least_memory=0, languages=("en",), summary={"en": "Random weights."},
    )  # fmt: skip


def _llama(folder: Path, stored: str) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        config = LlamaConfig(
            hidden_size=960, intermediate_size=2560, num_hidden_layers=32, num_attention_heads=15,
            num_key_value_heads=5, vocab_size=49_152, tie_word_embeddings=True, max_position_embeddings=8192,
            bos_token_id=None, eos_token_id=0,
        )  # fmt: skip
        model = LlamaForCausalLM(config)
    model.config.save_pretrained(folder)
    tokenizer = _tokenizer(2048)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    tokenizer.save_pretrained(folder)
    _write(model, folder / "model.safetensors", stored, leave_out="lm_head")


def _stable_diffusion(folder: Path, stored: str) -> None:
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        unet: Any = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8, sample_size=64)
        vae: Any = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, sample_size=512,
        )  # fmt: skip
        reader: Any = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                pad_token_id=0, bos_token_id=0, eos_token_id=0,
            )
        )  # fmt: skip
    PNDMScheduler(skip_prk_steps=True, beta_schedule="scaled_linear", steps_offset=1).save_pretrained(
        folder / "scheduler"
    )
    _tokenizer(77).save_pretrained(folder / "tokenizer")
    for name, part in {"unet": unet, "vae": vae}.items():
        (folder / name).mkdir(exist_ok=True)
        part.save_config(folder / name)
        _write(part, folder / name / "diffusion_pytorch_model.safetensors", stored)
    reader.config.save_pretrained(folder / "text_encoder")
    _write(reader, folder / "text_encoder" / "model.safetensors", stored)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")


def _tokenizer(length: int) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    table = {word: number for number, word in enumerate(("<end>", "<unknown>", *WORDS))}
    backend = Tokenizer(models.WordLevel(table, unk_token="<unknown>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<end>", pad_token="<end>", unk_token="<unknown>", model_max_length=length
    )


def _write(module: Any, file: Path, stored: str, leave_out: str = "-") -> None:
    """The parameters of a module on the meta device as a safetensors file of noise."""
    import torch

    dtype = getattr(torch, stored)
    short = {"float16": "F16", "bfloat16": "BF16", "float32": "F32"}[stored]
    noise = (torch.randn(_BLOCK, generator=torch.Generator().manual_seed(0)) * 0.02).to(dtype)
    block = noise.view(torch.uint8).numpy().tobytes()
    shapes = {name: tuple(one.shape) for name, one in module.state_dict().items() if not name.startswith(leave_out)}
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + torch.Size(shape).numel() * dtype.itemsize
        table[name] = {"dtype": short, "shape": list(shape), "data_offsets": [start, end]}
    head = json.dumps(table).encode()
    head += b" " * (-len(head) % 8)
    with file.open("wb") as stream:
        stream.write(len(head).to_bytes(8, "little") + head)
        while end > 0:
            stream.write(block[:end])
            end -= len(block)
