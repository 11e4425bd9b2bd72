"""Parts of one's own on the command line: a decoder in the place of the model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file
from terminals import Run

SMALL = ("--width", 64, "--height", 64, "--steps", 2, "--seed", 5)


@pytest.fixture
def vae(tmp_path: Path) -> Path:
    file = tmp_path / "home" / "vaes" / "soft.safetensors"
    file.parent.mkdir(parents=True)
    save_file({"decoder.conv_in.weight": np.zeros(1)}, file)
    return file


def test_a_vae_reaches_recipe_and_text_and_the_picture_is_made_again(run: Run, vae: Path) -> None:
    import hashlib

    hash = hashlib.sha256(vae.read_bytes()).hexdigest()
    result = run("image", "a", *SMALL, "--vae", "soft", "--json")
    assert result.code == 0, result.err + result.out
    made, file = result.json["recipe"], result.json["files"][0]
    assert (made["parameters"]["vae"], made["vaes"]) == ("soft", {"soft": hash})
    with Image.open(file) as picture:
        assert f", VAE hash: {hash[:10]}, VAE: soft.safetensors, " in picture.info["parameters"]
    again = run("again", file)
    assert again.code == 0, again.err
    assert "VAE" not in again.err
    save_file({"decoder.conv_in.weight": np.ones(1)}, vae)
    assert f"VAE soft was {hash[:12]}" in run("again", file).err


def test_one_that_is_not_here_is_told_before_anything_is_loaded(run: Run, vae: Path) -> None:
    told = run("image", "a", *SMALL, "--vae", "gone")
    assert told.code == 1
    assert "There is no VAE called gone" in told.err
    assert "soft" in told.err
    grid = run("image", "a", *SMALL, "--grid-x", "vae=soft,gone")
    assert "There is no VAE called gone" in grid.err
