"""Seeds have 64 bits, as torch's generators and other programs' seeds have, and lose no digit on their way."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.engines.text.llama import _seed
from studio.recipes import infotext, inspect, recipe
from studio.recipes.untrusted import image_fields
from studio.request_parts import Axis
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.bounds import DRAWN_SEED, MAX_SEED
from studio.tasks.image import grid_axes
from tabs.image import form
from tabs.shared.widgets import read_whole

LONG = 1102676403634909  # ComfyUI draws such
ODD = 2**53 + 1  # the first whole number that no float holds


@pytest.mark.parametrize("seed", [LONG, ODD, 2**63, MAX_SEED])
def test_a_long_seed_is_painted_and_told_exactly(tmp_path: Path, seed: int) -> None:
    with Studio(Settings.model_validate({"home": tmp_path, "demo": True})) as studio:
        request = ImageRequest(prompt="a cat", seed=seed, width=64, height=64, steps=1)
        (file,) = studio.submit(request).result().files
    assert str(seed) in file.name
    data = file.read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        assert f"Seed: {seed}," in picture.info["parameters"]
    found = inspect.read_settings(data)
    assert found is not None
    assert found.fields["seed"] == seed
    again = recipe.to_request(found.recipe or {})
    assert again is not None
    assert again.seed == seed


def test_a_seed_that_nobody_names_is_short_enough_to_read_out(tmp_path: Path) -> None:
    with Studio(Settings.model_validate({"home": tmp_path, "demo": True})) as studio:
        made = studio.submit(ImageRequest(prompt="a cat", width=64, height=64, steps=1)).result().recipe
    assert 0 <= made["seed"] <= DRAWN_SEED


@pytest.mark.parametrize("seed", [LONG, ODD, MAX_SEED])
def test_other_programs_seeds_are_taken_exactly_whether_number_or_text(seed: int) -> None:
    for written in (seed, str(seed)):
        assert image_fields({"seed": written, "variation_seed": written}) == (
            {"seed": seed, "variation_seed": seed},
            (),
        )
    text = infotext.parse(f"a\nSteps: 20, Seed: {seed}, Size: 64x64")
    assert text is not None
    assert image_fields(text.fields)[0]["seed"] == seed


@pytest.mark.parametrize("seed", [LONG, ODD, MAX_SEED])
def test_the_field_of_the_page_holds_it(seed: int) -> None:
    card: Any = None
    typed = form.fields({"seed": seed, "variation": 0.5, "variation_seed": seed}, card)
    assert (read_whole("field.seed", typed["seed"]), read_whole("field.seed", typed["variation_seed"])) == (seed, seed)
    assert len(typed["seed"]) <= 20, "the field takes twenty characters"


def test_a_grid_counts_from_one_long_seed_to_another() -> None:
    assert grid_axes.values(Axis("seed", (f"{LONG}-{LONG + 2}",))) == tuple(str(LONG + step) for step in range(3))
    base = ImageRequest(prompt="a")
    found, _ = grid_axes.cells(base, Axis("seed", (str(MAX_SEED), str(ODD))), None)
    assert [cell.seed for cell in found] == [MAX_SEED, ODD]


def test_a_library_with_shorter_seeds_gets_one_that_it_takes() -> None:
    assert [_seed(seed) for seed in (None, 7, 2**32 - 2)] == [None, 7, 2**32 - 2], "short ones are as they were"
    assert all(0 <= (_seed(seed) or 0) < 2**32 - 1 for seed in (2**32 - 1, LONG, MAX_SEED)), "its largest means any"


def test_torch_takes_every_seed_and_tells_them_apart() -> None:
    import torch

    drawn = {seed: torch.randn(4, generator=torch.Generator("cpu").manual_seed(seed)) for seed in (LONG, MAX_SEED)}
    assert not torch.equal(drawn[LONG], drawn[MAX_SEED])
    torch.manual_seed(MAX_SEED)
