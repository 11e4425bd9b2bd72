"""The whole studio with its models in processes of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.manager.backends.process.proxy import Isolated
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest
from studio.service import Studio
from studio.settings import Settings

SOON = 20.0


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings.model_copy(update={"isolate": "all"})) as running:
        yield running


def chat(text: str = "hello") -> ChatRequest:
    return ChatRequest(messages=(Message("user", text),))


def picture() -> ImageRequest:
    return ImageRequest(prompt="a hill", width=64, height=64, steps=4, seed=3)


def workers() -> set[int]:
    """Processes with a model in them."""
    found = (process for process in psutil.Process().children() if process.status() != psutil.STATUS_ZOMBIE)
    return {process.pid for process in found if "studio.manager.backends.process.worker" in process.cmdline()}


def resident(studio: Studio) -> list[str]:
    return [model.key for device in studio.status().devices for model in device.models]


def model(studio: Studio, key: str) -> Isolated:
    [manager] = [manager for manager in studio._runner.fleet if key in manager._loaded]
    found = manager._loaded[key]
    assert isinstance(found, Isolated)
    return found


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def running(job) -> bool:
    return job.snapshot().kind == "running" and job.snapshot().step > 0


def test_each_model_has_a_process_and_unloading_ends_it(studio: Studio) -> None:
    assert studio.submit(chat()).result().text.startswith("You asked: hello")
    studio.submit(picture()).result()
    assert len(workers()) == 2
    studio.models.unload()
    assert eventually(lambda: not workers() and not resident(studio))


def test_the_same_model_answers_again_from_the_same_process(studio: Studio) -> None:
    studio.submit(chat()).result()
    first = workers()
    studio.submit(chat("again")).result()
    assert workers() == first


def test_a_picture_is_the_one_that_comes_without_a_process_of_its_own(studio: Studio, settings: Settings) -> None:
    artifact = studio.submit(picture()).result()
    with Studio(settings) as plain:
        files = (*plain.submit(picture()).result().files, *artifact.files)
        here, there = (Image.open(file).tobytes() for file in files)
        assert here == there


def test_a_killed_process_costs_its_job_and_no_other(studio: Studio, slow: Callable[..., Studio]) -> None:
    slow(step_seconds=0.05)
    studio.submit(picture()).result()
    others = workers()
    first, second = studio.submit(chat("first")), studio.submit(chat("second"))
    assert eventually(lambda: running(first))
    model(studio, "demo-chat").kill()
    with pytest.raises(StudioError) as caught:
        first.result()
    assert caught.value.code == "worker_ended"
    assert caught.value.params["model"] == "Demo chat"
    assert second.result().text.startswith("You asked: second")
    assert others < workers()


def test_a_process_that_dies_unused_costs_no_job(studio: Studio) -> None:
    studio.submit(chat()).result()
    model(studio, "demo-chat").kill()
    assert eventually(lambda: "demo-chat" not in resident(studio))
    assert studio.submit(chat("again")).result().text.startswith("You asked: again")


def test_stop_is_heard_in_the_process(studio: Studio, slow: Callable[..., Studio]) -> None:
    slow(step_seconds=0.1)
    job = studio.submit(chat("a b c d e f"))
    assert eventually(lambda: running(job))
    job.cancel()
    artifact = job.result()
    assert artifact.finish == "cancelled"
    assert artifact.text
    assert "demo-chat" in resident(studio)


def test_closing_the_studio_ends_all_processes(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"isolate": "all"})) as studio:
        studio.submit(chat()).result()
        studio.submit(picture()).result()
    assert eventually(lambda: not workers())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker-")]


def test_what_a_process_holds_is_shown_with_its_model_and_counted_with_the_studio(studio: Studio) -> None:
    before = studio.status().private
    studio.submit(chat()).result()
    after = studio.status()
    (shown,) = [found for device in after.devices for found in device.models]
    assert shown.process is not None
    assert 5_000_000 < shown.process < 1_000_000_000
    assert after.private - before > shown.process / 2
    studio.models.unload()
    assert eventually(lambda: not resident(studio))
    assert studio.status().private < before + shown.process / 2


def test_nobody_looks_for_processes_while_no_model_has_one(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bool] = []
    real = psutil.Process.children

    def children(process: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
        looks.append(recursive)
        return real(process, recursive)

    monkeypatch.setattr(psutil.Process, "children", children)
    ours = studio.status().private
    assert (ours > 0, looks) == (True, [])
    studio.submit(chat()).result()
    looks.clear()
    studio.status()
    assert looks == [True]
    studio.models.unload()
    assert eventually(lambda: not resident(studio))
    looks.clear()
    studio.status()
    assert looks == []


def test_only_the_models_that_are_named_have_one(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"isolate": "demo-image"})) as studio:
        studio.submit(chat()).result()
        assert not workers()
        studio.submit(picture()).result()
        assert len(workers()) == 1


def test_what_no_longer_fits_is_summed_up_there_too(studio: Studio) -> None:
    said = tuple(Message("user" if n % 2 else "assistant", f"{n} " + "word " * 400) for n in range(1, 22))
    request = ChatRequest(messages=said, summarise=True, max_tokens=20)
    *_, last = studio.submit(request).events(heartbeat=SOON)
    assert last.artifact is not None, last.error
    notes = dict(last.artifact.notes)
    assert notes["history_summarised"]["count"] > 0


def test_tokens_are_counted_there(studio: Studio) -> None:
    assert not studio.usage(chat()).exact
    *_, last = studio.submit(chat()).events(heartbeat=SOON)
    assert last.artifact is not None, last.error
    assert studio.usage(chat()).exact
