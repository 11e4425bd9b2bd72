"""Two studios, of which one computes for the other: every task, its progress, Stop, and what is kept where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from serving import Place, key, png, served, until
from studios import ask, made, slowed, studio_with, warm

from studio.engines.demo.fake import FakeModel
from studio.errors import StudioError
from studio.recipes.recipe import read_recipe
from studio.request_parts import Attachment, Axis, Lora, Message
from studio.requests import (
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Request,
    UpscaleRequest,
)
from studio.results import Output
from studio.service import Studio
from studio.tasks.caption.runs import Manner
from studio.tasks.chat.conversation import Entry

FOX = ImageRequest(prompt="a fox", width=64, height=64, steps=3, seed=7)


@contextmanager
def slow(other: Place, model: str, seconds: float) -> Iterator[None]:
    """The other studio takes its time."""

    def again(step_seconds: float) -> None:
        slowed(other.studio, step_seconds=step_seconds)
        other.studio.models.unload(model)
        warm(other.studio, model)

    again(seconds)
    try:
        yield
    finally:
        again(0)


@pytest.fixture
def alone(tmp_path: Path) -> Any:
    """What a studio makes that knows nobody."""

    def make(request: Request) -> Any:
        with studio_with(tmp_path / "alone", "") as studio:
            return studio.submit(request).result()

    return make


# Each task


def test_a_conversation_is_answered_there_word_by_word(other: Place, here: Studio, alone: Any) -> None:
    job = here.submit(ask())
    said = [update.text for update in job.events() if update.text]
    assert job.device == other.url.removeprefix("http://")
    assert "".join(said) == job.result().text == alone(ask()).text
    assert job.result().stats["tokens"] > 10


def test_the_words_come_while_they_are_written(other: Place, here: Studio) -> None:
    seen: list[int] = []
    with slow(other, "demo-chat", 0.03):
        for update in here.submit(ask()).events(heartbeat=0.01):
            seen.append(len(update.text))
    assert sum(length > 0 for length in seen) > 5


def test_pictures_are_the_same_pixels_and_lie_in_this_library_with_their_recipe(
    other: Place, here: Studio, alone: Any
) -> None:
    request = replace(FOX, prompt="a {red|blue} fox", count=2, styles=("cinematic",))
    before = len(other.studio.library.recent(limit=100))
    job, artifact = made(here, request)
    expected = alone(request)
    assert len(artifact.files) == 2
    for ours, theirs in zip(artifact.files, expected.files, strict=True):
        assert np.array_equal(np.asarray(Image.open(ours)), np.asarray(Image.open(theirs)))
        recipe, same = read_recipe(ours.read_bytes()), read_recipe(theirs.read_bytes())
        assert recipe is not None
        assert same is not None
        assert recipe["parameters"] == same["parameters"]
        assert recipe["seed"] == same["seed"]
        assert (recipe["device"], recipe["hardware"]) == ("remote", job.device)
        assert ours.is_relative_to(here.home.root)
    assert len(other.studio.library.recent(limit=100)) == before, "nothing is kept there"


def test_the_words_of_a_picture_are_filled_in_once(here: Studio, asked: list[Any]) -> None:
    made(here, replace(FOX, prompt="a fox, {x}", styles=("cinematic",)))
    (request,) = asked
    assert request.styles == ()
    assert len(request.prompts) == 1
    assert request.prompts[0].count("a fox") == 1


def test_a_picture_is_seen_on_its_way(other: Place, here: Studio) -> None:
    with slow(other, "demo-image", 0.12):
        updates = list(here.submit(replace(FOX, steps=12), previews=True).events(heartbeat=0.01))
    assert updates[-1].kind == "done"
    shown = [data for update in updates for data in update.previews.values()]
    assert len(shown) >= 2
    assert all(data.startswith(b"\x89PNG") for data in shown)
    steps = [update.step for update in updates if update.steps == 12]
    assert steps == sorted(steps)
    assert len(set(steps)) > 5


def test_music_is_the_same_sound(here: Studio, alone: Any) -> None:
    request = MusicRequest(prompt="a tune", duration=2, seed=3, count=2)
    _, artifact = made(here, request)
    for ours, theirs in zip(artifact.files, alone(request).files, strict=True):
        assert np.array_equal(soundfile.read(ours)[0], soundfile.read(theirs)[0])


def test_code_is_completed_with_several_to_choose_from(here: Studio, alone: Any) -> None:
    request = CodeRequest(prefix="def f():", suffix="\n", language="python", count=3, seed=1)
    _, artifact = made(here, request)
    assert (artifact.text, artifact.texts) == (alone(request).text, alone(request).texts)
    assert artifact.candidates


def test_a_picture_is_put_into_words(here: Studio, alone: Any) -> None:
    request = CaptionRequest(image=png(), style="tags", forbid=("red",), seed=1)
    assert made(here, request)[1].text == alone(request).text


def test_a_picture_is_enlarged(here: Studio) -> None:
    _, artifact = made(here, UpscaleRequest(image=png(size=(16, 8)), scale=2))
    assert Image.open(artifact.files[0]).size == (32, 16)


def test_a_folder_gets_its_captions_beside_the_pictures(here: Studio, tmp_path: Path, asked: list[Any]) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(size=(8 + number, 8)))
    job = here.caption_all(here.captions.of_folder(tmp_path, Manner()), CaptionRequest(image=b"", seed=5))
    *_, last = job.events()
    assert (last.kind, last.step, last.steps) == ("done", 3, 3)
    assert {file.name for file in tmp_path.glob("*.txt")} == {"0.txt", "1.txt", "2.txt"}
    assert len(asked) == 3


def test_a_grid_is_painted_cell_by_cell(here: Studio) -> None:
    job = here.submit_grid(FOX, Axis("steps", ("2", "3")), Axis("seed", ("1", "2")))
    artifact = job.result()
    assert len(artifact.files) == 4
    assert artifact.sheet is not None
    assert {recipe["device"] for recipe in artifact.recipes} == {"remote"}


def test_a_conversation_with_a_picture_takes_it_along(here: Studio, asked: list[Any]) -> None:
    data = png()
    message = Message("user", "What is it?", (Attachment("a.png", "0" * 64, len(data), True, data),))
    _, artifact = made(here, ChatRequest(messages=(message,)))
    assert "a picture of 64 by 64" in artifact.text
    assert asked[0].messages[0].files[0].data == data


def test_a_saved_conversation_is_kept_here(here: Studio) -> None:
    chat = replace(here.chats.new(), messages=(Entry("user", "hello"),))
    job = here.say(chat, ChatRequest(messages=()))
    job.result()
    assert here.chats.load(chat.id).messages[-1].content.startswith("You asked: hello")


# Stop, skip, limits


@pytest.mark.parametrize("request_", [ask(), replace(FOX, steps=100)], ids=["chat", "image"])
def test_stop_stops_it_there_at_once(other: Place, here: Studio, request_: Request) -> None:
    with slow(other, f"demo-{request_.task}", 0.05):
        job = here.submit(request_)
        assert until(lambda: job.snapshot().step > 1)
        job.cancel()
        assert until(lambda: not other.running(), 1.0)
        assert until(lambda: job.done, 2.0)
    assert job.kind == "cancelled"
    if request_.task == "chat":
        assert job.result().text.startswith("You asked:"), "what was said until then is kept"


def test_skip_leaves_out_the_picture_in_work(other: Place, here: Studio) -> None:
    with slow(other, "demo-image", 0.05):
        job = here.submit(replace(FOX, steps=20, count=2))
        assert until(lambda: job.snapshot().step > 1)
        job.skip()
        assert until(lambda: job.done)
    assert [recipe["seed"] for recipe in job.result().recipes] == [8]


def test_the_other_ones_limits_are_its_own(other: Place, here: Studio) -> None:
    limit = other.studio.settings.max_queue
    object.__setattr__(other.studio.settings, "max_queue", 0)
    try:
        with pytest.raises(StudioError) as error:
            made(here, ask())
    finally:
        object.__setattr__(other.studio.settings, "max_queue", limit)
    assert error.value.code == "queue_full"


def test_an_error_there_is_the_same_error_here(here: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Output:
        raise StudioError("cannot_see_none", model="The model")

    monkeypatch.setattr(FakeModel, "run", fail)
    with pytest.raises(StudioError) as error:
        made(here, ask())
    assert (error.value.code, error.value.params) == ("cannot_see_none", {"model": "The model"})


def test_a_bug_there_is_no_bug_here(here: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeModel, "run", lambda *_: 1 / 0)
    with pytest.raises(StudioError) as error:
        made(here, ask())
    assert error.value.code == "internal"


# Where a job goes


def test_a_model_that_is_warm_here_stays_here(other: Place, tmp_path: Path) -> None:
    with studio_with(tmp_path, other.url) as studio:
        warm(studio, "demo-chat")
        job, _ = made(studio, ask())
        assert job.device == "cpu"


def test_a_model_goes_where_it_is_warm(other: Place, tmp_path: Path) -> None:
    with studio_with(tmp_path, other.url) as studio:
        job, _ = made(studio, ask())
        assert job.device == other.url.removeprefix("http://")


def test_where_neither_has_it_in_memory_it_stays_here(tmp_path: Path) -> None:
    with served(tmp_path / "cold") as cold:
        cold.http.get("/v1/models")
        with studio_with(tmp_path / "here", cold.url) as studio:
            job, _ = made(studio, ask())
            assert job.device == "cpu"


def test_of_two_that_are_alike_the_idle_one_gets_it(other: Place, tmp_path: Path) -> None:
    with studio_with(tmp_path, other.url) as studio:
        slowed(studio, step_seconds=0.02)
        warm(studio, "demo-chat")
        first, second = studio.submit(ask("one")), studio.submit(ask("two"))
        assert [one.result().text[:14] for one in (first, second)] == ["You asked: one", "You asked: two"]
        assert (first.device, second.device) == ("cpu", other.url.removeprefix("http://"))


def test_what_is_computed_there_keeps_nothing_waiting_here(other: Place, tmp_path: Path) -> None:
    with slow(other, "demo-chat", 0.1), studio_with(tmp_path, other.url) as studio:
        warm(studio, "demo-image")
        far = studio.submit(ask())
        assert until(lambda: far.snapshot().text)
        near, _ = made(studio, FOX)
        assert (near.device, far.device) == ("cpu", other.url.removeprefix("http://"))
        assert not far.done
        far.cancel()
        assert until(lambda: far.done)


def test_what_names_files_of_this_machine_stays_here(here: Studio) -> None:
    with pytest.raises(StudioError) as error:
        made(here, replace(FOX, loras=(Lora("mine"),)))
    assert error.value.code == "no_lora"


def test_no_job_is_handed_on_twice(other: Place, here: Studio, tmp_path: Path) -> None:
    """Two studios that know each other would hand a job to and fro for ever."""
    with served(tmp_path / "middle", peers=other.url) as middle:
        middle.studio.peers.ask()
        object.__setattr__(
            middle.studio.catalog, "cards",
            {id: replace(card, starter=False, source=replace(card.source, kind="hub", repo="a/b"))
             for id, card in middle.studio.catalog.cards.items()},
        )  # fmt: skip
        told = {one["id"]: one for one in middle.http.get("/v1/models").json()["data"]}
        assert told["demo-chat"]["computed_on"] == other.url.removeprefix("http://")
        body = {"request": {"task": "chat", "model": "demo-chat", "messages": [{"role": "user", "content": "x"}]}}
        refused = middle.http.post("/v1/jobs", json={**body, "part": True})
        assert refused.json()["error"]["code"] == "part_remote"
        allowed = middle.http.post("/v1/jobs", json={**body, "stream": True})
        assert "You asked: x" in "".join(allowed.text.split('"text":"')[1:]), "its own jobs may go there"
        with studio_with(tmp_path / "asks", middle.url) as studio:
            assert not studio.peers.having(studio.catalog.get("demo-chat"))


def test_a_model_is_shown_as_one_that_leaves_this_machine(other: Place, here: Studio) -> None:
    (info,) = here.models.list("chat")
    assert (info.usable, info.elsewhere_only) == (True, other.url.removeprefix("http://"))
    assert here.models.here("chat", "demo-chat")


# Keys


def test_a_studio_behind_a_password_is_asked_with_a_key_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with served(tmp_path / "shut", profile="lan", password="correct horse") as shut:
        told = key(shut, "laptop")
        with studio_with(tmp_path / "a", f"{shut.url} THEIR_KEY") as studio:
            assert not studio.peers.having(studio.catalog.get("demo-chat"))
            monkeypatch.setenv("THEIR_KEY", told)
            studio.peers.ask()
            warm(shut.studio, "demo-chat")
            studio.peers.ask()
            job, artifact = made(studio, ask())
            assert job.device == shut.url.removeprefix("http://")
            assert shut.studio.jobs()[-1].session == "key laptop"
            monkeypatch.setenv("THEIR_KEY", "atelier-wrong")
            studio.peers.ask()
            assert not studio.peers.having(studio.catalog.get("demo-chat"))
        kept = "".join(file.read_text("utf-8", "replace") for file in (tmp_path / "a").rglob("*") if file.is_file())
        assert told not in kept + caplog.text + repr(artifact)
