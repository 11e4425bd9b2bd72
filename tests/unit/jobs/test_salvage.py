"""What a group has painted is on disk before the others are: a crash, a full disk or a failure costs one picture."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.library.file_names import Keep
from studio.library.outputs import Library
from studio.paths import Home
from studio.recipes import recipe
from studio.request_parts import Axis
from studio.requests import ImageRequest
from studio.results import Output
from studio.service import Studio
from studio.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
BASE = ImageRequest(prompt="{animal} in snow", width=64, height=64, steps=2, seed=5)
ROWS = "animal\nfox\nhare\nowl\nlynx"
KILLED = """
import sys, time
from pathlib import Path
from studio.engines.demo.fake import FakeModel
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings

paint, painted = FakeModel.run, []

def run(model, request, context):
    if len(painted) == 2:
        print("two are there", flush=True)
        time.sleep(600)
    painted.append(request.prompt)
    return paint(model, request, context)

FakeModel.run = run
studio = Studio(Settings(demo=True, home=Path(sys.argv[1]), device="cpu", keep_free_gb=0, open_browser=False, port=0))
studio.clear()
seed = int(sys.argv[3]) if sys.argv[3] else None
base = ImageRequest(prompt="{animal} in snow", width=64, height=64, steps=2, seed=seed)
studio.submit_grid(base, None, None, series=sys.argv[2]).result()
"""


def prompts(studio: Studio) -> set[str]:
    return {one.recipe["parameters"]["prompt"] for one in studio.library.recent("image", 20)}


def left_in(home: Path) -> list[Path]:
    return [
        path for path in (home / "queue").rglob("*") if path.is_file() and path.suffix in (".png", ".webp", ".json")
    ]


def killed(home: Path, seed: str = "5") -> None:
    """A studio that painted two pictures of a series and was killed in the third."""
    dying = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(home), ROWS, seed], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert dying.stdout is not None
    assert dying.stdout.readline().strip() == "two are there"
    dying.send_signal(signal.SIGKILL)
    dying.wait(20)
    dying.stdout.close()
    for lock in (home / "cache" / "instances").glob("*/lock"):
        os.utime(lock, (0, 0))  # one that is seconds old may be about to be taken


def test_a_killed_studio_has_lost_one_picture_and_not_the_series(settings: Settings) -> None:
    assert settings.home is not None
    killed(settings.home)
    with Studio(settings) as studio:
        studio.clear()
        assert prompts(studio) == {"fox in snow", "hare in snow"}
        again = studio.submit_grid(BASE, None, None, series=ROWS).result()
        seen = {one.recipe["parameters"]["prompt"]: one.files[0] for one in studio.library.recent("image", 20)}
        assert len(again.files) == 4
        first = np.asarray(Image.open(seen["fox in snow"]))
        assert np.array_equal(first, np.asarray(Image.open(again.files[0])))
        studio.queue.drop([one.id for one in studio.queue.earlier()])
    assert left_in(settings.home) == []


@pytest.mark.parametrize("seed", ["5", ""])
def test_a_series_that_goes_on_after_a_crash_paints_what_is_missing(settings: Settings, seed: str) -> None:
    assert settings.home is not None
    killed(settings.home, seed)
    with Studio(settings) as studio:
        studio.clear()
        assert len(studio.queue.earlier()) == 1
    with Studio(settings) as studio:  # nobody said a word meanwhile
        studio.clear()
        (one,) = studio.queue.earlier()
        studio.queue.go_on([one.id], "me")
        (job,) = studio.jobs()
        assert [cell.prompt for cell in job.requests if isinstance(cell, ImageRequest)] == [
            "owl in snow",
            "lynx in snow",
        ]
        made = job.result()
        assert list((settings.home / "queue").rglob("*.painted")) == []
        files = {one.recipe["parameters"]["prompt"]: one for one in studio.library.recent("image", 20)}
        assert sorted(files) == ["fox in snow", "hare in snow", "lynx in snow", "owl in snow"]
        seeds = {one.recipe["seed"] for one in files.values()}
        assert len(seeds) == 1, "as the whole series would have"
        assert made.sheet is not None
        again = studio.queue.repeat(job.id, "me", "me")
        assert len(again.requests) == 4
        again.cancel()


def test_what_was_thrown_away_meanwhile_is_painted_too(settings: Settings) -> None:
    assert settings.home is not None
    killed(settings.home)
    with Studio(settings) as studio:
        studio.clear()
        for one in studio.library.recent("image", 20):
            if one.recipe["parameters"]["prompt"] == "fox in snow":
                studio.library.forget(one)
        studio.queue.go_on([one.id for one in studio.queue.earlier()], "me")
        (job,) = studio.jobs()
        assert [cell.prompt for cell in job.requests if isinstance(cell, ImageRequest)] == [
            f"{animal} in snow" for animal in ("fox", "owl", "lynx")
        ]
        job.result()


def test_nothing_is_left_of_a_series_that_ended_well(studio: Studio, settings: Settings) -> None:
    made = studio.submit_grid(BASE, None, None, series=ROWS).result()
    assert len(made.files) == 4
    assert len([path for path in studio.home.outputs.rglob("*.png") if "-grid" not in path.name]) == 4
    assert settings.home is not None
    assert left_in(settings.home) == []


def test_a_full_disk_at_the_end_keeps_what_was_painted(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Library.save

    def full(self: Library, task: Any, output: Output, *given: Any) -> Any:
        if len(output.images) == 4:
            raise StudioError("disk_full", path="x")
        return save(self, task, output, *given)

    studio.clear()
    monkeypatch.setattr(Library, "save", full)
    job = studio.submit_grid(BASE, None, None, series=ROWS)
    with pytest.raises(StudioError, match="full"):
        job.result()
    assert len(prompts(studio)) == 4


def test_a_single_picture_and_a_public_studio_write_nothing_besides(
    studio: Studio, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Library.save
    at: list[Path] = []
    monkeypatch.setattr(Library, "save", lambda self, *given: at.append(self._root) or save(self, *given))
    studio.submit(ImageRequest(prompt="x", steps=1, width=64, height=64)).result()
    assert at == [studio.home.outputs]
    with Studio(settings.model_copy(update={"profile": "space"})) as public:
        public.submit_grid(BASE, Axis("steps", ("1", "2")), None).result()
        assert set(at) == {studio.home.outputs, public.home.outputs}


@pytest.mark.parametrize("keep", [Keep(metadata=False), Keep(format="jpeg"), Keep(pattern="same")])
def test_names_and_recipes_beside_a_file_come_along(keep: Keep, studio: Studio, tmp_path: Path) -> None:
    library = studio.library
    shelf = library.aside(Home(tmp_path / "aside"))
    made = studio.submit(ImageRequest(prompt="x", steps=1, width=64, height=64), keep=keep).result()
    output = Output(images=(Image.new("RGB", (8, 8)),), seeds=(1,))
    for _ in range(2):
        aside = shelf.save("image", output, made.recipes[0], keep).files[0]
        name = made.files[0].relative_to(studio.home.outputs)
        path = library.adopt(aside, name)
        assert path not in made.files
        assert not aside.exists()
        found = library.named([library.id(path)])
        assert found is not None
        assert found.recipe["parameters"]["prompt"] == "x"
        assert (recipe.read_recipe(path.read_bytes()) is None) is not keep.metadata
