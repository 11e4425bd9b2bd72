"""A cluster of two machines, for real: every task on it, Stop, kills at every moment, silence, and coming back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import ray
from machines import STANDS_IN, Cluster, kill, pid, workers
from PIL import Image
from serving import png
from waiting import until

from studio.errors import Cancelled
from studio.jobs.job import Job
from studio.manager.backends.ray import actors, line
from studio.request_parts import Lora, Message
from studio.requests import (
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Request,
    UpscaleRequest,
)
from studio.service import Studio
from studio.settings import Settings

ASK = ChatRequest(messages=(Message("user", "Why is the sky blue?"),), seed=1)
FOX = ImageRequest(prompt="a fox", width=64, height=64, steps=40, seed=7)
FIVE: tuple[Request, ...] = (
    ASK,
    replace(FOX, steps=4),
    MusicRequest(prompt="a waltz", duration=2, seed=3),
    CodeRequest(prefix="def f():", suffix="\n", language="python", seed=1),
    CaptionRequest(image=png(), seed=5),
)
Slow = Callable[..., None]


def failed(job: Job) -> str:
    """The code of the error in which a job ended."""
    assert until(lambda: job.done, 60)
    error = job.snapshot().error
    return "" if error is None else error.code


@pytest.mark.parametrize("asked", [*FIVE, UpscaleRequest(image=png(), scale=2)], ids=lambda one: one.task)
def test_every_task_is_computed_there(here: Studio, asked: Request) -> None:
    job = here.submit(asked)
    artifact = job.result()
    assert job.device in here.peers.names
    assert artifact.text or artifact.files
    assert artifact.recipe["hardware"] == job.device


def test_a_picture_is_the_same_as_here_and_is_seen_on_its_way(here: Studio, slow: Slow, tmp_path: Path) -> None:
    slow(step_seconds=0.05)
    job = here.submit(FOX, previews=True)
    seen = [update for update in job.events() if update.previews]
    assert seen
    assert max(update.step for update in seen) > 1
    with Studio(Settings(**{**STANDS_IN, "home": tmp_path, "ray": False})) as alone:
        files = [one.result().files[0] for one in (job, alone.submit(FOX))]
        there, own = (Image.open(file).convert("RGB").tobytes() for file in files)
    assert there == own


def test_its_ports_are_reached_from_this_machine_alone(cluster: Cluster) -> None:
    """Of all processes of Ray below this one and of what they started."""
    ours = psutil.Process().children(recursive=True)
    listening = [
        (process.name(), one.laddr.ip)
        for process in [psutil.Process(), *ours]
        for one in process.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    ]
    assert len(listening) > 5
    assert {ip.removeprefix("::ffff:") for _, ip in listening} == {"127.0.0.1"}


def test_a_model_is_used_again_where_it_is_warm(here: Studio, slow: Slow) -> None:
    slow(load_seconds=1.0)
    first = here.submit(ASK)
    first.result()
    assert {here.submit(ASK).result().recipe["hardware"] for _ in range(8)} == {first.device}


def test_what_is_said_to_leave_this_machine_does(here: Studio) -> None:
    """A worker of this machine is no other computer."""
    (info,) = here.models.list("chat")
    assert info.peers == ("second cpu",)
    lent = here.status().lent
    assert {one.name for one in lent} == {*here.peers.names}
    assert all(one.machine and one.hardware for one in lent)


def test_what_names_files_of_this_machine_stays_here(here: Studio) -> None:
    (here.home.loras / "ink.safetensors").write_bytes(b"no weights")
    job = here.submit(replace(FOX, loras=(Lora("ink", 1.0),)))
    assert until(lambda: job.done)
    assert job.device == "cpu"


def test_stop_ends_it_there_and_keeps_what_was_said(here: Studio, slow: Slow) -> None:
    slow(step_seconds=0.2)
    job = here.submit(ASK)
    assert until(lambda: len(job.snapshot().text) > 5)
    job.cancel()
    assert until(lambda: job.done)
    assert job.snapshot().text.startswith("You a")
    for name in here.peers.names:
        assert until(lambda name=name: ray.get(actors.handle(name).parts.remote()) == 0)


def test_stop_of_a_picture_keeps_nothing(here: Studio, slow: Slow) -> None:
    slow(step_seconds=0.2)
    job = here.submit(FOX)
    assert until(lambda: job.snapshot().step > 1)
    job.cancel()
    with pytest.raises(Cancelled):
        job.result()


# ---- kills


def test_killed_while_it_loads_another_one_does_it(here: Studio, slow: Slow) -> None:
    slow(load_seconds=2.0)
    job = here.submit(ASK)
    assert until(lambda: job.kind == "loading")
    first = job.device
    kill(first)
    assert job.result().text.startswith("You asked: Why is the sky blue?")
    assert job.device in {*here.peers.names} - {first}


def test_killed_while_it_runs_and_nothing_was_seen_another_one_does_it(here: Studio, slow: Slow) -> None:
    slow(step_seconds=0.1)
    job = here.submit(FOX)
    assert until(lambda: job.snapshot().step > 1)
    first = job.device
    kill(first)
    assert len(job.result().files) == 1
    assert job.device != first


def test_killed_while_it_streams_it_fails_with_one_clear_error(here: Studio, slow: Slow) -> None:
    slow(step_seconds=0.1)
    job = here.submit(ASK)
    assert until(lambda: len(job.snapshot().text) > 5)
    kill(job.device)
    assert failed(job) == "remote_gone"
    assert job.snapshot().text.startswith("You a")
    assert job.snapshot().error.params == {"host": job.device}  # pyright: ignore[reportOptionalMemberAccess]


def test_where_all_are_gone_jobs_wait_and_those_that_come_back_are_used_again(here: Studio, slow: Slow) -> None:
    slow(step_seconds=0.02)
    for name in here.peers.names:
        kill(name)
    assert until(lambda: not workers(here).known, 30)
    job = here.submit(FOX)
    assert not job.done
    assert job.result().files
    assert until(lambda: len(workers(here).known) == 2, 60)
    here.submit(FOX).result()  # it is known how long it takes
    shares = Counter(job.device for job in [here.submit(FOX) for _ in range(8)] if job.result())
    assert min(shares[name] for name in here.peers.names) >= 2


def test_what_a_silent_one_says_later_is_dropped(here: Studio, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is cut off goes on computing: its job is done by the other, and kept once."""
    slow(step_seconds=0.1)
    monkeypatch.setattr(line, "SILENCE", 1.5)
    before = len(list(here.home.outputs.rglob("*.png")))
    job = here.submit(FOX)
    assert until(lambda: job.snapshot().step > 1)
    first = job.device
    cut_off = psutil.Process(pid(first))
    cut_off.suspend()
    try:
        artifact = job.result()
        assert job.device != first
    finally:
        cut_off.resume()
    assert until(lambda: ray.get(actors.handle(first).parts.remote()) == 0, 30), "it was told to stop"
    assert until(lambda: first in workers(here).known, 30)
    assert len(list(here.home.outputs.rglob("*.png"))) - before == len(artifact.files) == 1


