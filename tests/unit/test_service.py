"""From a request to its result through the service: order, Stop, detach, limits, failures, what is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from studio.engines.demo.fake import FakeModel
from studio.errors import Cancelled, StudioError
from studio.jobs.job import Job
from studio.library.chats import Entry
from studio.request_parts import Message
from studio.requests import ChatRequest, CodeRequest, ImageRequest
from studio.results import Output, Update
from studio.service import Studio
from studio.settings import Settings

HELLO = ChatRequest(messages=(Message("user", "hello"),))


def wait(job: Job) -> Update:
    *_, last = job.events(heartbeat=5)
    return last


def until(job: Job, kind: str) -> Update:
    return next(update for update in job.events(heartbeat=5) if update.kind == kind or update.final)


def test_a_chat_streams_and_ends_with_the_whole_text(studio: Studio) -> None:
    updates = list(studio.submit(HELLO).events())
    assert updates[-1].kind == "done"
    assert updates[-1].artifact is not None
    assert "".join(update.text for update in updates) == updates[-1].artifact.text != ""


def test_a_reader_that_comes_late_gets_everything(studio: Studio) -> None:
    job = studio.submit(HELLO)
    wait(job)
    assert "You asked: hello" in "".join(update.text for update in job.events())


def test_sequence_numbers_never_go_back(slow: Callable[..., Studio]) -> None:
    numbers = [update.seq for update in slow(step_seconds=0.005).submit(HELLO).events(heartbeat=0.01)]
    assert numbers == sorted(numbers)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(studio: Studio) -> None:
    def pixels(seed: int) -> bytes:
        from PIL import Image

        artifact = studio.submit(ImageRequest(prompt="hills", seed=seed, steps=1)).result()
        return Image.open(artifact.files[0]).tobytes()

    assert pixels(1) == pixels(1) != pixels(2)


def test_each_picture_of_a_batch_is_the_single_one_with_its_seed(studio: Studio) -> None:
    from PIL import Image

    batch = studio.submit(ImageRequest(prompt="hills", seed=5, count=2, steps=1)).result()
    alone = studio.submit(ImageRequest(prompt="hills", seed=6, steps=1)).result()
    assert [recipe["seed"] for recipe in batch.recipes] == [5, 6]
    assert Image.open(batch.files[1]).tobytes() == Image.open(alone.files[0]).tobytes()


def test_a_recipe_holds_no_open_question(studio: Studio) -> None:
    recipe = studio.submit(ImageRequest(prompt="hills", steps=1)).result().recipe
    assert recipe["model"]["id"] == "demo-image"
    assert isinstance(recipe["seed"], int)
    assert None not in recipe["parameters"].values()


def test_stop_then_start_never_computes_twice_at_once(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.2)
    FakeModel.peak = 0
    first = studio.submit(HELLO)
    until(first, "running")
    first.cancel()
    assert next(iter(first.events())).stopping
    second = studio.submit(HELLO)
    until(second, "running")
    second.cancel()
    wait(first)
    wait(second)
    assert FakeModel.peak == 1


def test_stop_keeps_the_text_there_is(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.02).submit(HELLO)
    next(update for update in job.events() if update.text)
    job.cancel()
    last = wait(job)
    assert last.kind == "cancelled"
    assert last.artifact is not None
    assert last.artifact.text


def test_stop_keeps_the_pictures_that_are_done(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.01).submit(ImageRequest(prompt="hills", count=3, steps=4))
    next(update for update in job.events() if update.step > 4)
    job.cancel()
    last = wait(job)
    assert last.kind == "cancelled"
    assert last.artifact is not None
    assert 1 <= len(last.artifact.files) < 3


def test_a_job_that_waits_is_stopped_at_once(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.3)
    running, waiting = studio.submit(HELLO), studio.submit(HELLO)
    until(running, "running")
    assert waiting.snapshot().position == 1
    waiting.cancel()
    assert waiting.done
    with pytest.raises(Cancelled):
        waiting.result()
    running.cancel()


def test_a_job_goes_on_when_nobody_reads_it(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.005)
    job = studio.submit(HELLO, session="a")
    reader = job.events()
    next(reader)
    reader.close()
    assert studio.job(job.id, "a") is job
    assert wait(job).kind == "done"


def test_a_public_studio_stops_what_nobody_watches(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"detach_grace": 0.05})) as studio:
        cards = {id: replace(card, options={"step_seconds": 0.05}) for id, card in studio.catalog.cards.items()}
        object.__setattr__(studio.catalog, "cards", cards)
        job = studio.submit(HELLO)
        reader = job.events()
        next(reader)
        reader.close()
        ended = threading.Event()
        threading.Thread(target=lambda: (job._cancelled.wait(10), ended.set()), daemon=True).start()
        assert ended.wait(10)


def test_another_session_does_not_find_the_job(studio: Studio) -> None:
    job = studio.submit(HELLO, session="a")
    with pytest.raises(StudioError) as caught:
        studio.job(job.id, "b")
    assert caught.value.code == "unknown_job"
    assert studio.jobs("b") == ()


def test_too_many_jobs_are_refused_and_the_others_finish(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"max_queue": 3, "max_jobs_per_session": 2})) as studio:
        cards = {id: replace(card, options={"step_seconds": 0.02}) for id, card in studio.catalog.cards.items()}
        object.__setattr__(studio.catalog, "cards", cards)
        jobs = [studio.submit(HELLO, session="a"), studio.submit(HELLO, session="a")]
        with pytest.raises(StudioError) as mine:
            studio.submit(HELLO, session="a")
        jobs.append(studio.submit(HELLO, session="b"))
        with pytest.raises(StudioError) as everybody:
            studio.submit(HELLO, session="c")
        assert (mine.value.code, everybody.value.code) == ("too_many_jobs", "queue_full")
        for job in jobs:
            job.cancel()
            wait(job)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ImageRequest(prompt=""), "empty"),
        (ImageRequest(prompt="x" * 1_000_000), "too_long"),
        (ImageRequest(prompt="x", steps=-1), "out_of_range"),
        (ImageRequest(prompt="x", guidance_scale=float("nan")), "not_a_number"),
        (ImageRequest(prompt="x", model="nothing"), "unknown_model"),
        (ImageRequest(prompt="x", model="demo-chat"), "wrong_task"),
        (ChatRequest(messages=()), "empty"),
        (CodeRequest(prefix="x", temperature=1e9), "out_of_range"),
    ],
)
def test_bad_input_is_refused_before_a_job_exists(studio: Studio, request_: ImageRequest, code: str) -> None:
    with pytest.raises(StudioError) as caught:
        studio.submit(request_)
    assert caught.value.code == code
    assert studio.jobs() == ()


def test_a_bug_in_an_engine_becomes_a_number_and_the_next_job_works(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(FakeModel, "run", lambda *_: 1 / 0)
        last = wait(studio.submit(HELLO))
    assert last.error is not None
    assert last.error.code == "internal"
    assert wait(studio.submit(HELLO)).kind == "done"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_running_out_of_memory_is_said_plainly(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def run(*_: object) -> Output:
        raise error

    monkeypatch.setattr(FakeModel, "run", run)
    last = wait(studio.submit(HELLO))
    assert last.error is not None
    assert last.error.code == "out_of_memory"


def test_question_and_answer_are_on_disk_when_the_job_ends(studio: Studio) -> None:
    chat = replace(studio.chats.new(), messages=(Entry("user", "hello"),))
    job = studio.say(chat, ChatRequest(messages=()))
    wait(job)
    saved = studio.chats.load(chat.id)
    assert [entry.role for entry in saved.messages] == ["user", "assistant"]
    assert saved.messages[1].content.startswith("You asked: hello")
    assert saved.messages[1].recipe is not None


def test_a_refused_message_leaves_the_conversation_as_it_was(studio: Studio) -> None:
    chat = studio.chats.save(replace(studio.chats.new(), messages=(Entry("user", "hello"),)))
    with pytest.raises(StudioError):
        studio.say(replace(chat, messages=(*chat.messages, Entry("user", "x" * 2_000_000))), ChatRequest(messages=()))
    assert studio.chats.load(chat.id).messages == chat.messages


def test_deleting_a_conversation_while_it_is_answered_deletes_the_answer(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.01)
    chat = replace(studio.chats.new(), messages=(Entry("user", "hello"),))
    job = studio.say(chat, ChatRequest(messages=()))
    until(job, "running")
    studio.chats.delete(chat.id)
    assert wait(job).kind == "done"
    assert studio.chats.list() == ()


def test_thoughts_are_not_read_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ChatRequest] = []
    monkeypatch.setattr(FakeModel, "run", lambda _self, request, _context: (seen.append(request), Output("ok"))[1])
    talk = (Entry("user", "a"), Entry("assistant", "<think>secret</think>\nb"), Entry("user", "c"))
    wait(studio.say(replace(studio.chats.new(), messages=talk), ChatRequest(messages=())))
    assert [message.content for message in seen[0].messages] == ["a", "b", "c"]


def test_a_full_disk_fails_the_job_and_leaves_nothing_behind(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    last = wait(studio.submit(ImageRequest(prompt="hills", steps=1)))
    assert last.error is not None
    assert last.error.code == "disk_full"
    assert [path for path in Path(studio.home.outputs).rglob("*") if path.is_file()] == []


def test_closing_ends_what_runs_and_refuses_what_comes(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.05)
    job = studio.submit(HELLO)
    until(job, "running")
    studio.close()
    assert job.done
    with pytest.raises(StudioError) as caught:
        studio.submit(HELLO)
    assert caught.value.code == "closing"


def test_unload_frees_idle_models(studio: Studio) -> None:
    wait(studio.submit(HELLO))
    assert [model.key for device in studio.status().devices for model in device.models] == ["demo-chat"]
    studio.models.unload()
    done = threading.Event()
    studio._runner.fleet.processor.lane.put(done.set)
    assert done.wait(5)
    assert studio.status().devices[0].models == ()


def test_a_model_that_is_missing_is_named_with_its_size(tmp_path: Path) -> None:
    with Studio(Settings(home=tmp_path, device="cpu", offline=True)) as studio:
        with pytest.raises(StudioError) as caught:
            studio.submit(ImageRequest(prompt="x", model="sd-turbo"))
        assert caught.value.code == "not_on_disk"
        last = wait(studio.submit(HELLO))  # the starter is fetched on first use, and this studio may not
        assert last.error is not None
        assert last.error.code == "offline_setting"
