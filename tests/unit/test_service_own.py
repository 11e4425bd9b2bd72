"""A person's own folders, through the whole service: what lies there is listed and found where it lies."""

from __future__ import annotations

from pathlib import Path

import disk_files
import pytest

from studio.errors import StudioError
from studio.request_parts import Lora
from studio.requests import ImageRequest, UpscaleRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.image import embedding_files, lora_files

LORA = {"lora_unet_x.lora_down.weight": (4, 320), "lora_te_text_model_x.lora_down.weight": (4, 768)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Adaptations as another program keeps them, one of them in a folder of its own, beside a checkpoint."""
    for name in ("ink", "people/gouache"):
        file = tmp_path / "Lora" / f"{name}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        disk_files.weights(file, LORA)
    disk_files.weights(tmp_path / "Lora" / "whole.safetensors", disk_files.SD1 | disk_files.VAE)
    return tmp_path / "Lora"


def test_adaptations_of_a_folder_are_used_where_they_lie(tmp_path: Path, folder: Path) -> None:
    settings = Settings(home=tmp_path / "home", device="cpu", keep_free_gb=0, _env_file=None)  # pyright: ignore
    with Studio(settings) as studio:
        disk_files.weights(studio.home.loras / "ink.safetensors", LORA)
        assert studio.loras() == ("ink",)
        with pytest.raises(StudioError) as refused:
            studio._beside.prompts.fill(ImageRequest(prompt="a", seed=1, loras=(Lora("gouache", 1.0),)))
        assert refused.value.code == "no_lora"
        studio.own.remember([folder])
        assert studio.loras() == ("ink", "people/gouache")
        (filled,) = studio._beside.prompts.fill(ImageRequest(prompt="a", seed=1, loras=(Lora("gouache", 1.0),)))
        assert filled.loras == (Lora("people/gouache", 1.0),)
        folders = studio._beside.folders()
        assert lora_files.find("people/gouache", folders) == folder / "people" / "gouache.safetensors"
        assert lora_files.find("ink", folders) == studio.home.loras / "ink.safetensors"  # ours comes first
        assert set(
            lora_files.hashes([ImageRequest(prompt="a", loras=(filled.loras[0], Lora("gone", 1.0)))], folders)
        ) == {"people/gouache"}
    with Studio(settings) as again:  # without a look
        assert again.loras() == ("ink", "people/gouache")
        again.own.forget(folder)
        assert again.loras() == ("ink",)


def test_embeddings_of_a_folder_are_found_by_their_names(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", device="cpu", keep_free_gb=0, _env_file=None)  # pyright: ignore
    other = tmp_path / "webui" / "embeddings"
    other.mkdir(parents=True)
    disk_files.weights(other / "moss.safetensors", {"emb_params": (4, 768)})
    disk_files.weights(other / "pair.safetensors", {"clip_l": (4, 768), "clip_g": (4, 1280)})
    with Studio(settings) as studio:
        disk_files.weights(studio.home.embeddings / "pair.safetensors", {"clip_l": (1, 768), "clip_g": (1, 1280)})
        studio.own.remember([other.parent])
    with Studio(settings) as again:
        found = embedding_files.named(["moss and pair"], again._beside.folders())
        assert found == {"moss": other / "moss.safetensors", "pair": again.home.embeddings / "pair.safetensors"}


@pytest.mark.parametrize("name", ["../ink", "people/../ink", "", ".", "..", "a\0b", "x" * 400])
def test_a_name_leads_out_of_no_folder(folder: Path, name: str) -> None:
    assert lora_files.find(name, [folder, folder / "people"]) is None


def test_upscalers_in_the_homes_own_folder_stand_in_the_lists(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", device="cpu", keep_free_gb=0, _env_file=None)  # pyright: ignore
    with Studio(settings) as studio:
        assert studio.home.upscalers.is_dir()
        assert studio.default_model("upscale").id == "lanczos"
        disk_files.weights(studio.home.upscalers / "anime" / "4x Sharp.safetensors", disk_files.ESRGAN)
        studio.home.upscalers.joinpath("old.pth").write_bytes(b"\x80\x02" + b"x" * 2_000_000)
        seen = {one.found.path.name: one.reason for one in studio.own.look().seen}
        assert seen.items() >= {"4x Sharp.safetensors": "", "old.pth": "disk.kind.pickle"}.items()
    with Studio(settings) as again:  # nobody pointed at anything
        card = again.catalog.get("4x-sharp")
        assert (card.tasks, card.engine, dict(card.limits)) == (
            ("upscale",), "upscale_network", {"min_scale": 2, "max_scale": 4},
        )  # fmt: skip
        assert again.default_model("upscale") is card
        double = {name: shape for name, shape in disk_files.ESRGAN.items() if "conv_up2" not in name}
        disk_files.weights(again.home.upscalers / "2x.safetensors", double)
        again.own.refresh().join()  # pyright: ignore[reportOptionalMemberAccess]
        assert again.default_model("upscale").id == "2x"  # the smaller one
        assert again.default_model("upscale", UpscaleRequest(image=b"", scale=4)).id == "4x-sharp"
        (again.home.upscalers / "2x.safetensors").unlink()
        named = again.own.name(str(again.home.upscalers / "anime" / "4x Sharp.safetensors"))
        assert named.table()["limits"] == {"min_scale": 2, "max_scale": 4}
        (again.home.upscalers / "anime" / "4x Sharp.safetensors").unlink()
    with Studio(settings) as last:
        assert last.default_model("upscale").id == "lanczos"


def test_an_upscaler_of_one_file_may_be_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    disk_files.weights(home / "mine.safetensors", disk_files.ESRGAN)
    (home / "models.toml").write_text(
        '[models.mine]\ntask = "upscale"\npath = "mine.safetensors"\n\n'
        '[models.old]\ntask = "upscale"\npath = "old.pth"\n'
    )
    settings = Settings(home=home, device="cpu", keep_free_gb=0, _env_file=None)  # pyright: ignore
    with Studio(settings) as studio:
        assert studio.catalog.get("mine").engine == "upscale_network"
        (problem,) = studio.catalog.problems
        assert "old.pth is a format that can run code; use .safetensors" in str(problem)
