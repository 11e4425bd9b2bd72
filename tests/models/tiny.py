"""Tiny models of the real classes, built from configs with local tokenizers. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.catalog.card import Card, Source
from studio.devices.device import Device
from studio.errors import Cancelled

CPU = Device("cpu")
TEXTS = [
    "The capital of France is Paris. def add(a, b): return a + b",
    "User: Assistant: system hello world, a picture of a red heart",
    "你好，世界 é ü 😀 for i in range(10): print(i)",
]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def card(engine: str, **changes: Any) -> Card:
    """A card as the catalogue would make one."""
    values: dict[str, Any] = {
        "id": "tiny",
        "title": "Tiny",
        "tasks": ("chat",),
        "engine": engine,
        "source": Source("local"),
        "licence": "Apache-2.0",
        "licence_url": "",
        "commercial": True,
        "parameters": 100_000,
        "disk_bytes": 0,
        "memory_bytes": 123,
        "least_memory": 0,
        "languages": ("en",),
        "summary": {},
    }
    return Card(**(values | changes))


class Recorder:
    """A context that keeps what it was told, stops after `stop_after` steps and skips once after `skip_after`."""

    def __init__(
        self,
        stop_after: int | None = None,
        skip_after: int | None = None,
        previews: bool = False,
        adapters: Path | None = None,
    ) -> None:
        self.stop_after, self.skip_after = stop_after, skip_after
        self.previews, self.adapters = previews, () if adapters is None else (adapters,)
        self.steps: list[tuple[int, int]] = []
        self.texts: list[str] = []
        self.shown: list[Any] = []
        self.heard: list[tuple[Any, int]] = []

    @property
    def cancelled(self) -> bool:
        return self.stop_after is not None and len(self.steps) >= self.stop_after

    def alive(self) -> None: ...

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled

    def skipped(self) -> bool:
        pressed = self.skip_after is not None and len(self.steps) >= self.skip_after
        if pressed:
            self.skip_after = None
        return pressed

    def step(self, done: int, total: int = 0) -> None:
        self.steps.append((done, total))

    def text(self, delta: str) -> None:
        self.texts.append(delta)

    def sound(self, samples: Any, rate: int) -> None:
        self.heard.append((samples, rate))

    def preview(self, picture: Any, number: int = 0, whole: bool = False) -> None:
        self.shown.append(picture)


def load(engine: Any, files: Path, **changes: Any) -> Any:
    """The model in `files`, loaded through its engine."""
    name = type(engine).__name__.removesuffix("Engine").lower()
    return engine.load(card(name, **changes), files, CPU, lambda _: None)


def byte_tokenizer(*special: str, bos: str | None = None, template: str | None = None, **changes: Any) -> Any:
    """A byte-level BPE: a character may take several tokens, as in real models."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[*special],
    )
    backend.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=special[0],
        pad_token=special[0],
        bos_token=bos,
        unk_token=special[0],
        **changes,
    )
    tokenizer.chat_template = template
    return tokenizer


def word_tokenizer(length: int = 77, kind: str = "clip") -> Any:
    """A tokenizer of words that pads, for text encoders: with one mark at the end, or one at each ("bert", CLIP)."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for text in TEXTS for word in text.lower().replace(",", " ").split()})
    vocabulary = {word: index for index, word in enumerate(["<pad>", "</s>", "<unk>", "<s>", *words])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    form, marks = ("<s> $A </s>", [("<s>", 3), ("</s>", 1)]) if kind == "bert" else ("$A </s>", [("</s>", 1)])
    backend.post_processor = processors.TemplateProcessing(form, special_tokens=marks)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        bos_token="<s>",
        model_max_length=length,
    )


def tiny_llama(vocabulary: int, **changes: Any) -> Any:
    """A Llama of two layers with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    values = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "initializer_range": 0.3,
        "eos_token_id": 0,
        "bos_token_id": None,
    }
    return LlamaForCausalLM(LlamaConfig(**(values | changes)))


def tiny_qwen(folder: Path) -> None:
    """A Qwen3.5: a vision tower, and a decoder whose every second layer keeps a state in place of keys and values."""
    import torch
    from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", *marks, template=CHAT_TEMPLATE)
    torch.manual_seed(0)
    config = Qwen3_5Config(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "full_attention_interval": 2,
            "initializer_range": 0.3,
            "eos_token_id": 0,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "patch_size": 4,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
        },
        image_token_id=5,
        video_token_id=6,
        vision_start_token_id=3,
        vision_end_token_id=4,
    )
    Qwen3_5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
