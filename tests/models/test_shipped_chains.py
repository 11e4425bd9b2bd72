"""The chains that come with the studio, run as they are by the real starters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from studio.chains.run import Event, Input, of_file, of_text
from studio.chains.shelf import SHIPPED
from studio.recipes import recipe
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.music import performance

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def real(starter_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio with the starters, whose outputs are its own."""
    home = tmp_path_factory.mktemp("chains")
    shutil.copytree(starter_home / "models", home / "models", symlinks=True)
    settings = Settings(home=home, device="cpu", keep_free_gb=0, offline=True, _env_file=None)  # pyright: ignore
    with Studio(settings) as studio:
        yield studio


def shown(name: str) -> Input:
    return of_file(ROOT / "assets" / "examples" / f"{name}.png")


def run(studio: Studio, name: str, one: Input) -> dict[str, Event]:
    """What each step of a chain gave; every one of them is there."""
    chain, file = studio.chains.named(name)
    found = {
        event.step.name: event for event in studio.chains.run(chain, file, [one], {}).work() if event.state != "begun"
    }
    assert [(event.state, event.error) for event in found.values()] == [("done", None)] * len(chain.steps)
    return found


def file_of(studio: Studio, event: Event) -> Path:
    artifact = studio.library.named(event.ids)
    assert artifact is not None
    return artifact.files[0]


def test_each_chain_that_comes_along_is_tried_here() -> None:
    assert {file.stem for file in SHIPPED.glob("*.toml")} == {"postcards", "ideas", "variations", "theme"}


def test_postcards_say_paint_and_sing_what_is_in_a_picture(real: Studio) -> None:
    found = run(real, "postcards", shown("cactus"))
    assert "cactus" in found["words"].text
    made = recipe.read_recipe(file_of(real, found["painting"]).read_bytes())
    assert made is not None
    assert made["parameters"]["prompt"] == f"{found['words'].text}, gouache"
    assert made["origin"]["task"] == "caption"
    assert (
        performance.melody((recipe.read_recipe(file_of(real, found["tune"]).read_bytes()) or {})["played"]) is not None
    )


def test_an_idea_becomes_a_larger_picture_and_its_alt_text(real: Studio) -> None:
    found = run(real, "ideas", of_text("a red apple"))
    small, large = (Image.open(file_of(real, found[step])).size for step in ("painting", "larger"))
    assert large == (2 * small[0], 2 * small[1])
    assert found["alt"].text.endswith(".")


def test_variations_go_further_from_a_picture_each_time(real: Studio) -> None:
    found = run(real, "variations", shown("sunflower"))
    strengths = []
    for step in ("near", "between", "far"):
        made = recipe.read_recipe(file_of(real, found[step]).read_bytes())
        assert made is not None
        strengths.append(made["parameters"]["strength"])
    assert strengths == sorted(set(strengths))


def test_a_theme_comes_back_with_the_same_melody(real: Studio) -> None:
    found = run(real, "theme", of_text("a calm waltz"))
    theme, answer = (
        (recipe.read_recipe(file_of(real, found[step]).read_bytes()) or {})["played"]["melody"]
        for step in ("theme", "answer")
    )
    assert answer.startswith(theme[: len(theme) // 2])
