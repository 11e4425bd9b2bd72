"""Copies of models in the precision of this processor: the same results, mapped instead of cast."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_diffusion import ASK
from tiny import CPU, Recorder, card
from tiny_pipelines import pixels, stable_diffusion

from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.shared import torch_loading
from studio.engines.text.transformers_lm import TextEngine
from studio.errors import Cancelled, StudioError
from studio.service import Studio
from studio.settings import Settings
from studio.status import ModelInfo
from studio.store import upcast, upcast_cache
from studio.store.upcast_cache import Copies

ENGINE = DiffusionEngine()
CARD = card("diffusion", id="tiny-1.5")


@pytest.fixture(scope="module")
def half(tmp_path_factory) -> Path:
    """A pipeline in float16, as most are published."""
    folder = tmp_path_factory.mktemp("half")
    torch.manual_seed(0)
    stable_diffusion().to(torch.float16).save_pretrained(folder)
    return folder


@pytest.fixture
def files(half, tmp_path) -> Path:
    return Path(shutil.copytree(half, tmp_path / "files"))


@pytest.fixture
def made(monkeypatch, tmp_path) -> Copies:
    monkeypatch.setattr(upcast_cache, "LEAST", 1000)
    return Copies(tmp_path / "home" / "cache" / "widened", most=1 << 30, total=1 << 40)


def folder_of(made: Copies, files: Path, kind: str = "cpu", engine: Any = ENGINE, of: Any = CARD) -> Path:
    return made.folder(engine, of, files, kind, lambda _: None)


def paint(folder: Path) -> tuple[Any, list[bytes]]:
    model = ENGINE.load(CARD, folder, CPU, lambda _: None)
    return model, pixels(model.run(ASK, Recorder()))


def test_a_copy_paints_the_same_picture_and_is_mapped_where_the_files_were_cast(made, files, monkeypatch):
    monkeypatch.setattr(torch_loading, "_SMALL", 0)  # a network of some size stays in its file
    told: list[float] = []
    folder = made.folder(ENGINE, CARD, files, "cpu", told.append)
    assert folder != files
    assert told == sorted(told)
    assert told[-1] == 1.0
    (cast, before), (mapped, after) = paint(files), paint(folder)
    assert after == before
    assert cast.parked_nbytes() > 0.99 * cast.nbytes()
    if os.name == "posix" and Path("/proc/self/maps").exists():  # elsewhere nobody tells
        assert mapped.parked_nbytes() < 0.01 * mapped.nbytes()
    assert ENGINE.weights(CARD, folder) == ENGINE.weights(CARD, files) == pytest.approx(cast.nbytes(), rel=0.02)


def test_it_is_made_once_and_found_again(made, files):
    first = folder_of(made, files)
    stamps = {file: file.stat().st_mtime_ns for file in first.rglob("*")}
    assert folder_of(made, files) == first
    assert folder_of(made, files, of=replace(CARD, id="tiny-1.5@int8")) == first
    assert {file: file.stat().st_mtime_ns for file in first.rglob("*")} == stamps
    assert [place.name for place in first.parent.iterdir()] == [first.name]


def test_every_tensor_keeps_its_name_its_file_and_its_value(made, tmp_path):
    from safetensors import safe_open

    files = tmp_path / "files"
    files.mkdir()
    awkward = torch.tensor([0.1, -0.0, 65504.0, 6e-8, float("inf"), float("nan")])
    tensors = {
        "half": awkward.half(),
        "brain": torch.randn(1200, 900).bfloat16(),
        "single": torch.randn(3),
        "whole": torch.arange(5),
        "byte": torch.arange(3, dtype=torch.uint8),
        "none": torch.zeros(0, dtype=torch.float16),
        "one": torch.tensor(1.5, dtype=torch.float16),
    }
    save_file(tensors, files / "model-00001-of-00002.safetensors", {"format": "pt"})
    save_file({"other": torch.ones(500).half()}, files / "model-00002-of-00002.safetensors")
    (files / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"half": "model-00001-of-00002"}}))
    (files / "config.json").write_text("{}")
    (files / "pytorch_model.bin").write_bytes(b"never read")
    text = card("text", options={"dtype": "float32"})
    folder = folder_of(made, files, engine=TextEngine(), of=text)
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ]
    found = load_file(folder / "model-00001-of-00002.safetensors")
    assert list(found) == list(load_file(files / "model-00001-of-00002.safetensors"))
    for name, tensor in tensors.items():
        wanted = tensor.float() if tensor.is_floating_point() else tensor
        assert found[name].dtype == wanted.dtype
        torch.testing.assert_close(found[name], wanted, rtol=0, atol=0, equal_nan=True)
    assert load_file(folder / "model-00002-of-00002.safetensors")["other"].dtype == torch.float32
    with safe_open(folder / "model-00001-of-00002.safetensors", "pt") as opened:
        assert opened.metadata() == {"format": "pt"}


def test_other_files_are_another_copy_and_the_old_one_goes(made, files):
    first = folder_of(made, files)
    config = files / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("{", "{ ", 1))
    second = folder_of(made, files)
    assert second != first
    assert not first.exists()
    assert (second / "scheduler" / "scheduler_config.json").read_text() == config.read_text()


def test_there_is_none_where_it_would_not_pay(made, files, monkeypatch, tmp_path):
    assert folder_of(made, files, "cuda") == files  # float16 is what it computes in
    assert folder_of(made, files, "mps") == files
    assert folder_of(made, files, engine=object()) == files
    assert folder_of(made, files, of=replace(CARD, options={"dtype": "float16"})) == files
    assert folder_of(Copies(tmp_path / "none", most=0, total=1 << 40), files) == files
    assert folder_of(Copies(tmp_path / "none", most=10_000, total=1 << 40), files) == files
    monkeypatch.setattr(upcast_cache, "LEAST", 1 << 30)
    assert folder_of(made, files) == files
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "home").exists()


def test_weights_that_are_as_wide_already_have_none(made, tmp_path):
    stable_diffusion().save_pretrained(tmp_path / "wide")
    assert folder_of(made, tmp_path / "wide") == tmp_path / "wide"


def test_a_full_disk_or_a_damaged_file_leaves_the_model_as_it_was(made, files, tmp_path, caplog):
    full = Copies(tmp_path / "full", most=1 << 30, total=1 << 40, keep_free=1 << 60)
    assert folder_of(full, files) == files
    assert full.nbytes(CARD) == 0
    assert "no copy could be made" in caplog.text
    weights = next(files.glob("unet/*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    assert folder_of(made, files) == files
    assert made.nbytes(CARD) == 0
    with pytest.raises(StudioError):
        ENGINE.load(CARD, files, CPU, lambda _: None)


def test_what_a_killed_process_left_is_no_copy_and_is_cleared_away(made, files, monkeypatch):
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upcast_cache, "widen", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            folder_of(made, files)
    (left,) = (files.parent / "home" / "cache" / "widened" / CARD.id).iterdir()
    assert left.name.endswith(".part")
    folder = folder_of(made, files)
    assert folder != files
    assert list(folder.parent.iterdir()) == [folder]


def test_deleting_frees_what_it_says(made, files):
    assert made.delete(CARD) == 0
    folder = folder_of(made, files)
    size = made.nbytes(CARD)
    assert size > ENGINE.weights(CARD, files)
    assert made.delete(CARD) == size
    assert not folder.exists()


@pytest.fixture
def studio(files, monkeypatch, tmp_path) -> Iterator[Studio]:
    """One that has the pipeline as a model of the user's own."""
    monkeypatch.setattr(upcast_cache, "LEAST", 1000)
    home = tmp_path / "studio"
    home.mkdir()
    table = ("[models.mine]", 'tasks = ["image"]', 'engine = "diffusion"', f"path = {json.dumps(str(files))}")
    (home / "models.toml").write_text("\n".join(table))
    with Studio(Settings(home=home, device="cpu", keep_free_gb=0)) as studio:
        yield studio


