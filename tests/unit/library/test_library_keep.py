"""Pictures are kept as a person wants them: name, format, with or without what made them; grids keep every cell."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.library.file_names import Keep
from studio.library.outputs import Library
from studio.paths import Home
from studio.recipes import embed_image, inspect, recipe
from studio.requests import ImageRequest
from studio.results import Output

ROOT = Path(__file__).resolve().parents[3]
REQUEST = ImageRequest(
    prompt="a __colour__ cat", model="m", width=8, height=8, steps=1, guidance_scale=1.0, seed=7, strength=0.5,
    hires_strength=0.5, variation_seed=0, scheduler="Euler",
)  # fmt: skip
FORMATS = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}


def request(**changes: Any) -> ImageRequest:
    return ImageRequest(**{name: getattr(REQUEST, name) for name in REQUEST.__dataclass_fields__} | changes)


def made(of: ImageRequest = REQUEST) -> dict[str, Any]:
    return {
        "format": recipe.FORMAT,
        "task": "image",
        "model": {"id": "m", "title": "M", "revision": "", "licence": "", "licence_url": "", "commercial": True},
        "parameters": recipe.parameters(of),
        "seed": of.seed,
        "made": "2026-01-31T12:00:00+00:00",
        "software": {"studio": "0.1.0"},
        "device": "cpu",
        "finish": "stop",
        "seconds": 0.5,
    }


def pictures(count: int = 1, **more: Any) -> Output:
    images = tuple(Image.new("RGB", (8, 8), (index * 20, 0, 0)) for index in range(count))
    return Output(images=images, **{"seeds": tuple(range(7, 7 + count)), **more})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def library(home: Home) -> Library:
    return Library(home)


def files_below(home: Home) -> list[str]:
    return sorted(path.relative_to(home.outputs).as_posix() for path in home.outputs.rglob("*") if path.is_file())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("metadata", [True, False])
def test_a_picture_is_kept_in_the_wanted_format_and_found_again(
    library: Library, home: Home, form: Any, metadata: bool
) -> None:
    (file,) = library.save("image", pictures(), made(), Keep("[seed]", form, metadata)).files
    assert file.suffix == FORMATS[form]
    with Image.open(file) as image:
        assert image.format == form.upper()
    assert (inspect.read_settings(file.read_bytes()) is not None) == metadata
    (found,) = library.recent("image")
    assert found.recipe == recipe.for_seed(made(), 7)
    library.forget(found)
    assert files_below(home) == []


def test_without_metadata_the_recipe_lies_beside(library: Library, home: Home) -> None:
    library.save("image", pictures(), made(), Keep("x/[seed]", metadata=False))
    assert files_below(home) == ["image/x/7.png", "image/x/7.png.json"]
    assert b"cat" not in (home.outputs / "image" / "x" / "7.png").read_bytes()


def test_a_recipe_that_a_jpeg_has_no_room_for_lies_beside(library: Library) -> None:
    long = made(request(prompt="木" * 10_000, negative_prompt="é" * 10_000, prompts=("木" * 10_000,)))
    (file,) = library.save("image", pictures(), long, Keep(format="jpeg")).files
    assert recipe.read_recipe(file.read_bytes()) is None
    assert library.recent()[0].recipe == recipe.for_seed(long, 7)


def test_the_librarys_own_way_is_used_where_nothing_else_is_asked_for(home: Home) -> None:
    library = Library(home, keep=Keep("mine/[seed]", "webp"))
    library.save("image", pictures(), made())
    assert files_below(home) == ["image/mine/7.webp"]


def test_a_pattern_that_gives_one_name_to_all_overwrites_nothing(library: Library, home: Home) -> None:
    library.save("image", pictures(2), made(), Keep("same/name"))
    library.save("image", pictures(1), made(), Keep("same/name"))
    assert files_below(home) == ["image/same/name-2.png", "image/same/name-3.png", "image/same/name.png"]


def test_another_process_that_takes_the_name_first_loses_nothing(
    library: Library, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = home.outputs / "image" / "same" / "name.png"
    theirs.parent.mkdir(parents=True)
    real = os.link

    def link(source: Any, target: Any, **more: Any) -> None:
        if target == theirs and not theirs.exists():
            theirs.write_text("theirs")
        real(source, target, **more)

    monkeypatch.setattr(os, "link", link)
    (file,) = library.save("image", pictures(), made(), Keep("same/name")).files
    assert (file.name, theirs.read_text()) == ("name-2.png", "theirs")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_process_killed_while_it_saves_leaves_no_empty_file(home: Home, links: bool) -> None:
    """The file must have its content when it has its name: killed between claiming and filling it would stay empty."""
    program = f"""
import os, signal
from pathlib import Path
from PIL import Image
from studio import paths
from studio.library import outputs
from studio.results import Output
from tests.unit.library.test_library_keep import made
if not {links}:
    def refused(*_, **__):
        raise OSError(1, "no hard links here")
    os.link = refused
