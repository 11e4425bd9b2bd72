"""A model in a process of its own: it does what any model does, and its end costs one job, whatever the end is."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from leasing import lease
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.catalog.engines import ENGINES, EngineFacts
from studio.devices.device import Device
from studio.engines.base import Parkable
from studio.engines.demo.fake import FakeEngine
from studio.errors import Cancelled, StudioError
from studio.jobs.context import RunContext
from studio.jobs.job import Job
from studio.manager import ModelManager, Spec
from studio.manager.backends.process import child, proxy, worker
from studio.manager.backends.process.proxy import Isolated
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest, MusicRequest, UpscaleRequest
from studio.results import Output, Usage

SOON = 20.0
"""Seconds for what takes a moment; only a broken studio takes as long."""

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


class Ear:
    """A context that keeps what it was told, with switches to press; `when` is called after each step."""

    adapters: tuple[Path, ...] = ()
    previews = True

    def __init__(self, when: Callable[[Ear], None] = lambda _: None) -> None:
        self.cancelled = False
        self.skips = 0
        self.told: list[tuple[Any, ...]] = []
        self._when = when

    def alive(self) -> None: ...

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled

    def skipped(self) -> bool:
        pressed, self.skips = self.skips > 0, 0
        return pressed

    def step(self, done: int, total: int = 0) -> None:
        self.told.append(("step", done, total))
        self._when(self)

    def text(self, delta: str) -> None:
        self.told.append(("text", delta))

    def sound(self, samples: Any, rate: int) -> None:
        self.told.append(("sound", samples, rate))

    def preview(self, picture: Any, number: int = 0, whole: bool = False) -> None:
        self.told.append(("preview", picture))

    def kinds(self) -> set[str]:
        return {kind for kind, *_ in self.told}


def press_stop(ear: Ear) -> None:
    ear.cancelled = True


def press_skip(ear: Ear) -> None:
    ear.skips = 1


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that does the worst, on both sides."""
    monkeypatch.setitem(ENGINES, "probe", EngineFacts(place="probe_engine:ProbeEngine"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[..., Isolated]]:
    """Loads a model and closes it in the end."""
    models: list[Isolated] = []

    def start(engine: str = "probe", report: Callable[[float], None] = lambda _: None, **more: Any) -> Isolated:
        options = more.pop("options", {})
        card = tiny_card(Source("bundled"), 1, engine=engine, options=options, title="Probe")
        models.append(proxy.load(card, tmp_path, Device("cpu", threads=2), report, **more))
        return models[-1]

    yield start
    for model in models:
        model.close()


def chat(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message("user", text),))


def said(model: Isolated, text: str, ear: Ear | None = None) -> str:
    return model.run(chat(text), ear or Ear()).text