def mine(studio: Studio) -> ModelInfo:
    return next(info for info in studio.models.list("image") if info.card.id == "mine")


MINE = replace(ASK, model="mine", width=64, height=64)


def test_the_studio_tells_the_copies_what_is_used(studio):
    assert studio.submit(MINE).result()
    copy = studio.home.cache / "widened" / "mine"
    os.utime(copy, (1000, 1000))
    assert studio.submit(replace(MINE, seed=2)).result()
    settled(studio)
    assert copy.stat().st_mtime > 1000
    os.utime(copy, (1000, 1000))
    studio._copies = studio.models._copies = Copies(copy.parent, total=1, in_use=studio._copies._in_use)
    studio._copies.trim()
    assert copy.exists()
    studio.models.unload("mine")
    settled(studio)
    studio._copies.trim()
    assert not copy.exists()


def test_the_studio_loads_the_copy_counts_it_and_deletes_it_with_the_model(studio, files):
    own = mine(studio)
    assert studio.submit(MINE).result()
    with_copy = mine(studio)
    copy = studio.home.cache / "widened" / "mine"
    assert len(list(copy.rglob("unet/*.safetensors"))) == 1
    assert with_copy.disk_bytes > own.disk_bytes * 2
    assert with_copy.copy_bytes == with_copy.disk_bytes - own.disk_bytes
    assert own.copy_bytes == 0
    assert studio.models.delete("mine") > own.disk_bytes
    assert not copy.exists()
    assert files.exists()


