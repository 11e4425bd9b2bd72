"""A folder of pictures on the command line: dry runs, real ones, a kill in the middle, and everything taken back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from terminals import Run

from studio.cli import console

ROOT = Path(__file__).resolve().parents[3]
COLOURS = ("red", "blue", "lime", "white")
SLOW = """
import sys
from dataclasses import replace
from studio.catalog import catalog
cards = tuple(replace(card, options={"step_seconds": 0.01}) for card in catalog._demo_cards())
catalog._demo_cards = lambda: cards
from studio.cli import words
sys.exit(words.main(sys.argv[1:]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, one of them in a sub-folder, one with a caption."""
    root = tmp_path / "pictures"
    (root / "inner").mkdir(parents=True)
    for number, colour in enumerate(COLOURS):
        place = root if number else root / "inner"
        Image.new("RGB", (8, 8), colour).save(place / f"{number + 8}.png")
    (root / "9.txt").write_text("my own words\n")
    return root


def captions(root: Path) -> dict[str, str]:
    files = sorted(root.rglob("*.txt"))
    return {file.relative_to(root).as_posix(): file.read_bytes().decode() for file in files}


def test_captions_lie_beside_the_pictures_and_are_named_on_stdout_in_natural_order(run: Run, folder: Path) -> None:
    result = run("caption", folder, "--recursive")
    assert result.code == 0
    assert [line.partition(":")[0] for line in result.out.splitlines()] == ["10.png", "11.png", "inner/8.png"]
    assert captions(folder) == {
        "9.txt": "my own words\n",
        "10.txt": "a square picture, mostly green, 8 by 8 pixels",
        "11.txt": "a square picture, mostly light, 8 by 8 pixels",
        "inner/8.txt": "a square picture, mostly red, 8 by 8 pixels",
    }
    assert "--roll-back" in result.err


def test_without_recursive_sub_folders_are_left(run: Run, folder: Path) -> None:
    run("caption", folder)
    assert "inner/8.txt" not in captions(folder)


def test_a_dry_run_shows_before_and_after_and_writes_nothing(run: Run, folder: Path) -> None:
    before = captions(folder)
    result = run("caption", folder, "--mode", "append", "--dry-run")
    assert result.code == 0
    assert captions(folder) == before
    assert result.out.startswith(
        "9.png\n  - my own words\n  + my own words, a square picture, mostly blue, 8 by 8 pixels\n10.png\n  + a square"
    )
    run("caption", "--apply", "last")
    assert captions(folder)["9.txt"] == "my own words, a square picture, mostly blue, 8 by 8 pixels\n"


def test_every_edit_reaches_the_caption(run: Run, folder: Path) -> None:
    run(
        "caption", folder, "--mode", "overwrite", "--trigger", "zxc", "--replace", "picture=image", "--ban", "mostly",
        "--token-limit", 12,
    )  # fmt: skip
    assert captions(folder)["10.txt"] == "zxc, a square image, green"


def test_a_run_is_rolled_back_to_the_bytes_that_were_there(run: Run, folder: Path) -> None:
    before = captions(folder)
    run("caption", folder, "--mode", "prepend", "-r")
    assert captions(folder) != before
    result = run("caption", "--roll-back", "last")
    assert result.code == 0
    assert captions(folder) == before


def test_a_roll_back_that_leaves_an_edited_file_says_so_and_is_no_success(run: Run, folder: Path) -> None:
    run("caption", folder, "--mode", "append")
    (folder / "9.txt").write_text("better words")
    result = run("caption", "--roll-back", "last", "--json")
    assert result.code == 1
    assert result.json["kept"] == ["9.png"]
    assert captions(folder) == {"9.txt": "better words"}


def test_json_is_one_document_with_every_picture(run: Run, folder: Path) -> None:
    result = run("caption", folder, "--mode", "append", "--json", "--seed", 5)
    assert result.json["counts"] == {"written": 3}
    assert result.json["settings"]["seed"] == 5
    first = result.json["pictures"][0]
    assert first["picture"] == "9.png"
    assert first["before"] == "my own words\n"
    assert first["after"].startswith("my own words, a square picture")


def test_a_file_that_is_no_picture_does_not_stop_the_others(run: Run, folder: Path) -> None:
    (folder / "1.png").write_bytes(b"no picture")
    result = run("caption", folder)
    assert result.code == 1
    assert "1.png: This file is not a picture" in result.err
    assert "10.txt" in captions(folder)


def test_a_zip_goes_in_and_a_zip_comes_out(run: Run, folder: Path, tmp_path: Path) -> None:
    sent, out = tmp_path / "sent.zip", tmp_path / "out.zip"
    with zipfile.ZipFile(sent, "w") as packed:
        for file in sorted(folder.rglob("*.*")):
            packed.write(file, file.relative_to(folder))
    assert run("caption", sent).code == 2, "where would the captions go"
    assert run("caption", sent, "--mode", "append", "--zip", out).code == 0
    with zipfile.ZipFile(out) as packed:
        assert {"9.png", "9.txt", "inner/8.txt", "metadata.jsonl"} <= set(packed.namelist())
        lines = [json.loads(line) for line in packed.read("metadata.jsonl").splitlines()]
        assert packed.read("9.txt").decode() == lines[0]["text"]
    assert lines[0]["file_name"] == "9.png"
    assert lines[0]["text"].startswith("my own words, a square")


def test_the_listing_that_imagefolder_reads_is_written(run: Run, folder: Path) -> None:
    run("caption", folder, "-r", "--jsonl", folder / "metadata.jsonl")
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert [line["file_name"] for line in lines] == ["9.png", "10.png", "11.png", "inner/8.png"]
    assert lines[0]["text"] == "my own words"


@pytest.mark.parametrize(
    "arguments",
    [(), ("cat.png", "--dry-run"), ("cat.png", "--trigger", "x"), ("pictures", "--count", 2),
     ("pictures", "--replace", "x"), ("pictures", "--mode", "sideways")],
)  # fmt: skip
def test_what_makes_no_sense_is_wrong_usage(
    run: Run, folder: Path, picture: Path, arguments: tuple[object, ...]
) -> None:
    assert run("caption", *arguments).code == 2


def test_an_empty_folder_and_an_unknown_run_are_clear_errors(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "There are no pictures" in run("caption", tmp_path / "empty").err
    assert run("caption", "--roll-back", "20260101-000000-abcdef").code == 1
    assert run("caption", tmp_path / "empty", "--resume").code == 1


def test_ctrl_c_keeps_what_is_written_and_resume_does_the_rest(
    run: Run, folder: Path, slow: None, interrupted: list[object]
) -> None:
    result = run("caption", folder, "--mode", "append")
    assert result.code == 130
    assert interrupted
    assert f"caption {folder} --resume" in result.err
    assert run("caption", folder, "--mode", "append").code == 1, "the unfinished run is named, not run over"
    assert run("caption", folder, "--resume").code == 0
    assert captions(folder)["9.txt"] == "my own words, a square picture, mostly blue, 8 by 8 pixels\n"


@pytest.mark.parametrize("interrupted", ["loading"], indirect=True)
def test_stopped_before_the_first_picture_a_run_says_how_to_go_on(
    run: Run, folder: Path, slow: None, interrupted: list[object]
) -> None:
    result = run("caption", folder)
    assert result.code == 130
    assert interrupted
    assert "3 pictures wait" in result.err
    assert f"caption {folder} --resume" in result.err
    assert "10.txt" not in captions(folder)
    assert run("caption", folder, "--resume").code == 0
    assert "10.txt" in captions(folder)


def test_what_is_quickly_begun_again_names_no_command_that_would_not_find_it(
    run: Run, folder: Path, slow: None, interrupted: list[object]
) -> None:
    result = run("caption", folder, "--dry-run")
    assert result.code == 130
    assert "--resume" not in result.err


def test_progress_counts_pictures(run: Run, folder: Path, slow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LOG_PAUSE", 0.0)
    told = run("caption", folder, "-r").err
    assert "Picture 1 of 3" in told
    assert "Step" not in told


def test_killed_in_the_middle_a_run_resumes_with_no_caption_lost_and_none_written_twice(
    run: Run, tmp_path: Path
) -> None:
    root = tmp_path / "many"
    root.mkdir()
    for number in range(24):
        Image.new("RGB", (8 + number, 8), COLOURS[number % 4]).save(root / f"{number}.png")
        (root / f"{number}.txt").write_text(f"words of my own {number}")
    before = captions(root)
    command = [sys.executable, "-c", SLOW, "caption", str(root), "--mode", "append"]
    killed = 0
    for more in ([], ["--resume"], ["--resume"]):
        started = sum(captions(root)[name] != before[name] for name in before)
        process = subprocess.Popen([*command, *more], cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            now = captions(root)
            if sum(now[name] != before[name] for name in before) >= started + 3:
                process.send_signal(signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.005)
        process.wait()
    assert killed == 3
    assert run("caption", root, "--resume").code == 0
    after = captions(root)
    for number in range(24):
        assert after[f"{number}.txt"].count("words of my own") == 1
        assert after[f"{number}.txt"].count("picture") == 1
        assert after[f"{number}.txt"].startswith(f"words of my own {number}, a ")
    assert run("caption", "--roll-back", "last").code == 0
    assert captions(root) == before
    leftovers = [file.name for file in root.iterdir() if file.suffix not in (".png", ".txt")]
    assert not leftovers
