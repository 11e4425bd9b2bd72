"""The lab beside the tabs, with the real starters: it borrows what the tabs use, and what they make stays the same."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from studio.lab import gan, matches, noise, space
from studio.lab.looking import Looker
from studio.media.strip import stripped
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings

ME = Looker("somebody who looks")
ASKED = ImageRequest(prompt="a red apple", model="icons", seed=11)


@pytest.fixture(scope="module")
def real(starter_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio with the starters, whose outputs are its own."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(starter_home / "models", home / "models", symlinks=True)
    settings = Settings(home=home, device="cpu", keep_free_gb=0, offline=True, _env_file=None)  # pyright: ignore
    with Studio(settings) as studio:
        yield studio


def file(colour: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(made, "PNG")
    return made.getvalue()


def look(studio: Studio) -> list[bool]:
    """Look through every experiment that borrows a model of pictures; whether each was answered, or gave way."""
    picture, red, blue = Image.new("RGB", (64, 64), "red"), file("red"), file("blue")
    return [
        noise.film(studio.lab, noise.Wish("a blue car", seed=3, steps=4, guidance=4.0), ME) is not None,
        space.walk(studio.lab, red, blue, "", ME) is not None,
        gan.paint(studio.lab, gan.walk((0, 3), (1, 2), 5), 0.7, ME) is not None,
        matches.see(studio.lab, [picture], ME) is not None,
    ]


def test_a_picture_that_is_made_while_somebody_looks_is_the_same_bytes(real: Studio) -> None:
    def made() -> bytes:
        return stripped(real.submit(ASKED).result().files[0].read_bytes())  # without the time at which it was made

    before = made()
    assert look(real) == [True] * 4
    assert made() == before
    job = real.submit(ASKED)
    look(real)
    while not job.done:
        look(real)
    assert stripped(job.result().files[0].read_bytes()) == before
    assert look(real) == [True] * 4  # what gave way is there again