@pytest.fixture
def endless(monkeypatch) -> threading.Event:
    """Set once a copy is being made, which then takes for ever; or until the test has failed in any case."""
    begun, held = threading.Event(), threading.Event()

    def widen(source: Path, target: Path, told: Callable[[int], None]) -> None:
        target.write_bytes(b"half")
        begun.set()
        for _ in range(2000):
            told(0)
            held.wait(0.005)
        raise ValueError("nobody ended it")

    monkeypatch.setattr(upcast_cache, "widen", widen)
    return begun


def test_stop_ends_a_copy_that_is_being_made_and_leaves_nothing_of_it(studio, endless, monkeypatch):
    job = studio.submit(MINE)
    assert endless.wait(60)
    job.cancel()
    with pytest.raises(Cancelled):
        job.result()
    settled(studio)
    assert list((studio.home.cache / "widened").iterdir()) == []
    info = mine(studio)
    assert (info.resident, info.cooling) == (None, None)
    monkeypatch.setattr(upcast_cache, "widen", upcast.widen)
    assert studio.submit(MINE).result()
    assert mine(studio).copy_bytes


def test_a_copy_goes_on_while_somebody_else_waits_for_it(studio, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def widen(source: Path, target: Path, told: Callable[[int], None]) -> None:
        begun.set()
        assert go.wait(60)
        upcast.widen(source, target, told)

    monkeypatch.setattr(upcast_cache, "widen", widen)
    first = studio.submit(MINE)
    assert begun.wait(60)
    second = studio.submit(MINE)
    first.cancel()
    go.set()
    assert second.result()
    assert first.snapshot().kind == "cancelled"
    assert mine(studio).copy_bytes


def test_closing_the_studio_ends_a_copy_that_is_being_made(studio, endless):
    job = studio.submit(MINE)
    assert endless.wait(60)
    studio.close(timeout=60)
    assert job.snapshot().kind in ("cancelled", "failed")
    assert list((studio.home.cache / "widened").iterdir()) == []


def settled(studio: Studio) -> None:
    """Wait until the device has done what it was given."""
    done = threading.Event()
    studio._runner.fleet.devices[0].lane.put(done.set)
    assert done.wait(60)
