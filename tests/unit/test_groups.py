"""Groups of pictures: a series run as one job, what it will come to, what a stopped one lacks, picks in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.recipes import origins, recipe
from studio.request_parts import Axis
from studio.requests import ImageRequest, UpscaleRequest
from studio.results import Artifact
from studio.service import Studio

HILLS = ImageRequest(prompt="a {animal} on hills", seed=5, steps=1, width=64, height=64)
TABLE = "animal\nfox\nhare\nowl"


def refusal(act: Callable[[], object]) -> StudioError:
    with pytest.raises(StudioError) as caught:
        act()
    return caught.value


def prompts(artifact: Artifact) -> list[str]:
    return [made["parameters"]["prompt"] for made in artifact.recipes]


def test_a_series_is_one_job_of_ordinary_pictures_with_the_words_of_their_rows(studio: Studio) -> None:
    artifact = studio.submit_grid(HILLS, None, None, series=TABLE).result()
    assert prompts(artifact) == ["a fox on hills", "a hare on hills", "a owl on hills"]
    assert {made["seed"] for made in artifact.recipes} == {5}
    for file, made in zip(artifact.files, artifact.recipes, strict=True):
        assert recipe.read_recipe(file.read_bytes()) == made
    assert artifact.sheet is not None


def test_count_gives_each_row_as_many_seeds(studio: Studio) -> None:
    artifact = studio.submit_grid(replace(HILLS, count=2, seed=None), None, None, series=TABLE).result()
    first = artifact.recipes[0]["seed"]
    assert [made["seed"] - first for made in artifact.recipes] == [0, 1] * 3
    assert {made["parameters"]["count"] for made in artifact.recipes} == {1}


def test_a_series_of_bad_prompts_starts_nothing(studio: Studio) -> None:
    before = studio.jobs()
    error = refusal(lambda: studio.submit_grid(HILLS, None, None, series="animal\n__nothing__"))
    assert error.code == "no_wildcard"
    assert (
        refusal(
            lambda: studio.submit_grid(replace(HILLS, prompt="{a} {b}"), None, None, series="animl,place\nfox,sea")
        ).code
        == "series_missing"
    )
    assert studio.jobs() == before


def test_how_many_and_how_long_is_told_before(studio: Studio) -> None:
    groups = studio.groups
    found = groups.outlook(HILLS, Axis("seed", ("1-4",)), series=TABLE)
    assert (found.count, found.first, found.seconds) == (12, "a fox on hills", None)
    studio.submit(replace(HILLS, steps=10)).result()
    known = groups.outlook(HILLS, Axis("steps", ("1, 3",)), series=TABLE).seconds
    single = groups.outlook(HILLS, None, series="animal\nfox").seconds
    assert known is not None
    assert single is not None
    assert known == pytest.approx(single * 12)
    assert refusal(lambda: groups.outlook(HILLS, series="animl = fox")).code == "series_slot"


def stopped(slow: Callable[..., Studio], series: str = TABLE, x: Axis | None = None) -> tuple[Studio, Job]:
    studio = slow(step_seconds=0.02)
    job = studio.submit_grid(replace(HILLS, steps=4), x, None, series=series, previews=True)
    for update in job.events():
        if update.step > 5:
            job.cancel()
            break
    *_, last = job.events(heartbeat=5)
    assert last.artifact is not None
    assert len(last.artifact.files) < len(job.requests)
    return studio, job


def test_what_a_stopped_series_lacks_is_painted_and_the_sheet_shows_all(slow: Callable[..., Studio]) -> None:
    studio, job = stopped(slow, "animal\nfox\nhare\nowl\nlynx\ntoad")
    first = job.result()
    left = studio.groups.left(job)
    assert left == 5 - len(first.files)
    rest = studio.groups.go_on(job)
    second = rest.result()
    assert len(second.files) == left
    assert prompts(first) + prompts(second) == [f"a {one} on hills" for one in ("fox", "hare", "owl", "lynx", "toad")]
    assert second.sheet is not None
    whole = studio.submit_grid(
        replace(HILLS, steps=4), None, None, series="animal\nfox\nhare\nowl\nlynx\ntoad"
    ).result()
    assert whole.sheet is not None
    assert Image.open(second.sheet).tobytes() == Image.open(whole.sheet).tobytes()
    assert studio.groups.left(rest) == 0
    assert refusal(lambda: studio.groups.go_on(rest)).code == "nothing_left"


def test_a_group_that_is_whole_or_not_over_has_nothing_left(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.02)
    job = studio.submit_grid(replace(HILLS, steps=4), None, None, series=TABLE)
    assert studio.groups.left(job) == 0
    job.result()
    assert studio.groups.left(job) == 0
    alone = studio.submit(HILLS)
    alone.result()
    assert refusal(lambda: studio.groups.go_on(alone)).code == "nothing_left"


def test_several_pictures_that_have_nothing_in_common_are_one_job(studio: Studio) -> None:
    asked = [replace(HILLS, prompt="one"), replace(HILLS, prompt="{a|b} two", seed=9, width=128)]
    artifact = studio.groups.several(asked).result()
    assert prompts(artifact) == ["one", "{a|b} two"]
    assert artifact.sheet is None
    assert refusal(lambda: studio.groups.several([])).code == "empty"
    assert refusal(lambda: studio.groups.several([HILLS] * 65)).code == "too_many"


def test_several_enlarged_pictures_each_know_what_they_were(studio: Studio) -> None:
    made = studio.submit_grid(HILLS, None, None, series=TABLE).result()
    asked = [UpscaleRequest(image=file.read_bytes(), scale=2) for file in made.files]
    artifact = studio.groups.several(asked).result()
    assert artifact.task == "upscale"
    assert [Image.open(file).size for file in artifact.files] == [(128, 128)] * 3
    came = [origins.painting(one)["parameters"]["prompt"] for one in artifact.recipes]
    assert came == prompts(made)
    clean = studio.groups.several(asked[:2], keep=Keep(metadata=False)).result()
    assert [recipe.read_recipe(file.read_bytes()) for file in clean.files] == [None, None]