def gone(pid: int) -> bool:
    """The process has ended; what nobody has collected yet counts as ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def pid(model: Isolated) -> int:
    return model._child.pid


# What it says


def test_a_load_tells_how_far_it_is_and_how_large_the_model_came_out(load) -> None:
    heard: list[float] = []
    model = load(report=heard.append)
    assert heard == [0.5]
    assert model.nbytes() == 10
    assert model.alive
    assert pid(model) != os.getpid()
    assert model.process_nbytes() > 1_000_000


def test_it_counts_between_two_runs_from_any_thread_and_not_during_one(load) -> None:
    model, refused = load(), list[str]()

    def count() -> None:
        try:
            model.usage(chat("x"))
        except StudioError as error:
            refused.append(error.code)

    def elsewhere(_: Ear) -> None:
        thread = threading.Thread(target=count)
        thread.start()
        thread.join(SOON)

    assert model.usage(chat("x")) == Usage(1, 9, exact=True, left_out=(1, 2))
    said(model, "everything", Ear(elsewhere))
    assert set(refused) == {"too_busy"}
    refused.clear()
    elsewhere(Ear())
    assert refused == []
    model.kill()
    with pytest.raises(StudioError):
        model.usage(chat("x"))


def test_text_steps_previews_and_sound_arrive_as_they_were_told(load) -> None:
    ear = Ear()
    output = load().run(chat("everything"), ear)
    assert output == Output(text="said")
    assert [kind for kind, *_ in ear.told] == ["step", "text", "preview", "sound"]
    assert ear.told[0] == ("step", 1, 2)
    picture, (samples, rate) = ear.told[2][1], ear.told[3][1:]
    assert (picture.size, picture.getpixel((0, 0))) == ((8, 4), (255, 0, 0))
    assert (samples.dtype, samples.shape, rate) == (np.float32, (2, 5), 8000)
    assert float(samples.max()) == 0.25


def test_a_run_nobody_watches_shows_nothing(load) -> None:
    ear = Ear()
    ear.previews = False
    load().run(chat("everything"), ear)
    assert ear.kinds() == {"step", "text"}


@pytest.mark.parametrize(
    "request_",
    [
        chat("hello"),
        ImageRequest(prompt="a hill", width=64, height=64, steps=2, count=2, seed=5),
        MusicRequest(prompt="slow", duration=0.5, seed=5),
    ],
    ids=lambda request: request.task,
)
def test_its_output_is_the_one_it_has_in_our_own_process(load, request_, tmp_path: Path) -> None:
    card = tiny_card(Source("bundled"), 1, engine="fake")
    here = FakeEngine().load(card, tmp_path, Device("cpu"), lambda _: None).run(request_, Ear())
    there = load("fake").run(request_, Ear())
    assert (there.text, there.seeds, there.finish) == (here.text, here.seeds, here.finish)
    assert [picture.tobytes() for picture in there.images] == [picture.tobytes() for picture in here.images]
    assert [piece.samples.tobytes() for piece in there.audio] == [piece.samples.tobytes() for piece in here.audio]
    assert here.text or here.images or here.audio


def test_an_error_that_a_person_can_mend_arrives_with_its_code_and_figures(load) -> None:
    model = load()
    with pytest.raises(StudioError) as caught:
        said(model, "refused")
    assert (caught.value.code, caught.value.params) == ("context_full", {"model": "Probe", "count": 9, "limit": 8})
    with pytest.raises(StudioError) as caught:
        load("fake").run(UpscaleRequest(image=b"no picture"), Ear())
    assert caught.value.code == "bad_image"
    assert said(model, "everything") == "said"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("memory", "MemoryError", "no more"),
        ("device", "OutOfMemoryError", "no more on the device"),
        ("bug", "ValueError", "a bug of ours"),
        ("alien", "TypeError", "a object cannot cross to another process"),
    ],
)
def test_any_other_error_keeps_its_name_its_words_and_where_it_was(load, text, name, message) -> None:
    model = load()
    with pytest.raises(Exception, match=message) as caught:
        said(model, text)
    assert type(caught.value).__name__ == name
    assert str(caught.value) == message
    assert f"{name}: {message}" in caught.value.__notes__[0]
    assert isinstance(caught.value, MemoryError) == (name == "MemoryError")
    assert model.alive


def test_what_fails_while_it_is_told_stops_the_run_and_is_heard(load) -> None:
    def fail(_ear: Ear) -> None:
        raise LookupError("the page broke")

    model = load()
    with pytest.raises(LookupError, match="the page broke"):
        said(model, "waits", Ear(fail))
    assert said(model, "everything") == "said"


def test_what_libraries_print_and_log_goes_to_our_log_with_the_models_name(load, caplog) -> None:
    caplog.set_level(logging.INFO, "studio.worker")
    model = load()
    assert said(model, "talkative") == "done"
    model.close()
    for line in ("printed by a library", "complained by a library", "printed by native code"):
        assert f"[tiny] {line}" in caplog.messages
    [logged] = [record for record in caplog.records if record.message == "[tiny] library: logged by a library"]
    assert logged.levelno == logging.WARNING


def test_it_has_our_threads_no_network_no_telemetry_and_no_secrets(load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("STUDIO_PASSWORD", "secret")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    ear = Ear()
    ear.adapters = (Path("loras"), Path("more"))
    assert said(load(), "facts", ear) == "2 loras more 1 1 unset unset"


def test_no_key_of_another_computer_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORK_KEY", "STUDIO_API_KEY", "desk_token", "THEIR_SECRET"):
        monkeypatch.setenv(name, "hidden")
    assert "hidden" not in child._environment().values()


def test_parking_and_captioning_several_at_once_reach_it(load) -> None:
    model = load()
    assert isinstance(model, Parkable)
    assert model.parked_nbytes() == 7
    model.park()
    assert model.nbytes() == 0
    model.place()
    assert model.nbytes() == 10
    assert model.together(chat("a")) == 3
    assert [output.text for output in model.run_many([chat("a"), chat("b")], Ear())] == ["a", "b"]


def test_a_model_that_can_neither_is_not_asked_to(load) -> None:
    model = load("fake")
    assert model.parked_nbytes() is None
    assert model.together(chat("a")) == 1


def test_what_its_runs_take_is_measured_where_they_run(load) -> None:
    model = load()
    with proxy.measuring(model, Device("cpu"), fresh=True) as peak:
        assert peak.nbytes is None
        assert said(model, "large") == "80000000"
        said(model, "everything")
    assert peak.nbytes is not None
    assert 80_000_000 <= peak.nbytes < 120_000_000
    with proxy.measuring(model, Device("cpu"), fresh=False) as peak:
        said(model, "everything")
    assert peak.nbytes is not None
    assert peak.nbytes < 40_000_000


def test_a_model_in_our_own_process_is_measured_here(tmp_path: Path) -> None:
    from probe_engine import ProbeModel

    model = ProbeModel(Device("cpu"))
    with proxy.measuring(model, Device("cpu"), fresh=True) as peak:  # pyright: ignore[reportArgumentType]
        model.run(chat("large"), Ear())
    assert peak.nbytes is not None
    assert peak.nbytes >= 80_000_000


@pytest.mark.parametrize(("text", "signs"), [("quiet", 1), ("asks", 1), ("breathes", 2)])
def test_the_watchdog_hears_of_life_there_and_not_of_ours(load, text: str, signs: int) -> None:
    seen: list[int] = []
    load().run(chat(text), RunContext(Job("chat", "x"), beat=lambda: seen.append(1)))
    assert len(seen) == signs  # each run makes one step; only one of them says besides that it is alive


# Stop and Skip


def test_stop_reaches_it_and_what_there_is_is_kept(load) -> None:
    model = load()
    output = model.run(chat("waits"), Ear(press_stop))
    assert (output.text, output.finish) == ("half", "cancelled")
    with pytest.raises(Cancelled):
        model.run(chat("obeys"), Ear(press_stop))
    assert said(model, "everything") == "said"


def test_stop_takes_effect_within_a_step(load) -> None:
    def stop_at_two(ear: Ear) -> None:
        ear.cancelled = len(ear.told) >= 2

    ear = Ear(stop_at_two)
    output = load("fake", options={"step_seconds": 0.2}).run(chat("a b c d e f g h"), ear)
    assert output.finish == "cancelled"
    assert len([kind for kind, *_ in ear.told if kind == "step"]) <= 3


def test_skip_counts_once(load) -> None:
    assert said(load(), "skips", Ear(press_skip)) == "skipped, then False"


def test_a_stop_or_skip_that_came_too_late_does_not_hit_the_next_run(load) -> None:
    model = load()
    for op in ("stop", "skip"):
        model._child.send(op)
        assert said(model, "asks") == "stop False, skip False"
    ear = Ear()
    stopped = threading.Timer(0.3, lambda: setattr(ear, "cancelled", True))
    stopped.start()
    started = time.monotonic()
    assert model.run(chat("waits"), ear).finish == "cancelled"
    assert time.monotonic() - started > 0.25


@posix
def test_a_run_that_does_not_hear_stop_is_ended_with_its_process(load) -> None:
    model = load(stop_seconds=0.2)
    with pytest.raises(Cancelled):
        said(model, "deaf", Ear(press_stop))
    assert not model.alive
    assert gone(pid(model))


# Its end


@posix
@pytest.mark.parametrize(
    ("text", "reason"), [("breaks", "SIGSEGV"), ("quits", "exit code 3"), ("deaf", "SIGKILL")], ids=str
)
def test_a_crash_is_one_failed_run_that_says_how_it_ended(load, text, reason, caplog) -> None:
    ended: list[bool] = []
    model = load(ended=lambda: ended.append(model.alive))

    def kill(_ear: Ear) -> None:
        if text == "deaf":
            os.kill(pid(model), signal.SIGKILL)

    with pytest.raises(StudioError) as caught:
        said(model, text, Ear(kill))
    assert caught.value.code == "worker_ended"
    assert caught.value.params == {"model": "Probe", "reason": reason}
    assert ended == [False]
    assert not model.alive
    assert (model.process_nbytes(), model.parked_nbytes()) == (0, None)
    assert reason in caplog.text
    if text == "breaks":
        assert "probe_engine.py" in caplog.text  # where in the code it was
    with pytest.raises(StudioError, match=reason):
        said(model, "everything")
    model.close()
    model.close()
    assert ended == [False]


def test_the_end_of_an_idle_process_is_told_at_once(load) -> None:
    told = threading.Event()
    model = load(ended=told.set)
    model.kill()
    assert told.wait(SOON)
    assert not model.alive


def test_an_end_that_was_asked_for_is_not_told(load) -> None:
    told = threading.Event()
    model = load(ended=told.set)
    model.close()
    assert not model.alive
    assert gone(pid(model))
    assert not told.is_set()


@pytest.mark.parametrize(
    ("options", "code"), [({"error": "no head"}, "broken_model"), ({"crash": True}, "worker_ended")]
)
def test_a_load_that_fails_leaves_no_process(load, options, code) -> None:
    before = psutil.Process().children()
    with pytest.raises(StudioError) as caught:
        load(options=options)
    assert caught.value.code == code
    assert psutil.Process().children() == before


@posix
def test_a_load_that_hangs_is_ended_by_the_watchdog_and_leaves_no_process(load) -> None:
    from probe_engine import ProbeModel

    manager = ModelManager(Device("cpu"), stuck_after=1.0)
    begun: list[Isolated] = []

    def hang(report: Callable[[float], None]) -> Isolated:
        return load(report=report, options={"hang": True}, begun=lambda it: (begun.append(it), manager.begun(it)))

    with pytest.raises(StudioError) as caught, lease(manager, Spec("hung", 10, hang, apart=True), timeout=SOON):
        pass
    assert caught.value.code == "worker_hung"
    assert caught.value.params == {"model": "Probe", "minutes": 1}
    assert gone(pid(begun[0]))
    other = Spec("other", 10, lambda _: ProbeModel(Device("cpu")))  # pyright: ignore[reportArgumentType]
    with lease(manager, other, timeout=SOON) as model:
        assert model.nbytes() == 10
    assert (manager.status().stuck, [one.key for one in manager.status().cooling]) == (None, ["hung"])
    manager.close()


@posix
def test_a_run_that_hangs_says_so_once_the_watchdog_has_ended_it(load) -> None:
    model = load()
    with pytest.raises(StudioError) as caught:
        said(model, "deaf", Ear(lambda _: model.kill(silent=900.0)))
    assert caught.value.code == "worker_hung"
    assert caught.value.params == {"model": "Probe", "minutes": 15}
    assert "STUDIO_STUCK_AFTER" in caught.value.next()


@posix
def test_a_process_that_hangs_is_killed_when_it_is_closed(load) -> None:
    model = load(close_seconds=0.2)
    os.kill(pid(model), signal.SIGSTOP)
    model.close()
    assert gone(pid(model))


@posix
def test_ctrl_c_in_the_terminal_is_not_for_it(load) -> None:
    model = load()
    assert os.getpgid(pid(model)) != os.getpgid(0)
    os.kill(pid(model), signal.SIGINT)
    assert said(model, "everything") == "said"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be told")
def test_where_the_machine_runs_out_of_memory_it_goes_first(load) -> None:
    model = load()
    worst, own = (Path(f"/proc/{id}/oom_score_adj").read_text() for id in (pid(model), "self"))
    assert int(worst) == min(int(own) + 300, 1000)


@pytest.mark.parametrize("initialised", [True, False])
def test_between_two_runs_nothing_is_kept_on_a_gpu_but_the_weights(monkeypatch, initialised: bool) -> None:
    emptied: list[bool] = []
    cuda = SimpleNamespace(
        is_available=lambda: True, is_initialized=lambda: initialised, empty_cache=lambda: emptied.append(True)
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    worker._tidy()
    assert bool(emptied) == initialised


def test_ten_rounds_leave_no_process_no_pipe_and_no_thread(load) -> None:
    load().close()
    before = _open_files(), threading.active_count(), psutil.Process().children(recursive=True)
    for _ in range(10):
        load().close()
    assert (_open_files(), threading.active_count(), psutil.Process().children(recursive=True)) == before


def _open_files() -> int:
    process = psutil.Process()
    return process.num_fds() if hasattr(process, "num_fds") else process.num_handles()


@posix
@pytest.mark.parametrize("hung", [False, True] if sys.platform == "linux" else [False])
def test_it_ends_with_the_studio_even_where_that_is_killed(tmp_path: Path, hung: bool) -> None:
    """Also while native code hangs in it and lets no thread of Python run."""
    code = (
        "import os, signal, sys, time; from pathlib import Path; from tiny_card import *;"
        "from studio.manager.backends.process import proxy; from studio.devices.device import Device;"
        "from studio.catalog.engines import ENGINES, EngineFacts;"
        "ENGINES['probe'] = EngineFacts(place='probe_engine:ProbeEngine');"
        f"card = tiny_card(Source('bundled'), 1, engine='probe', options={{'hang': {hung}}});"
        "begun = [];"
        "say = lambda: print(begun[0]._child.pid, flush=True);"
        "end = lambda _: (time.sleep(0.5), say(), os.kill(os.getpid(), signal.SIGKILL));"
        "proxy.load(card, Path(), Device('cpu'), end, begun=begun.append)"
    )
    path = os.pathsep.join([str(Path(__file__).parents[3]), str(Path(__file__).parents[1])])
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert eventually(lambda: gone(int(run.stdout)))


# Who gets one


@pytest.mark.parametrize(
    ("setting", "id", "expected"),
    [
        ("", "tiny", False),
        ("all", "tiny", True),
        ("other, tiny", "tiny", True),
        ("tiny", "tiny@int8", True),
        ("tiny@int8", "tiny@int8", True),
        ("tiny@int8", "tiny", False),
        ("tiny", "tiny-2", False),
    ],
)
def test_the_setting_names_all_models_or_some(setting, id, expected) -> None:
    assert proxy.wanted(tiny_card(Source("bundled"), 1, id=id), setting) is expected


def test_a_models_own_table_can_ask_for_it() -> None:
    card: Card = tiny_card(Source("bundled"), 1, isolate=True)
    assert proxy.wanted(card, "")
