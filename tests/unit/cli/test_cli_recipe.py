"""`recipe` and `again`: how a file of any kind was made, and whether that makes it again."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest
from PIL import Image
from terminals import Run

MADE = {
    "image": ("image", "a red hill", "--steps", 2, "--seed", 5),
    "music": ("music", "a slow waltz", "--duration", 1, "--seed", 5),
    "code": ("code", "area.py:2:12", "--seed", 5),
    "caption": ("caption", "--seed", 5),
}


@pytest.fixture(params=MADE)
def made(request: pytest.FixtureRequest, run: Run, tmp_path: Path) -> Path:
    """A file of each kind, made here."""
    picture = tmp_path / "hill.png"
    Image.new("RGB", (64, 64), "red").save(picture)
    Path("area.py").write_text("def area(r):\n    return \n")
    more = {"caption": (picture,)}.get(request.param, ())
    result = run(*MADE[request.param], *more, "--json")
    assert result.code == 0, result.err + result.out
    return Path(result.json["files"][0])


def test_every_kind_says_how_it_was_made_and_is_made_again(run: Run, made: Path) -> None:
    shown = run("recipe", made)
    assert shown.code == 0, shown.err
    assert json.loads(shown.out) == run("recipe", made, "--json").json
    assert json.loads(shown.out)["seed"] == 5
    again = run("recipe", made, "--run", "--json")
    assert again.code == 0, again.err + again.out
    assert again.json["same"]
    assert again.json["recipe"]["parameters"] == json.loads(shown.out)["parameters"]
    assert again.json["files"] != [str(made)]
    assert "same" in run("again", made).err.lower()


def test_what_became_another_is_told(run: Run, made: Path) -> None:
    match made.suffix:
        case ".png":
            with Image.open(made) as picture:
                other, kept = picture.convert("RGB"), picture.info
            other.putpixel((0, 0), (1, 2, 3))
            from PIL.PngImagePlugin import PngInfo

            told = PngInfo()
            for name, value in kept.items():
                if isinstance(value, str):
                    told.add_text(name, value)
            other.save(made, pnginfo=told)
            word = "pixels differ"
        case ".wav":
            with wave.open(str(made)) as sound:
                frames = sound.readframes(sound.getnframes())
            data = made.read_bytes()
            made.write_bytes(data.replace(frames, b"\x7f" * 100 + frames[100:]))
            word = "samples differ"
        case _:
            made.write_text(made.read_text() + " and more")
            word = "Other words"
    found = run("again", made)
    assert (found.code, word in found.err) == (1, True), found.err


@pytest.mark.parametrize("suffix", [".flac", ".mp3"])
def test_a_piece_in_another_format_is_compared_in_it(run: Run, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"waltz{suffix}"
    made = run("music", "a slow waltz", "--duration", 1, "--seed", 5, "--out", file)
    assert made.code == 0, made.err
    again = run("recipe", file, "--run")
    assert again.code == 0, again.err
    assert "sample by sample" in again.err


def test_a_file_without_one_and_one_whose_picture_is_gone(run: Run, tmp_path: Path) -> None:
    plain, picture = tmp_path / "notes.txt", tmp_path / "hill.png"
    plain.write_text("words")
    assert "Traceback" not in (refused := run("recipe", plain)).err
    assert refused.code == 1
    Image.new("RGB", (64, 64), "red").save(picture)
    caption = Path(run("caption", picture, "--json").json["files"][0])
    for kept in filter(Path.is_file, (tmp_path / "home" / "inputs").rglob("*")):
        kept.unlink()
    gone = run("recipe", caption, "--run")
    assert (gone.code, "Traceback" in gone.err) == (1, False)