count = 0
def fsync(_):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
pictures = tuple(Image.new("RGB", (8, 8)) for _ in range(4))
home = paths.Home.at(Path({str(home.root)!r}))
outputs.Library(home).save("image", Output(images=pictures, seeds=(1, 2, 3, 4)), made())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    named = [file for file in home.outputs.rglob("*") if file.is_file() and not file.name.endswith(".part")]
    assert len(named) == 2
    for file in named:
        Image.open(file).load()


def test_each_picture_has_its_number_and_its_own_prompt(library: Library, home: Home) -> None:
    of = request(count=3, prompts=("a red cat", "a blue cat", "a cat"))
    artifact = library.save("image", pictures(3), made(of), Keep("[batch_number] [prompt]"))
    assert [file.stem for file in artifact.files] == ["1 a red cat", "2 a blue cat", "3 a cat"]
    assert [own["parameters"]["prompts"] for own in artifact.recipes] == [["a red cat"], ["a blue cat"], ["a cat"]]
    assert {own["parameters"]["prompt"] for own in artifact.recipes} == {"a __colour__ cat"}


def test_a_skipped_picture_takes_nothing_from_the_others(library: Library) -> None:
    of = request(count=3, prompts=("a red cat", "a blue cat", "a cat"))
    artifact = library.save("image", pictures(2, seeds=(7, 9)), made(of))
    assert [own["parameters"]["prompts"] for own in artifact.recipes] == [["a red cat"], ["a cat"]]


def test_any_file_with_a_recipe_of_ours_is_found_whatever_it_is_called(library: Library, home: Home) -> None:
    (file,) = library.save("image", pictures(), made()).files
    moved = home.outputs / "image" / "best of" / "2026" / "holiday.png"
    moved.parent.mkdir(parents=True)
    file.rename(moved)
    assert [artifact.files for artifact in library.recent()] == [(moved,)]


def test_links_hidden_files_and_what_others_made_are_not_found(library: Library, home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.png").write_bytes(embed_image.encode_png(Image.new("RGB", (4, 4)), made()))
    root = home.outputs / "image"
    (root / ".hidden").mkdir(parents=True)
    (root / ".hidden" / "a.png").write_bytes((elsewhere / "a.png").read_bytes())
    (root / "link.png").symlink_to(elsewhere / "a.png")
    (root / "folder").symlink_to(elsewhere)
    (root / "loop").symlink_to(root)
    Image.new("RGB", (4, 4)).save(root / "foreign.png")
    (root / "recipe.json").write_text(recipe.to_json(made()))
    assert library.recent() == ()


def test_files_outside_the_days_are_ordered_by_when_they_were_written(library: Library, home: Home) -> None:
    for place, seconds in (("b", 300), ("a", 100), ("c", 200)):
        (file,) = library.save("image", pictures(), made(), Keep(f"{place}/[seed]")).files
        os.utime(file, (1_700_000_000 + seconds, 1_700_000_000 + seconds))
    library.save("image", pictures(), made())
    assert [artifact.id[6:7] for artifact in library.recent()] == ["2", "b", "c", "a"]


# ---- grids


def test_every_cell_of_a_grid_is_an_ordinary_picture_with_its_own_recipe(library: Library, home: Home) -> None:
    cells = (request(steps=1), request(steps=2), request(scheduler="DDIM", seed=9))
    output = pictures(3, seeds=(7, 7, 9), requests=cells)
    sheet = Image.new("RGB", (40, 20), "white")
    artifact = library.save("image", output, made(), Keep("g/[seed] [steps] [sampler]"), sheet)
    assert [file.stem for file in artifact.files] == ["7 1 Euler", "7 2 Euler", "9 1 DDIM"]
    for cell, file, own in zip(cells, artifact.files, artifact.recipes, strict=True):
        assert recipe.read_recipe(file.read_bytes()) == own
        assert recipe.to_request(own) == cell
    assert artifact.sheet == home.outputs / "image" / "g" / "7 1 Euler-grid.png"
    with Image.open(artifact.sheet) as image:
        assert image.size == (40, 20)


def test_a_sheet_is_no_picture_of_its_own_and_goes_with_its_grid(library: Library, home: Home) -> None:
    output = pictures(2, requests=(request(), request(seed=8)))
    artifact = library.save("image", output, made(), None, Image.new("RGB", (20, 20)))
    assert artifact.sheet is not None
    assert len(library.recent()) == 2
    settings = inspect.read_settings(artifact.sheet.read_bytes())
    assert settings is not None
    assert (settings.form, settings.fields["seed"]) == ("a1111", 7)
    library.forget(artifact)
    assert files_below(home) == []


def test_a_sheet_without_metadata_says_no_more_than_that_a_model_made_it(library: Library) -> None:
    artifact = library.save(
        "image", pictures(requests=(REQUEST,)), made(), Keep(metadata=False), Image.new("L", (9, 9))
    )
    assert artifact.sheet is not None
    with Image.open(io.BytesIO(artifact.sheet.read_bytes())) as image:
        assert set(image.info) == {"xmp", "XML:com.adobe.xmp"}
    assert REQUEST.prompt.encode() not in artifact.sheet.read_bytes()
