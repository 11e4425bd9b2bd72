"""Outputs are kept whole with their recipes, under names that every system takes, and found again by looking."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio import paths
from studio.errors import StudioError
from studio.library import outputs as library_module
from studio.library.file_names import slug
from studio.library.outputs import Library
from studio.paths import Home
from studio.recipes import recipe
from studio.requests import Task
from studio.results import Artifact, Audio, Output


def made(task: Task, seed: int = 7, **parameters: Any) -> dict[str, Any]:
    return {
        "format": recipe.FORMAT,
        "task": task,
        "model": {"id": "m", "title": "M", "revision": "", "licence": "MIT", "licence_url": "", "commercial": True},
        "parameters": parameters,
        "seed": seed,
        "made": "2026-01-31T12:00:00+00:00",
        "software": {"studio": "0.1.0"},
        "device": "cpu",
        "finish": "stop",
        "seconds": 0.5,
    }


def pictures(count: int = 1, seed: int = 7) -> Output:
    images = tuple(Image.new("RGB", (8, 8), (index * 20, 0, 0)) for index in range(count))
    return Output(images=images, seeds=tuple(range(seed, seed + count)), stats={"steps": 4.0})


SOUND = Output(audio=(Audio(np.zeros((1, 50), np.float32), 8_000),), seeds=(7,))
CASES: dict[Task, tuple[Output, dict[str, Any], str]] = {
    "image": (pictures(), made("image", prompt="a red house", width=8, height=8, count=1), ".png"),
    "music": (SOUND, made("music", prompt="a reel", count=1), ".wav"),
    "code": (Output(text="return 1\n"), made("code", prefix="def f():\n    ", language="python"), ".py"),
    "caption": (Output(text="A red house."), made("caption", prompt=""), ".txt"),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def library(home: Home) -> Library:
    return Library(home)


def files_below(home: Home) -> list[Path]:
    return sorted(path for path in home.outputs.rglob("*") if path.is_file())


@pytest.mark.parametrize("task", CASES)
def test_an_output_lies_under_its_task_and_day_with_words_and_seed_in_its_name(
    home: Home, library: Library, task: Task
) -> None:
    output, recipe_, suffix = CASES[task]
    (file,) = library.save(task, output, recipe_).files
    assert file.parent.parent == home.outputs / task
    assert file.suffix == suffix
    assert file.stem.endswith("-7")
    assert file.stat().st_mode & 0o077 == 0 or os.name == "nt"


@pytest.mark.parametrize("task", CASES)
def test_what_was_saved_is_found_again_with_its_recipe_and_text(library: Library, task: Task) -> None:
    output, recipe_, _ = CASES[task]
    saved = library.save(task, output, recipe_)
    (found,) = library.recent(task)
    assert (found.id, found.task, found.files) == (saved.id, task, saved.files)
    assert found.text == output.text
    assert found.recipe == recipe_
    assert library.recent() == (found,)


def test_each_picture_of_a_batch_has_its_own_seed_in_file_name_and_recipe(library: Library) -> None:
    artifact = library.save("image", pictures(3), made("image", prompt="a cat", count=3))
    assert [file.stem[-1] for file in artifact.files] == ["7", "8", "9"]
    for seed, file, own in zip((7, 8, 9), artifact.files, artifact.recipes, strict=True):
        inside = recipe.read_recipe(file.read_bytes())
        assert inside == own
        assert (own["seed"], own["parameters"]["count"]) == (seed, 1)
    assert artifact.recipe["parameters"]["count"] == 3


def test_the_seeds_are_counted_up_where_the_engine_does_not_name_them(library: Library) -> None:
    artifact = library.save("image", replace(pictures(2), seeds=()), made("image", prompt="a cat", count=2))
    assert [own["seed"] for own in artifact.recipes] == [7, 8]


def test_the_artifact_tells_how_the_run_ended(library: Library) -> None:
    output = replace(pictures(), finish="cancelled", notes=(("no_negative", {}),))
    artifact = library.save("image", output, made("image", prompt="a cat"))
    assert (artifact.finish, artifact.recipe["finish"]) == ("cancelled", "cancelled")
    assert (artifact.stats, artifact.notes) == ({"steps": 4.0}, (("no_negative", {}),))
    assert library.recent()[0].finish == "cancelled"


def test_outputs_are_found_by_their_ids_as_they_were_shown(home: Home, library: Library) -> None:
    artifact = library.save("image", pictures(3), made("image", prompt="a cat", count=3))
    ids = [library.id(file) for file in artifact.files]
    artifact.files[1].unlink()
    (home.root / "secret.png").write_bytes(artifact.files[0].read_bytes())
    found = library.named([*ids, "image/none.png", "../secret.png", "/etc/passwd", "", "."])
    assert found is not None
    assert found.files == (artifact.files[0], artifact.files[2])
    assert [own["seed"] for own in found.recipes] == [7, 9]
    assert library.named(["image/none.png"]) is None
    assert library.named([]) is None


def test_a_chat_answer_is_an_artifact_without_files(home: Home, library: Library) -> None:
    artifact = library.save("chat", Output(text="Hello"), made("chat"))
    assert (artifact.files, artifact.text, artifact.recipe["seed"]) == ((), "Hello", 7)
    assert files_below(home) == []
    assert library.recent("chat") == ()


def test_an_empty_completion_makes_no_file(home: Home, library: Library) -> None:
    assert library.save("code", Output(text=""), made("code", language="python")).files == ()
    assert files_below(home) == []


def test_the_text_of_a_completion_is_kept_to_the_letter(library: Library) -> None:
    text = "\tif x:\r\n\t\treturn 'é木'  "
    artifact = library.save("code", Output(text=text), made("code", language="python"))
    assert artifact.files[0].read_bytes().decode() == text


@pytest.mark.parametrize(
    ("language", "suffix"), [("python", ".py"), ("Rust", ".rs"), ("", ".txt"), ("../../x", ".txt"), ("klingon", ".txt")]
)
def test_code_gets_the_suffix_of_its_language(library: Library, language: str, suffix: str) -> None:
    artifact = library.save("code", Output(text="x"), made("code", language=language))
    assert artifact.files[0].suffix == suffix


def test_equal_names_do_not_overwrite_each_other(library: Library) -> None:
    for task, (output, recipe_, _) in CASES.items():
        saved = [library.save(task, output, recipe_) for _ in range(3)]
        assert len({artifact.files[0] for artifact in saved}) == 3
        assert len(library.recent(task)) == 3


def test_many_threads_save_at_once_and_nothing_is_lost(library: Library) -> None:
    def work() -> None:
        for _ in range(5):
            library.save("image", pictures(2), made("image", prompt="a cat"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(library.recent(limit=100)) == 40


@pytest.mark.parametrize(
    "text",
    [
        "../../etc/passwd",
        "C:\\Windows\\system32",
        'a<b>c:d"e/f|g?h*i',
        "CON",
        "nul.txt",
        "...",
        " ",
        "",
        "\0",
        "line\nbreak\ttab",
        "木" * 500,
        "👩‍👩‍👧‍👦" * 50,
        "é" * 300,
        "e\u0301" * 300,
        "\u202egnp.exe",
        "\ud800 half",
        "-rf",
        "ﬁle ١٢٣",
    ],
)
def test_any_prompt_becomes_a_name_that_every_system_takes(home: Home, library: Library, text: str) -> None:
    words = slug(text)
    assert words
    assert not set(words) & set('<>:"/\\|?*\0\n\t. ')
    assert words == words.strip("-")
    assert len(words) <= 40
    artifact = library.save("image", pictures(), made("image", prompt=text.encode("utf-8", "replace").decode()))
    assert len(artifact.files[0].name.encode()) < 143, "the shortest limit in use: eCryptfs"
    assert artifact.files[0].resolve().is_relative_to(home.outputs)
    assert library.recent() != ()


def test_the_newest_come_first_over_days_tasks_and_hours(home: Home, library: Library) -> None:
    places = [
        ("image", "2026-01-01", "235959"),
        ("music", "2026-01-02", "000001"),
        ("image", "2026-01-02", "120000"),
        ("image", "2025-12-31", "120000"),
    ]
    for task, day, time in places:
        output, recipe_, _ = CASES[task]
        (file,) = library.save(task, output, recipe_).files
        folder = home.outputs / task / day
        folder.mkdir(exist_ok=True)
        file.rename(folder / f"{time}-moved{file.suffix}")
    found = [artifact.id for artifact in library.recent()]
    assert found == [
        "image/2026-01-02/120000-moved.png",
        "music/2026-01-02/000001-moved.wav",
        "image/2026-01-01/235959-moved.png",
        "image/2025-12-31/120000-moved.png",
    ]
    assert [artifact.id for artifact in library.recent(limit=2)] == found[:2]
    assert [artifact.id for artifact in library.recent("music")] == [found[1]]


def test_foreign_and_broken_files_are_passed_over(home: Home, library: Library) -> None:
    (good,) = library.save("image", pictures(), made("image", prompt="a cat")).files
    day = good.parent
    (day / "120000-empty-1.png").touch()
    (day / "120000-half-1.png").write_bytes(good.read_bytes()[:60])
    Image.new("RGB", (4, 4)).save(day / "120000-foreign-1.png")
    (day / "120000-folder-1.png").mkdir()
    (day / ".120000-x.part").touch()
    (home.outputs / "image" / "notes").mkdir()
    (home.outputs / "image" / "notes.txt").touch()
    code = home.outputs / "code" / "2026-01-01"
    code.mkdir(parents=True)
    (code / "120000-alone-1.py").write_text("x")
    (code / "120000-orphan-1.py.json").write_text(recipe.to_json(made("code")))
    assert [artifact.files[0] for artifact in library.recent()] == [good]


def test_an_empty_home_has_nothing_recent(library: Library) -> None:
    assert library.recent() == ()


@pytest.mark.parametrize("task", CASES)
def test_forgetting_removes_file_and_sidecar_and_can_be_repeated(home: Home, library: Library, task: Task) -> None:
    output, recipe_, _ = CASES[task]
    library.save(task, output, recipe_)
    kept = library.save(task, output, recipe_)
    (_, other) = library.recent(task) if library.recent(task)[0].id == kept.id else reversed(library.recent(task))
    library.forget(other)
    library.forget(other)
    assert [artifact.id for artifact in library.recent(task)] == [kept.id]
    library.forget(kept)
    assert files_below(home) == []


def test_forgetting_never_leaves_the_outputs_folder(tmp_path: Path, library: Library) -> None:
    precious = tmp_path / "precious.png"
    precious.touch()
    for path in (precious, Path("../../precious.png")):
        with pytest.raises(StudioError):
            library.forget(Artifact(id="x", task="image", files=(path,), text="", recipe={}))
    assert precious.exists()


# ---- a disk that refuses


@pytest.mark.parametrize("call", range(8))
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("step", ["mkstemp", "write_bytes", "fsync", "link"])
@pytest.mark.parametrize("task", ["image", "code"])
def test_a_write_that_fails_anywhere_leaves_nothing_behind(
    home: Home, library: Library, monkeypatch: pytest.MonkeyPatch, task: Task, step: str, number: int, call: int
) -> None:
    output, recipe_ = (pictures(3), CASES["image"][1]) if task == "image" else CASES[task][:2]
    library.save(task, output, recipe_)
    before = {path: path.read_bytes() for path in files_below(home)}
    owner: Any = {"mkstemp": paths.tempfile, "write_bytes": Path, "fsync": paths.os, "link": paths.os}[step]
    real, calls = getattr(owner, step), iter(range(100))

    def failing(*args: Any, **more: Any) -> Any:
        if next(calls) == call:
            if step == "write_bytes":
                real(args[0], args[1][:10])
            raise OSError(number, os.strerror(number))
        return real(*args, **more)

    monkeypatch.setattr(owner, step, failing)
    writes = 3 if task == "image" else 2
    if call >= writes:
        library.save(task, output, recipe_)
        return
    with pytest.raises(StudioError) as caught:
        library.save(task, output, recipe_)
    monkeypatch.undo()
    assert caught.value.code == ("disk_full" if number == errno.ENOSPC else "cannot_write")
    assert {path: path.read_bytes() for path in files_below(home)} == before


def test_a_folder_that_cannot_be_made_is_a_studio_error(home: Home, library: Library) -> None:
    (home.outputs / "image").touch()
    with pytest.raises(StudioError) as caught:
        library.save("image", pictures(), made("image", prompt="a cat"))
    assert caught.value.code == "cannot_write"


def test_saving_leaves_the_space_that_is_to_stay_free(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(home.root)
    monkeypatch.setattr(paths.shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    Library(home, keep_free=0).save("image", pictures(), made("image", prompt="a cat"))
    with pytest.raises(StudioError) as caught:
        Library(home, keep_free=1_000_000).save("image", pictures(), made("image", prompt="a cat"))
    assert caught.value.code == "no_space"
    assert len(files_below(home)) == 1


def test_a_failed_encoder_leaves_nothing_behind(home: Home, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module.embed_image, "encode_png", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        library.save("image", pictures(), made("image", prompt="a cat"))
    assert files_below(home) == []


def test_the_notes_of_a_piece_lie_beside_it_and_go_with_it(home: Home) -> None:
    shelf = Library(home)
    sound = Audio(np.zeros((1, 50), np.float32), 8_000, midi=b"MThd notes")
    artifact = shelf.save("music", Output(audio=(sound,), seeds=(7,)), made("music", prompt="a reel", count=1))
    notes = artifact.files[0].with_suffix(".mid")
    assert notes.read_bytes() == b"MThd notes"
    assert [found.files for found in shelf.recent("music")] == [artifact.files]
    shelf.forget(artifact)
    assert not notes.exists()
    assert not artifact.files[0].exists()
