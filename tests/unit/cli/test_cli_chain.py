"""`run` and `image --series` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from terminals import Run

from studio.results import Update

LINES = """format = "atelier-chain/1"
title = "Lines"
[slots]
style = "ink"
[[step]]
name = "painting"
task = "image"
prompt = "{input}, {style}"
width = 64
height = 64
steps = 4
[[step]]
name = "words"
task = "caption"
image = "{painting}"
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    file = tmp_path / "lines.toml"
    file.write_text(LINES)
    return file


def test_files_and_texts_come_out_and_a_second_run_is_quick(run: Run, chain: Path, tmp_path: Path) -> None:
    (tmp_path / "ideas.txt").write_text("a hare\n\n", encoding="utf-8-sig")
    given = ("run", chain, "a fox", "ideas.txt", "-", "--set", "style=gouache")
    result = run(*given, "--out", "cards/", stdin="狐狸\n".encode())
    assert result.code == 0
    names = [f"{name}-{step}" for step in ("painting.png", "words.txt") for name in ("a-fox", "a-hare", "狐狸")]
    assert result.out.splitlines() == [f"cards/{name}" for name in names]
    assert all((tmp_path / "cards" / name).is_file() for name in names)
    assert "painting, a fox (0 of 6 done)" in result.err
    again = run(*given, "--json", stdin="狐狸\n".encode())
    told = json.loads(again.out)
    assert (again.code, told["had"], told["finish"]) == (0, 6, "stop")
    assert {one["state"] for one in told["steps"]} == {"had"}
    assert run(*given, stdin="狐狸\n".encode()).err.strip() == "Steps that were done before and are as they were: 6."


def test_a_folder_is_its_pictures_and_a_broken_one_is_told(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (16, 16), "red").save(folder / f"{name}.png")
    (tmp_path / "up.toml").write_text(
        'format = "atelier-chain/1"\n[[step]]\ntask = "upscale"\nimage = "{input}"\nscale = 2\n'
    )
    assert len(run("run", "up.toml", folder).out.splitlines()) == 2
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:40])
    result = run("run", "up.toml", folder / "b.png", folder / "a.png")
    assert result.code == 1
    assert "b, upscale: " in result.err


def test_what_there_is_and_whether_one_is_sound(run: Run, chain: Path) -> None:
    assert "postcards: Captions each picture" in run("run").out
    assert {one["name"] for one in json.loads(run("run", "--json").out)["chains"]} >= {"postcards", "ideas"}
    assert run("run", chain, "--check").out == "lines.toml is sound.\n"
    chain.write_text(LINES.replace("prompt", "promt"))
    result = run("run", chain, "a fox")
    assert result.code == 1
    assert "lines.toml, step painting: there is no field promt. Perhaps you meant prompt." in result.err


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (["--set", "style"], 2, "SLOT=TEXT"),
        (["--set", "stile=ink"], 1, "It has: style."),
        (["nothing.png"], 1, "nothing.png"),
    ],
)
def test_wrong_usage_is_said(run: Run, chain: Path, given: list[str], code: int, says: str) -> None:
    result = run("run", chain, "a fox", *given)
    assert (result.code, says in result.err) == (code, True)
    assert run("run", chain).code == 1


def test_ctrl_c_stops_the_chain_and_the_same_command_goes_on(
    run: Run, chain: Path, slow: None, interrupted: list[Update]
) -> None:
    result = run("run", chain, "a fox", "a hare")
    assert interrupted
    assert result.code == 130
    assert "The same command goes on from there." in result.err
    assert run("run", chain, "a fox", "a hare").code == 0


def test_a_series_comes_from_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "animals.csv").write_text("\ufeffanimal;place\r\nfox;snow\r\nhare;sea\r\n", encoding="utf-8")
    result = run("image", "a {animal} in {place}", "--series", "animals.csv", "--count", "2", "--seed", "3", "--json")
    told = json.loads(result.out)
    assert [(one["parameters"]["prompt"], one["seed"]) for one in told["recipes"]] == [
        (f"a {words}", seed) for words in ("fox in snow", "hare in sea") for seed in (3, 4)
    ]
    assert Path(told["sheet"]).is_file()
    assert run("image", "a {animal}", "--series", "animals.csv").code == 1
