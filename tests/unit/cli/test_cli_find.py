"""`models find`: a dry look, folders that are kept, and what that changes in the lists."""

from __future__ import annotations

import json
from pathlib import Path

import disk_files
import pytest
from disk_files import CLIP, SD1, SDXL, VAE
from terminals import Run

WHOLE = SD1 | VAE | {CLIP: (77, 768)}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STUDIO_DEMO", "0")
    disk_files.weights(tmp_path / "shelf" / "nebula.safetensors", WHOLE)
    disk_files.weights(tmp_path / "shelf" / "bare.safetensors", SDXL)
    disk_files.weights(tmp_path / "shelf" / "ink.safetensors", {"lora_te_x.lora_down.weight": (4, 768)})
    (tmp_path / "shelf" / "page.safetensors").write_text("<!doctype html><title>Sign in</title>")
    return tmp_path / "shelf"


def test_a_look_changes_nothing_and_tells_what_would_work_and_why_the_rest_does_not(run: Run, shelf: Path) -> None:
    before = {file: file.read_bytes() for file in shelf.iterdir()}
    told = run("models", "find", shelf)
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0] == f"Folder: {shelf}"
    assert (
        f"+ nebula  Image  Stable Diffusion 1  {(shelf / 'nebula.safetensors').stat().st_size / 1e6:.0f} MB" in lines[2]
    )
    assert "fetches 335 MB from madebyollin/sdxl-vae-fp16-fix" in lines[1]
    assert "an adaptation" in told.out
    assert "a web page that was saved under this name" in told.out
    assert "2 can be used, 2 cannot" in told.err
    assert {file: file.read_bytes() for file in shelf.iterdir()} == before
    assert "nebula" not in run("models").out
    assert not (shelf.parent / "home" / "models.toml").exists()


def test_kept_folders_stand_in_the_lists_until_they_are_forgotten(run: Run, shelf: Path) -> None:
    assert "2 models stand in the lists" in run("models", "find", shelf, "--keep").err
    listed = json.loads(run("models", "--task", "image", "--json").out)["models"]
    states = {one["id"]: one["state"] for one in listed}
    assert states["nebula"] == "ready"
    assert states["bare"] == "absent"
    assert "0 models of other folders are left" in run("models", "find", "--forget", shelf).out
    assert "nebula" not in run("models").out


def test_a_folder_that_is_none_is_one_sentence(run: Run, shelf: Path) -> None:
    told = run("models", "find", "nowhere")
    assert told.code == 1
    assert "There is no folder or file nowhere" in told.err
    assert run("models", "find", "--keep").code == 2
    assert run("models", "find", "--forget", "nowhere").code == 1


def test_everything_is_told_to_scripts(run: Run, shelf: Path) -> None:
    document = json.loads(run("models", "find", shelf, "--json").out)
    found = {Path(one["path"]).stem: one for one in document["models"]}
    assert found["nebula"]["usable"]
    assert (found["nebula"]["kind"], found["nebula"]["family"], found["nebula"]["tasks"]) == (
        "checkpoint",
        "sd1",
        ["image"],
    )
    assert found["bare"]["missing"] == ["vae"]
    assert found["page"]["reason"]