def test_a_restart_of_the_first_machine_loses_no_job(cluster: Cluster, slow: Slow, tmp_path: Path) -> None:
    """Those that wait for workers are there again, and are done by them."""
    slow(step_seconds=0.05)
    studio = cluster.studio(tmp_path)
    studio.clear()
    jobs = [studio.submit(replace(FOX, steps=10, seed=number)) for number in range(8)]
    assert until(lambda: any(job.snapshot().step > 1 for job in jobs))
    assert len(studio.queue.rows(None)) >= 2
    done = sum(job.kind == "done" for job in jobs)
    studio.close()
    again = cluster.studio(tmp_path)
    again.clear()
    assert len(again.queue.earlier()) + len(again.jobs()) >= 8 - done
    again.queue.go_on([one.id for one in again.queue.earlier()], "")
    assert len(again.jobs()) >= 8 - done
    assert all(job.result().files for job in again.jobs())
    assert {job.device for job in again.jobs()} <= set(again.peers.names)
    again.close()


def test_jobs_of_five_kinds_while_workers_are_killed(here: Studio, slow: Slow) -> None:
    """Every one is done or told, none twice, none lost; bench/cluster.py has the long form."""
    slow(step_seconds=0.02)
    pictures = set(here.home.outputs.rglob("*.png"))
    jobs = [here.submit(FIVE[number % 5]) for number in range(20)]
    for name in here.peers.names:
        at_work = lambda name=name: any(job.device == name and job.kind == "running" for job in jobs)  # noqa: E731
        assert until(at_work, 30)
        kill(name)
    assert until(lambda: all(job.done for job in jobs), 120)
    ends = Counter(job.kind for job in jobs)
    assert ends["done"] >= 12
    assert {job.snapshot().error.code for job in jobs if job.kind == "failed"} <= {"remote_gone"}  # pyright: ignore
    painted = [job for job in jobs if job.task == "image" and job.kind == "done"]
    assert len(set(here.home.outputs.rglob("*.png")) - pictures) == len(painted)
