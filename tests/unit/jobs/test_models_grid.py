"""Models as an axis of a grid: each is loaded once, and what one has painted is kept when another cannot be had."""

from __future__ import annotations

import time
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from PIL import Image

from studio.engines.demo.fake import FakeEngine, FakeModel
from studio.errors import StudioError
from studio.jobs.plans.models_grid import ModelsGrid
from studio.jobs.plans.unfinished import labels, together
from studio.recipes import recipe
from studio.request_parts import Axis
from studio.requests import ImageRequest
from studio.service import Studio

HILLS = ImageRequest(prompt="hills", seed=5, width=64, height=64)


@pytest.fixture
def two(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A studio with two painters, the second of which takes other steps by itself and paints something else."""
    cards = dict(studio.catalog.cards)
    first = cards["demo-image"]
    cards["second"] = replace(first, id="second", title="Second, painter", defaults={"steps": 3})
    catalog = replace(studio.catalog, cards=MappingProxyType(cards))
    studio.catalog = studio._intake._catalog = studio.models._catalog = catalog
    paint = FakeModel._paint

    def painted(model: FakeModel, request: ImageRequest, context: Any) -> Any:
        output = paint(model, request, context)
        if model._card.id == "second":
            output = replace(
                output, images=tuple(image.transpose(Image.Transpose.ROTATE_180) for image in output.images)
            )
        return output

    monkeypatch.setattr(FakeModel, "_paint", painted)
    return studio


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were loaded, in order."""
    found: list[str] = []
    load = FakeEngine.load

    def noted(engine: FakeEngine, card: Any, *more: Any, **named: Any) -> Any:
        found.append(card.id)
        return load(engine, card, *more, **named)

    monkeypatch.setattr(FakeEngine, "load", noted)
    return found


MODELS = Axis("model", ('demo-image, "Second, painter"',))
STEPS = Axis("steps", ("1, 2",))


@pytest.mark.parametrize("axes", [(MODELS, STEPS), (STEPS, MODELS)])
def test_each_model_is_loaded_once_and_paints_its_cells(
    two: Studio, loaded: list[str], axes: tuple[Axis, Axis]
) -> None:
    artifact = two.submit_grid(HILLS, *axes).result()
    assert loaded == ["demo-image", "second"]
    told = [(made["model"]["id"], made["parameters"]["steps"]) for made in artifact.recipes]
    across = [("demo-image", 1), ("second", 1), ("demo-image", 2), ("second", 2)]
    assert told == (across if axes[0] is MODELS else [across[0], across[2], across[1], across[3]])
    assert len({made["seed"] for made in artifact.recipes}) == 1
    assert artifact.sheet is not None
    for file, made in zip(artifact.files, artifact.recipes, strict=True):
        request = recipe.to_request(made)
        assert request is not None
        assert recipe.read_recipe(file.read_bytes()) == made
        alone = two.submit(request).result()
        assert Image.open(alone.files[0]).tobytes() == Image.open(file).tobytes()
    pictures = [Image.open(file).tobytes() for file in artifact.files]
    assert len(set(pictures)) == 2, "of the two painters: steps change nothing in these"


def test_each_model_has_its_own_usual_settings(two: Studio) -> None:
    artifact = two.submit_grid(HILLS, MODELS, None).result()
    usual = two.catalog.get("demo-image").defaults.get("steps", 20)
    assert [made["parameters"]["steps"] for made in artifact.recipes] == [usual, 3]


def test_steps_count_through_all_models(two: Studio) -> None:
    job = two.submit_grid(replace(HILLS, steps=2), MODELS, None)
    seen = [(update.step, update.steps) for update in job.events(0.01) if update.kind == "running"]
    job.result()
    assert {steps for _, steps in seen if steps} <= {4}
    counted = [step for step, steps in seen if steps and step]
    assert counted == sorted(counted)
    assert counted[-1] == 4


def test_one_model_is_an_ordinary_grid(two: Studio) -> None:
    job = two.submit_grid(HILLS, Axis("model", ("second",)), STEPS)
    assert not isinstance(job.plan, ModelsGrid)
    assert {made["model"]["id"] for made in job.result().recipes} == {"second"}


@pytest.mark.parametrize("value", ["nobody", "demo-chat"])
def test_a_model_that_there_is_not_is_refused_before_anything_loads(two: Studio, loaded: list[str], value: str) -> None:
    with pytest.raises(StudioError) as refused:
        two.submit_grid(HILLS, Axis("model", (f"demo-image, {value}",)), None)
    assert refused.value.code in ("unknown_model", "wrong_task")
    assert loaded == []


@pytest.mark.parametrize("gone", ["demo-image", "second"])
def test_what_one_painted_is_kept_when_another_cannot_be_had(
    two: Studio, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = FakeEngine.load

    def refused(engine: FakeEngine, card: Any, *more: Any, **named: Any) -> Any:
        if card.id == gone:
            raise StudioError("bad_file", path="x", reason="y")
        return load(engine, card, *more, **named)

    monkeypatch.setattr(FakeEngine, "load", refused)
    artifact = two.submit_grid(HILLS, MODELS, STEPS).result()
    (left,) = {"demo-image", "second"} - {gone}
    assert [made["model"]["id"] for made in artifact.recipes] == [left, left]
    assert ("cells_failed", {"count": 2}) in artifact.notes


def test_where_none_can_be_had_the_first_says_why(two: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise StudioError("bad_file", path="x", reason="y")

    monkeypatch.setattr(FakeEngine, "load", none)
    with pytest.raises(StudioError) as failed:
        two.submit_grid(HILLS, MODELS, STEPS).result()
    assert failed.value.code == "bad_file"


def test_stop_keeps_what_is_done(two: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    step = FakeModel._step

    def held(model: FakeModel, context: Any, done: int, total: int = 0) -> None:
        if model._card.id == "second":
            while not context.cancelled:
                time.sleep(0.01)
        step(model, context, done, total)

    monkeypatch.setattr(FakeModel, "_step", held)
    job = two.submit_grid(replace(HILLS, steps=3), MODELS, None)
    end = time.monotonic() + 10
    while job.plan is not None and not getattr(job.plan, "board").outputs and time.monotonic() < end:  # noqa: B009
        time.sleep(0.01)
    job.cancel()
    *_, last = job.events()
    assert last.artifact is not None
    assert [made["model"]["id"] for made in last.artifact.recipes] == ["demo-image"]


def test_another_persons_job_goes_between_two_models(two: Studio, loaded: list[str]) -> None:
    del loaded
    grid = two.submit_grid(replace(HILLS, steps=1), MODELS, None, session="a")
    other = two.submit(replace(HILLS, steps=1), session="b")
    assert other.result().files
    assert len(grid.result().files) == 2


def test_a_stopped_series_of_several_models_is_gone_on_with(two: Studio, loaded: list[str]) -> None:
    catalog = two.catalog
    cards = {id: replace(card, options={"step_seconds": 0.02}) for id, card in catalog.cards.items()}
    slow = replace(catalog, cards=MappingProxyType(cards))
    two.catalog = two._intake._catalog = two.models._catalog = slow
    job = two.submit_grid(replace(HILLS, steps=4), MODELS, None, series="one\ntwo\nthree")
    for update in job.events():
        if update.step > 5:
            job.cancel()
            break
    first = job.result()
    left = two.groups.left(job)
    assert left == 6 - len(first.files) > 3
    rest = two.groups.go_on(job)
    second = rest.result()
    told = [(made["model"]["id"], made["parameters"]["prompt"]) for made in (*first.recipes, *second.recipes)]
    assert sorted(told) == sorted(
        (id, f"{word}, hills") for id in ("demo-image", "second") for word in ("one", "two", "three")
    )
    whole = together(rest.plan, second)
    assert [made["model"]["id"] for made in whole.recipes] == ["demo-image", "second"] * 3
    named = labels(rest.plan, whole)
    assert [name.partition(" · ")[0] for name in named] == ["one", "one", "two", "two", "three", "three"]
    assert second.sheet is not None
