"""Which files of embeddings a prompt names, what is refused, and what is kept of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.tasks.image import embedding_files


def embedding(path: Path, count: int = 2, **more: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"emb_params": np.zeros((count, 768), np.float32)} | more, path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("moss", "moss style", "EasyNegative", "bad-hands-5", "花"):
        embedding(tmp_path / "embeddings" / f"{name}.safetensors")
    return tmp_path / "embeddings"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a wall of moss", {"moss"}), ("(MOSS:1.2), stone", {"moss"}), ("[moss:stone:4]", {"moss"}),
        ("mosses", set()), ("a_moss", set()), ("easynegative", {"EasyNegative"}), ("bad-hands-5, x", {"bad-hands-5"}),
        ("bad-hands-50", set()), ("a moss style wall", {"moss", "moss style"}), ("一朵 花", {"花"}), ("", set()),
    ],
)  # fmt: skip
def test_a_name_stands_for_its_file_where_it_is_a_word(folder: Path, text: str, names: set[str]) -> None:
    assert set(embedding_files.named([text], [folder])) == names


def test_the_first_folder_counts_and_other_files_are_passed_over(folder: Path, tmp_path: Path) -> None:
    other = embedding(tmp_path / "other" / "Moss.safetensors", 7).parent
    assert embedding_files.named(["moss"], [other, folder]) == {"Moss": other / "Moss.safetensors"}
    many = {f"layer{number}": np.zeros((4, 4), np.float32) for number in range(9)}
    embedding(tmp_path / "loras" / "stone.safetensors", **many)
    (tmp_path / "loras" / "broken.safetensors").write_bytes(b"{")
    (tmp_path / "loras" / "text.txt").write_text("stone")
    assert embedding_files.named(["stone broken text"], [tmp_path / "loras", tmp_path / "none"]) == {}
    assert embedding_files.shapes(folder / "moss.safetensors") == {"emb_params": (2, 768)}


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".PT"])
def test_a_pickle_is_refused_by_name_and_never_opened(folder: Path, suffix: str) -> None:
    (folder / f"old{suffix}").write_bytes(b"\x80\x04cos\nsystem\n")
    embedding_files.refuse_pickles(["older things"], folder)
    with pytest.raises(StudioError) as caught:
        embedding_files.refuse_pickles(["an (old:1.1) wall"], folder)
    assert (caught.value.code, caught.value.params) == ("embedding_pickle", {"name": f"old{suffix}"})
    embedding(folder / "old.safetensors")
    embedding_files.refuse_pickles(["an old wall"], folder)


def test_hashes_are_of_what_the_painted_prompts_name(folder: Path) -> None:
    asked = ImageRequest(prompt="{moss|stone}", prompts=("stone", "moss"), negative_prompt="EasyNegative")
    found = embedding_files.hashes([asked, None], [folder], without=["moss style"])
    whole = {name: hashlib.sha256((folder / f"{name}.safetensors").read_bytes()).hexdigest() for name in found}
    assert found == whole
    assert set(found) == {"moss", "EasyNegative"}
    assert set(embedding_files.hashes([asked], [folder], without=["moss"])) == {"EasyNegative"}
