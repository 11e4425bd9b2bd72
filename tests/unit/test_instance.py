"""Several studios at one home: nobody takes what another uses, and what the dead left goes away."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from studio import instance as instances
from studio.errors import StudioError
from studio.instance import Instance, expire
from studio.paths import Home

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "_FRESH", 0.0)


@contextmanager
def another(home: Home) -> Iterator[subprocess.Popen[str]]:
    """A studio in a process of its own that shows a picture and is about to finish writing one."""
    program = f"""
from pathlib import Path
from studio.instance import Instance
from studio.paths import Home, writing
home = Home.at(Path({str(home.root)!r}))
one = Instance(home)
for place in (one.shown, one.sessions):
    place.mkdir(parents=True)
    (place / "a.png").write_text("shown")
with writing(home.outputs / "image" / "b.png"):
    print(one.id, flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def files(home: Home) -> list[str]:
    everything = (path for path in home.root.rglob("*") if path.is_file())
    return sorted(path.name for path in everything if path.suffix in (".png", ".part") and "models" not in path.parts)


def test_what_another_studio_shows_and_writes_stays(home: Home) -> None:
    with another(home):
        before = files(home)
        assert len(before) == 3
        own = Instance(home)
        own.clear()
        assert files(home) == before
        assert len(own.others()) == 1


def test_what_a_killed_studio_left_is_gone_after_the_next_start(home: Home) -> None:
    with another(home) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        own = Instance(home)
        own.clear()
        assert files(home) == []
        assert [path.name for path in (home.cache / "instances").iterdir()] == [own.id]


def test_a_file_begun_after_the_look_at_who_is_there_stays(home: Home) -> None:
    own = Instance(home)
    late = home.outputs / ".later.png.x.part"
    late.touch()
    os.utime(late, (time.time() + 5, time.time() + 5))
    own.clear()
    assert late.exists()


def test_what_an_older_version_left_goes_too(home: Home) -> None:
    """Before studios had places of their own, all of them showed from one folder."""
    old = home.cache / "gradio" / "0123456789abcdef" / "a.png"
    old.parent.mkdir(parents=True)
    old.touch()
    Instance(home).clear()
    assert not old.exists()


def test_an_unfinished_download_is_no_leftover(home: Home) -> None:
    part = home.models / "hub" / "model.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_text("half")
    Instance(home).clear()
    assert part.read_text() == "half"


def test_who_leaves_takes_everything_along(home: Home) -> None:
    own = Instance(home)
    own.shown.mkdir(parents=True)
    (own.shown / "a.png").touch()
    own.close()
    own.close()
    assert files(home) == []
    assert list((home.cache / "instances").iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(errno.EROFS, "home_not_writable"), (errno.ENOSPC, "disk_full")])
def test_a_home_that_cannot_be_written_is_said_at_the_start(
    home: Home, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(instances.FileLock, "acquire", refused)
    with pytest.raises(StudioError) as caught:
        Instance(home)
    assert caught.value.code == code


def test_a_file_system_without_locks_still_serves(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(instances.FileLock, "acquire", unknown)
    Instance(home).clear()


def test_what_nobody_looked_at_for_a_day_expires_and_its_folder_after_it(tmp_path: Path) -> None:
    now = time.time()
    for name, age in (("old/a.png", 90_000), ("read/a.png", 90_000), ("new/a.png", 10), ("own/a.png", 90_000)):
        file = tmp_path / name
        file.parent.mkdir()
        file.touch()
        os.utime(file, (now if name.startswith("read") else now - age, now - age))
    expire(tmp_path, 86_400, {str(tmp_path / "own/a.png")})
    assert sorted(path.parent.name for path in tmp_path.rglob("*.png")) == ["new", "own", "read"]
    os.utime(tmp_path / "old", (now - 90_000, now - 90_000))
    expire(tmp_path, 86_400)
    assert not (tmp_path / "old").exists()


# ---- jobs that a studio had not ended


def test_a_job_that_had_not_ended_is_known_to_the_next_studio_alone(home: Home) -> None:
    dead = Instance(home)
    for job in ("done", "cut"):
        dead.begun(job)
    dead.ended("done")
    dead.close()
    living = Instance(home)
    living.begun("mine")
    living.clear()
    assert living.interrupted == {"cut"}
    beside = Instance(home)
    beside.clear()
    assert beside.interrupted == frozenset()  # "mine" runs, and "cut" has been told
    for one in (living, beside):
        one.close()


def test_a_studio_that_has_ended_all_its_jobs_leaves_nothing(home: Home) -> None:
    one = Instance(home)
    one.begun("a")
    one.ended("a")
    one.ended("never begun")
    one.close()
    assert not list((home.cache / "instances").glob("*"))
