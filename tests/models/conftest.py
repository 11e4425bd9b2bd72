"""Folders of tiny models, each saved once a session."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import tiny_pipelines
from tiny import CHAT_TEMPLATE, byte_tokenizer, load, tiny_llama

from studio.engines.image.diffusion import DiffusionEngine

# It runs where the extra is installed, and .ci/run sees to it that there is such a place.
collect_ignore = [] if find_spec("audiocraft") else ["music/test_audiocraft.py"]


@pytest.fixture(scope="session")
def chat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", template=CHAT_TEMPLATE)
    tokenizer.save_pretrained(folder)
    tiny_llama(len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def code_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    tokenizer = byte_tokenizer(
        "<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|file_sep|>"
    )
    tokenizer.save_pretrained(folder)
    tiny_llama(len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pipelines of pictures by their name in tiny_pipelines.KINDS."""
    import torch

    made = {}
    for kind in tiny_pipelines.KINDS:
        torch.manual_seed(0)
        made[kind] = tmp_path_factory.mktemp(kind)
        getattr(tiny_pipelines, kind)().save_pretrained(made[kind])
    return made


@pytest.fixture(scope="module")
def painters(folders: dict[str, Path]) -> Iterator[Callable[[str], Any]]:
    """A function that loads each pipeline of pictures once."""
    engine = DiffusionEngine()
    models: dict[str, Any] = {}

    def get(kind: str) -> Any:
        if kind not in models:
            models[kind] = load(engine, folders[kind])
        return models[kind]

    yield get
    for model in models.values():
        model.close()
