"""How long a job may work where others wait: refused before where that is known, else ended with what it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio.engines.demo.fake import FakeModel
from studio.errors import StudioError
from studio.jobs.pace import shorter, units
from studio.request_parts import Axis, Message
from studio.requests import ChatRequest, ImageRequest, MusicRequest
from studio.results import Output
from studio.service import Studio
from studio.settings import Settings
from tabs.shared import job_progress

SMALL = {"width": 64, "height": 64, "steps": 10}


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[..., Studio]]:
    opened: list[Studio] = []

    def make(seconds_a_picture: float = 2.0, **changes: Any) -> Studio:
        studio = Studio(settings.model_copy(update=changes))
        opened.append(studio)
        one = ImageRequest(prompt="x", **SMALL)
        studio._runner.pace.ran("demo-image", "image", units(one), seconds_a_picture)
        return studio

    yield make
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ("asked", "field", "value"),
    [({"count": 8}, "The number of results", 5), ({"count": 1, "steps": 100}, "Steps", 50)],
)
def test_what_would_take_too_long_is_refused_with_the_setting_that_fits(
    start: Callable[..., Studio], asked: dict[str, int], field: str, value: int
) -> None:
    studio = start(longest_job=10.0)
    request = ImageRequest(prompt="hills", **{**SMALL, **asked})
    with pytest.raises(StudioError) as refused:
        studio.submit(request)
    assert "here a job may take 10 s" in refused.value.what()
    assert refused.value.next() == f"It fits with {field} at most {value}."
    fits = {"count": value} if "Number" in field or "number" in field else {"steps": value}
    assert studio.submit(ImageRequest(prompt="hills", **{**SMALL, **asked, **fits})).result().files


def test_a_grid_is_refused_as_a_whole(start: Callable[..., Studio]) -> None:
    with pytest.raises(StudioError, match="Ask for less at a time"):
        start(longest_job=3.0).submit_grid(ImageRequest(prompt="x", **SMALL), Axis("steps", ("10", "20")), None)


def test_at_home_and_where_nobody_knows_nothing_is_refused(start: Callable[..., Studio]) -> None:
    many = ImageRequest(prompt="hills", **{**SMALL, "count": 4})
    assert start(1000.0).submit(many).result().files
    studio = start(longest_job=10.0)
    assert studio.submit(MusicRequest(prompt="a march", duration=10)).result().files, "never seen: not guessed"


def test_on_a_space_five_minutes_are_the_most(start: Callable[..., Studio]) -> None:
    with pytest.raises(StudioError, match="may take 300 s"):
        start(301.0, profile="space").submit(ImageRequest(prompt="x", **SMALL))


def test_an_answer_that_goes_on_and_on_ends_with_what_there_is(
    start: Callable[..., Studio], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: FakeModel, __: Any, context: Any) -> Output:
        said = ""
        while not context.cancelled:
            context.text("and ")
            said += "and "
        return Output(text=said, finish="cancelled")

    monkeypatch.setattr(FakeModel, "run", run)
    job = start(longest_job=0.2).submit(ChatRequest(messages=(Message("user", "go on"),)))
    *_, last = job.events()
    assert (last.kind, last.noted) == ("cancelled", "out_of_time")
    assert job.snapshot().text.startswith("and and")
    assert "longer than a job may take here" in job_progress.progress(last, "en")
    assert "超过了这里允许的上限" in job_progress.progress(last, "zh-CN")


def test_what_is_named_is_never_nothing() -> None:
    assert shorter((ImageRequest(prompt="x", count=1, steps=4),), 0.5) is None
    assert shorter((), 0.5) is None
