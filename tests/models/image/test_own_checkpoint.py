"""A checkpoint in a folder that somebody pointed at: it stands in the lists, paints, and is found again by its hash."""

import hashlib
import time
from pathlib import Path

import pytest
import tiny_checkpoints
from PIL import Image

from studio.recipes import inspect
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings


@pytest.fixture
def shelf(tmp_path):
    tiny_checkpoints.save(tiny_checkpoints.one_file("sd1", tiny_checkpoints.sd1()), tmp_path / "shelf-of.safetensors")
    folder = tmp_path / "shelf"
    folder.mkdir()
    (tmp_path / "shelf-of.safetensors").rename(folder / "tiny-dream.safetensors")
    return folder


def paint(studio: Studio) -> Path:
    ask = ImageRequest(prompt="a heart", model="tiny-dream", width=64, height=64, steps=1, seed=5)
    last = list(studio.submit(ask).events())[-1]
    assert last.kind == "done", last
    return last.artifact.files[0]


def test_a_checkpoint_of_a_folder_paints_and_its_pictures_name_it_by_its_hash(tmp_path, shelf):
    settings = Settings(home=tmp_path / "home", offline=True)
    with Studio(settings) as studio:
        assert studio.own.remember([shelf]) == 1
        deadline = time.monotonic() + 30
        file = shelf / "tiny-dream.safetensors"
        while not studio.store.hashes.short(file) and time.monotonic() < deadline:
            time.sleep(0.02)
        picture = paint(studio)
        expected = hashlib.sha256(file.read_bytes()).hexdigest()
        with Image.open(picture) as image:
            told = image.info["parameters"]
        assert f"Model hash: {expected[:10]}, Model: tiny-dream" in told
        found = inspect.read_settings(picture.read_bytes())
        assert (found.model, found.model_hash) == ("tiny-dream", expected[:10])
    file.rename(shelf / "renamed.safetensors")
    with Studio(settings) as studio:  # another start: what lay there is known at once, and looked up in the background
        assert studio.catalog.find("tiny-dream")
        studio.own.refresh().join(30)
        while not (model := studio.own.hashed(expected[:10])) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert model == "renamed"
        elsewhere = inspect.from_text(f"a heart\nSteps: 1, Seed: 5, Model hash: {expected[:10]}, Model: othername")
        assert studio.own.hashed(elsewhere.model_hash) == "renamed"
        assert studio.own.hashed("0" * 10) == ""
        assert inspect.from_text("x\nSteps: 1, Model hash: 7460a6fa, Model: old").model_hash == ""
