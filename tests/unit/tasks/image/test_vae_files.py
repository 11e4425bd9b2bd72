"""Decoders in folders: names, what is passed over, and requests that name one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.errors import StudioError
from studio.paths import Home
from studio.request_parts import Axis
from studio.requests import ImageRequest
from studio.tasks import limits
from studio.tasks.image import grid_axes, vae_files
from studio.tasks.image.vae_files import Vaes
from studio.tasks.table import rules

ASK = ImageRequest(prompt="a", width=64, height=64, steps=1, guidance_scale=1.0, seed=1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path / "home")
    decoder(home.vaes / "soft.safetensors", "first_stage_model.")
    decoder(home.vaes / "bare.safetensors")
    decoder(home.vaes / "folder" / "diffusion_pytorch_model.safetensors")
    (home.vaes / "folder" / "config.json").write_text("{}")
    save_file({"lora_down": np.zeros(1)}, home.vaes / "ink.safetensors")
    (home.vaes / "old.pt").write_bytes(b"\x80\x02")
    return home


def decoder(file: Path, front: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({f"{front}decoder.conv_in.weight": np.zeros(1)}, file)


def test_names_are_those_of_decoders_and_lead_nowhere_else(home: Home, tmp_path: Path) -> None:
    decoder(tmp_path / "away" / "far.safetensors")
    decoder(tmp_path / "away" / "soft.safetensors")
    vaes = Vaes(home, lambda: [tmp_path / "away" / "far.safetensors"])
    assert vaes.names() == ("bare", "far", "folder", "soft")
    assert vae_files.find("soft", vaes.folders()) == home.vaes / "soft.safetensors", "the studio's own counts first"
    assert vae_files.find("folder", vaes.folders()) == home.vaes / "folder"
    for name in ("ink", "old", "../vaes/soft", "", ".", "gone", "a\x00b", "x" * 3000):
        assert vae_files.find(name, vaes.folders()) is None


def test_what_is_not_here_is_one_sentence(home: Home) -> None:
    for name, code in (("soft", ""), ("", ""), ("gone", "no_vae"), ("old", "vae_pickle"), ("ink", "no_vae")):
        told = ""
        try:
            Vaes(home).require(replace(ASK, vae=name))
        except StudioError as error:
            told = error.code
        assert told == code, name
    strangers = Vaes(home, public=True)
    assert strangers.names() == strangers.folders() == ()
    with pytest.raises(StudioError, match="public studio"):
        strangers.require(replace(ASK, vae="soft"))


def test_the_hash_is_that_of_the_file(home: Home) -> None:
    import hashlib

    expected = hashlib.sha256((home.vaes / "soft.safetensors").read_bytes()).hexdigest()
    assert vae_files.hashes([replace(ASK, vae="soft"), ASK, None], (home.vaes,)) == {"soft": expected}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("sdxl_vae.safetensors", "sdxl_vae"), ("vae-ft-mse-840000-ema-pruned.ckpt", "vae-ft-mse-840000-ema-pruned"),
        ("kl-f8-anime2.vae.pt", "kl-f8-anime2.vae"), ("Automatic", ""), ("None", ""), ("Baked VAE", ""), ("", ""),
        ("sub\\folder/x.safetensors", "x"),
    ],
)  # fmt: skip
def test_the_name_that_other_programs_write(written: str, name: str) -> None:
    assert vae_files.plain_name(written) == name


def test_a_request_names_it_plainly_and_its_memory_is_learned_apart() -> None:
    card = tiny_card(Source("local"), 1, tasks=("image",))
    for name, code in (("soft", ""), ("", ""), ("../soft", "not_plain"), (".x", "not_plain"), (3, "not_text")):
        told = ""
        try:
            limits.check(replace(ASK, vae=name), card)  # type: ignore[arg-type]
        except StudioError as error:
            told = error.code
        assert told == code, name
    assert rules(ASK).marks(replace(ASK, vae="soft")) == ("vae",)


def test_it_is_an_axis_of_a_grid() -> None:
    found, layout = grid_axes.cells(replace(ASK, vae="soft"), Axis("vae", ("Automatic, bare, soft",)), None)
    assert [one.vae for one in found] == ["", "bare", "soft"]
    assert layout.columns == ("VAE: Automatic", "VAE: bare", "VAE: soft")
