"""Copies of models: the room that they take together, who makes room for whom, and that one can be given up."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.errors import Cancelled
from studio.service import Studio
from studio.settings import Settings
from studio.store import upcast_cache
from studio.store.upcast_cache import FRESH, Copies

NUMBERS = 10_000
SIZE = NUMBERS * 4 + 2
"""Bytes of a copy: its weights and its config, without the header."""
ROOM = SIZE * 2 + 3000
"""Two copies fit."""


class Wide:
    """An engine that computes in float32."""

    def computes_in(self, card: Card, files: Path, kind: str) -> str:
        return "float32"


def model(id: str) -> Card:
    return tiny_card(Source("local"), 1, id=id)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    save_file({"weight": np.arange(NUMBERS, dtype=np.float16)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(upcast_cache, "LEAST", 1000)
    return tmp_path / "widened"


def make(made: Copies, id: str, files: Path) -> Path:
    return made.folder(Wide(), model(id), files, "cpu", lambda _: None)


def age(made: Copies, id: str, seconds: float) -> None:
    """It was last used so long ago."""
    when = time.time() - seconds
    os.utime(made._of(model(id)), (when, when))


def test_the_copy_used_longest_ago_makes_room(place: Path, files: Path) -> None:
    made = Copies(place, most=1 << 30, total=ROOM)
    for id, ago in (("old", 4 * FRESH), ("older", 5 * FRESH)):
        assert make(made, id, files) != files
        age(made, id, ago)
    make(made, "older", files)  # it is found, and that is a use
    age(made, "older", 2 * FRESH)
    made.used(model("none"))
    assert make(made, "new", files) != files
    assert sorted(folder.name for folder in place.iterdir()) == ["new", "older"]


def test_a_run_counts_as_use(place: Path, files: Path) -> None:
    made = Copies(place, most=1 << 30, total=ROOM)
    for id in ("first", "second"):
        make(made, id, files)
        age(made, id, 2 * FRESH)
    age(made, "first", 3 * FRESH)
    made.used(model("first@int8"))
    assert make(made, "new", files) != files
    assert sorted(folder.name for folder in place.iterdir()) == ["first", "new"]


def test_the_copy_of_a_model_in_memory_stays_however_old_it_is(place: Path, files: Path) -> None:
    made = Copies(place, most=1 << 30, total=ROOM, in_use=lambda: ("mapped@int8", "new"))
    for id in ("mapped", "idle"):
        make(made, id, files)
        age(made, id, 2 * FRESH)
    age(made, "mapped", 9 * FRESH)
    assert make(made, "new", files) != files
    assert sorted(folder.name for folder in place.iterdir()) == ["mapped", "new"]


def test_nothing_is_deleted_where_that_would_not_make_room_enough(place: Path, files: Path) -> None:
    made = Copies(place, most=1 << 30, total=ROOM, in_use=lambda: ("mapped",))
    for id in ("mapped", "idle"):
        make(made, id, files)
        age(made, id, 2 * FRESH)
    larger = files.parent / "larger"
    shutil.copytree(files, larger)
    save_file({"weight": np.zeros(NUMBERS * 3 // 2, dtype=np.float16)}, larger / "model.safetensors")
    assert make(made, "new", larger) == larger
    assert sorted(folder.name for folder in place.iterdir()) == ["idle", "mapped"]


def test_models_that_take_turns_are_not_copied_at_every_turn(place: Path, files: Path) -> None:
    made = Copies(place, most=1 << 30, total=ROOM)
    kept = [make(made, id, files) for id in ("one", "two")]
    assert make(made, "three", files) == files
    assert [make(made, id, files) for id in ("one", "two")] == kept
    age(made, "one", FRESH + 60)
    assert make(made, "three", files) != files


def test_a_full_disk_is_a_reason_to_make_room_too(place: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Copies(place, most=1 << 30, total=1 << 30, keep_free=1000)
    disk = 2 * SIZE + 5000

    def usage(_: object) -> shutil._ntuple_diskusage:
        taken = upcast_cache.occupied(place)
        return shutil._ntuple_diskusage(disk, taken, disk - taken)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    for id in ("old", "newer"):
        assert make(made, id, files) != files
        age(made, id, 2 * FRESH)
    age(made, "old", 3 * FRESH)
    assert make(made, "new", files) != files
    assert sorted(folder.name for folder in place.iterdir()) == ["new", "newer"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(disk, disk, 0))
    age(made, "newer", 2 * FRESH)
    age(made, "new", 2 * FRESH)
    assert make(Copies(place, most=1 << 30, total=1 << 30, keep_free=1 << 40), "more", files) == files
    assert len(list(place.iterdir())) == 2


def test_a_limit_of_nothing_makes_none(place: Path, files: Path) -> None:
    assert make(Copies(place, most=1 << 30, total=0), "m", files) == files
    assert make(Copies(place, most=1 << 30, total=SIZE // 2), "m", files) == files
    assert not place.exists() or not list(place.iterdir())


def test_a_lower_limit_holds_from_the_next_start(place: Path, files: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = Copies(home / "cache" / "widened", most=1 << 30, total=1 << 30)
    for id, ago in (("oldest", 30), ("old", 20), ("new", 10)):
        make(made, id, files)
        age(made, id, ago)
    room = Settings(home=home, demo=True, copies_gb=ROOM / 1e9)
    with Studio(room):
        assert sorted(folder.name for folder in (home / "cache" / "widened").iterdir()) == ["new", "old"]
    with Studio(Settings(home=home, demo=True, copies_gb=0)):
        assert not list((home / "cache" / "widened").iterdir())


def test_a_copy_that_the_system_holds_on_to_stays_whole(
    place: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Copies(place, most=1 << 30, total=ROOM)
    kept = {id: make(made, id, files) for id in ("one", "two")}
    for id in kept:
        age(made, id, 2 * FRESH)

    def held(self: Path, target: Path) -> None:
        raise PermissionError(13, "a file in it is mapped", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", held)
        assert made.delete(model("one")) == 0
        assert make(made, "three", files) == files
    for id, folder in kept.items():
        assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"], id


def test_a_copy_is_given_up_between_two_pieces_when_nobody_waits(place: Path, files: Path) -> None:
    shards = {}
    for number in range(6):
        name = f"model-{number:05}-of-00006.safetensors"
        save_file({f"w{number}": np.zeros(NUMBERS, dtype=np.float16)}, files / name)
        shards[f"w{number}"] = name
    (files / "model.safetensors").unlink()
    (files / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    made = Copies(place, most=1 << 30, total=1 << 30)
    told: list[float] = []
    with pytest.raises(Cancelled):
        made.folder(Wide(), model("m"), files, "cpu", told.append, wanted=lambda: not told or told[-1] < 0.4)
    assert 0.4 < told[-1] < 0.6
    assert list(place.iterdir()) == []
    assert make(made, "m", files) != files


def test_a_large_tensor_is_given_up_in_its_middle(place: Path, files: Path) -> None:
    numbers = 3 * upcast_cache.widen.__globals__["_NUMBERS"]
    save_file({"weight": np.zeros(numbers, dtype=np.float16)}, files / "model.safetensors")
    told: list[float] = []
    with pytest.raises(Cancelled):
        Copies(place, most=1 << 30, total=1 << 30).folder(
            Wide(), model("m"), files, "cpu", told.append, wanted=lambda: len(told) < 3
        )
    assert told[-1] == pytest.approx(1 / 3)
    assert list(place.iterdir()) == []


def test_no_copy_is_begun_for_nobody(place: Path, files: Path) -> None:
    made = Copies(place, most=1 << 30, total=1 << 30)
    with pytest.raises(Cancelled):
        made.folder(Wide(), model("m"), files, "cpu", lambda _: None, wanted=lambda: False)
    assert not place.exists()
    there = make(made, "m", files)
    assert made.folder(Wide(), model("m"), files, "cpu", lambda _: None, wanted=lambda: False) == there


def test_two_devices_do_not_write_the_same_copy(place: Path, files: Path) -> None:
    made = Copies(place, most=1 << 30, total=1 << 30)
    beside: list[Path] = []

    def report(_: float) -> None:
        if not beside and list(place.glob("m/.*.part")):
            beside.append(make(made, "m@offload", files))

    folder = made.folder(Wide(), model("m"), files, "cpu", report)
    assert beside == [files]
    assert folder == make(made, "m", files) != files
