"""Parts of a model in the text that web UIs share, written and read."""

from __future__ import annotations

from typing import Any

import pytest

from studio.recipes import infotext, inspect

RECIPE: dict[str, Any] = {
    "task": "image", "seed": 7, "model": {"id": "x", "title": "X", "hash": "0123456789"}, "software": {"studio": "1"},
    "parameters": {"prompt": "a cat", "steps": 20, "vae": "sdxl_vae"}, "vaes": {"sdxl_vae": "63aeecb90ff7bc1c" * 4},
}  # fmt: skip


def test_a_vae_stands_behind_the_model_as_there() -> None:
    text = infotext.write(RECIPE)
    assert "Model hash: 0123456789, Model: X, VAE hash: 63aeecb90f, VAE: sdxl_vae.safetensors, Version" in text
    found = infotext.parse(text)
    assert found is not None
    assert found.fields["vae"] == "sdxl_vae"
    assert not found.unknown
    assert inspect.from_text(text).fields["vae"] == "sdxl_vae"  # type: ignore[union-attr]


def test_without_one_nothing_is_said() -> None:
    assert "VAE" not in infotext.write({**RECIPE, "parameters": {"prompt": "a cat", "vae": ""}})


@pytest.mark.parametrize("written", ["Automatic", "None", ""])
def test_the_models_own_is_none(written: str) -> None:
    found = infotext.parse(f"a\nSteps: 20, Seed: 1, Size: 512x512, VAE: {written}, Version: v1.10.1")
    assert found is not None
    assert "vae" not in found.fields
    assert not found.unknown


def test_a_refiner_is_written_and_read_as_there() -> None:
    given = {"prompt": "a cat", "steps": 20, "refiner": "sd_xl_refiner_1.0", "refiner_at": 0.75}
    text = infotext.write({**RECIPE, "parameters": given, "refiners": {"sd_xl_refiner_1.0": "7440042bbd" * 6}})
    assert ", Refiner: sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 0.75, Version" in text
    found = inspect.from_text(text)
    assert found is not None
    assert (found.fields["refiner"], found.fields["refiner_at"], found.unknown) == ("sd_xl_refiner_1.0", 0.75, ())


def test_without_a_refiner_nothing_is_said() -> None:
    assert "Refiner" not in infotext.write({**RECIPE, "parameters": {"prompt": "a cat", "refiner_at": 0.8}})
