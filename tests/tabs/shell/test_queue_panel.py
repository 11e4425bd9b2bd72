"""What the panel of the queue is told, and who may order what."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from studio.engines.demo.fake import FakeEngine, FakeModel
from studio.errors import StudioError
from studio.jobs.job import Job
from studio.requests import CodeRequest, ImageRequest
from studio.service import Studio
from studio.settings import Settings
from studio.status import Status
from tabs.shared.asker import Asker
from tabs.shell import queue_panel

HILLS = ImageRequest(prompt="hills", steps=2)


class Panel:
    """The panel of somebody who asks one studio."""

    def __init__(self, studio: Studio, who: str = "me", language: str = "en") -> None:
        self.studio, self.asker = studio, Asker(who, "127.0.0.1", language)

    def do(self, do: str = "look", **more: Any) -> dict[str, Any]:
        return json.loads(bytes(queue_panel.answer(self.studio, {"do": do, **more}, self.asker).body))

    @property
    def titles(self) -> list[str]:
        return [row["title"] for row in self.do()["open"]]


def refusal(panel: Panel, do: str, **more: Any) -> str:
    """The code of the error that an order is answered with."""
    with pytest.raises(StudioError) as caught:
        panel.do(do, **more)
    return caught.value.code


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stand-ins wait before their second step until `stopped.set()`."""
    go, step = threading.Event(), FakeModel._step

    def held(model: FakeModel, context: Any, done: int, total: int = 0) -> None:
        step(model, context, done, total)
        while done == 1 and not go.wait(0.01) and not context.cancelled:
            pass

    monkeypatch.setattr(FakeModel, "_step", held)
    yield go
    go.set()


def running(studio: Studio, who: str = "me") -> Job:
    """A job that is at work and stays so."""
    job = studio.submit(HILLS, who)
    next(update for update in job.events() if update.step == 1)
    return job


def test_on_a_network_everybody_has_their_own_and_may_hold_it(settings: Settings, stopped: Any) -> None:
    more = {"profile": "lan", "password": "a password"}
    with Studio(Settings(**{**settings.model_dump(), **more, "_env_file": None})) as studio:  # pyright: ignore
        first = running(studio)
        second = studio.submit(HILLS, "you")
        mine, yours = Panel(studio, "me"), Panel(studio, "you")
        assert [row["id"] for row in mine.do()["open"]] == [first.id]
        (row,) = yours.do()["open"]
        assert (row["id"], row["words"], row["holds"]) == (second.id, "1 in front", True)
        assert refusal(mine, "hold", id=second.id) == "unknown_job"
        assert yours.do("hold", id=second.id)["open"][0]["words"] == "On hold"
        assert refusal(yours, "drop", ids=["x"]) == "not_for_public"
        assert queue_panel.button(Status((), (), 2), studio, "en").count("2 waiting") == 1
        yours.do("cancel", id=second.id)
        mine.do("cancel", id=first.id)


def test_at_home_all_browsers_are_one_list_and_each_moves_within_its_own(studio: Studio, stopped: Any) -> None:
    running(studio)
    for who, words in (("me", "a"), ("me", "b"), ("you", "c"), ("you", "d")):
        studio.submit(replace(HILLS, prompt=words), who)
    panel = Panel(studio)
    rows = panel.do()["open"]
    assert panel.titles == ["hills", "a", "c", "b", "d"]
    assert {row["title"]: (row["first"], row["last"]) for row in rows[1:]} == {
        "a": (True, False), "b": (False, True), "c": (True, False), "d": (False, True)
    }  # fmt: skip
    ids = {row["title"]: row["id"] for row in rows}
    panel.do("front", id=ids["d"])
    order = panel.titles
    assert order.index("d") < order.index("c")
    assert order.index("a") < order.index("b")
    for row in panel.do()["open"]:
        panel.do("cancel", id=row["id"])


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Goes first: same model, saves a load of about 30 s."),
        ("zh-CN", "优先执行：使用同一模型，可省去约 30 秒的加载。"),
    ],
)
def test_it_says_why_something_goes_first_and_about_how_long_it_takes(
    settings: Settings, stopped: Any, language: str, said: str
) -> None:
    with Studio(settings.model_copy(update={"memory_gb": 1.0})) as studio:
        cards = {id: replace(card, memory_bytes=600_000_000) for id, card in studio.catalog.cards.items()}
        object.__setattr__(studio.catalog, "cards", MappingProxyType(cards))
        first = running(studio)
        pace = studio._runner.pace
        pace._seconds.known.clear()
        pace.loaded(first.model, 30.0)
        assert first.plan is not None
        pace.ran(first.model, "image", first.plan.units, 40.0)
        studio.submit(CodeRequest(prefix="def f():"), "me")
        for _ in range(2):
            studio.submit(HILLS, "me")
        rows = Panel(studio, language=language).do()["open"]
        assert [row["why"] for row in rows] == ["", said, said, ""]
        assert [row["task"] for row in rows[1:]] == [rows[0]["task"]] * 2 + ["Code" if language == "en" else "代码"]
        last = rows[3]["words"].partition(" · ")[2]
        assert last == ("about 2 min" if language == "en" else "约 2 分钟")
        for job in studio.jobs():
            job.cancel()


def test_one_whose_model_is_being_loaded_can_be_put_on_hold(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    loading, go, real = threading.Event(), threading.Event(), FakeEngine.load

    def load(self: FakeEngine, *args: Any, **more: Any) -> Any:
        loading.set()
        assert go.wait(10)
        return real(self, *args, **more)

    monkeypatch.setattr(FakeEngine, "load", load)
    job, panel = studio.submit(HILLS, "me"), Panel(studio)
    assert loading.wait(10)
    (row,) = panel.do()["open"]
    assert (row["holds"], row["waits"]) == (True, False)
    (row,) = panel.do("hold", id=job.id)["open"]
    assert (row["holds"], row["held"], row["words"]) == (True, True, "On hold")
    go.set()
    panel.do("resume", id=job.id)
    assert job.result().files


def test_what_is_over_says_how_it_ended(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    done = studio.submit(HILLS, "me")
    assert done.result().files

    def broken(*_: object) -> None:
        raise StudioError("out_of_memory", model="<b>Painter</b>")

    monkeypatch.setattr(FakeModel, "run", broken)
    failed = studio.submit(replace(HILLS, prompt="dale"), "me")
    with pytest.raises(StudioError):
        failed.result()
    over = Panel(studio).do()["over"]
    assert [(row["title"], row["failed"], row["again"]) for row in over] == [
        ("dale", True, True),
        ("hills", False, True),
    ]
    assert over[0]["words"] == "The memory ran out while <b>Painter</b> was working."
    assert over[1]["item"].endswith(".png")


@pytest.mark.parametrize("message", [None, [], "look", {}, {"do": "fly"}, {"do": 3}, {"do": "up", "id": []}])
def test_other_messages_are_refused(studio: Studio, message: Any) -> None:
    with pytest.raises(StudioError) as caught:
        queue_panel.answer(studio, message, Asker("me", "", "en"))
    assert caught.value.code == "bad_message"
