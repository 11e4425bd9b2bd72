"""Readers of a job: each is given what it has not seen, and may be told of changes instead of waiting for them."""

from __future__ import annotations

import threading

from studio.jobs.job import Job


def test_each_reader_gets_the_whole_text_once() -> None:
    job = Job("chat", "a question")
    one = job.reader()
    job.add_text("Hello ")
    assert one.read().text == "Hello "
    assert one.read().text == ""
    late = job.reader()
    job.add_text("you")
    assert one.read().text == "you"
    assert late.read().text == "Hello you"


def test_a_reader_that_wants_to_be_told_is_told_of_every_change_until_it_leaves() -> None:
    told: list[int] = []
    job = Job("chat", "a question")
    reader = job.reader(lambda: told.append(1))
    assert job.readers == 1
    job.add_text("a")
    job.move("running")
    assert len(told) == 2
    reader.close()
    job.finish("done")
    assert len(told) == 2
    assert job.readers == 0


def test_a_reader_may_be_told_while_another_waits() -> None:
    job, told = Job("chat", "a question"), threading.Event()
    reader = job.reader(told.set)
    waiting = threading.Thread(target=lambda: list(job.events(10)))
    waiting.start()
    job.finish("done")
    waiting.join(5)
    assert not waiting.is_alive()
    assert told.is_set()
    assert reader.read(10).final


def test_looking_does_not_wait() -> None:
    job = Job("chat", "a question")
    reader = job.reader()
    assert [reader.read().kind for _ in range(3)] == ["queued"] * 3
