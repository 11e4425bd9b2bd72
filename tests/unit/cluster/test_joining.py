"""Lending a machine: the command for real and its end by SIGTERM; a cluster that goes away, or is of no use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from machines import Cluster, workers
from waiting import until

import app
from studio.cluster import joining
from studio.service import Studio

ROOT = Path(__file__).resolve().parents[3]


def test_a_machine_is_lent_until_it_is_told_to_end(cluster: Cluster, here: Studio, tmp_path: Path) -> None:
    given = {"HOME": tmp_path, "DEMO": 1, "DEVICE": "cpu", "KEEP_FREE_GB": 0, "RAY_WORKERS": 1, "LANGUAGE": "en"}
    line = [sys.executable, "-m", "studio", "worker", "--join", cluster.node.address]
    environment = {**os.environ, **{f"STUDIO_{name}": str(value) for name, value in given.items()}}
    lent = subprocess.Popen(line, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert until(lambda: len(workers(here).known) == 3, 90)
        assert (tmp_path / "workers").is_dir(), "it has a home of its own there"
        processes = psutil.Process(lent.pid).children(recursive=True)
        assert any("raylet" in process.name() for process in processes)
        lent.send_signal(signal.SIGTERM)
        _, said = lent.communicate(timeout=60)
    finally:
        lent.kill()
    assert lent.returncode == 0
    assert f"computes for the cluster at {cluster.node.address}" in said
    assert f"has left the cluster at {cluster.node.address}" in said
    assert until(lambda: len(here.peers.names) == 2, 30)
    assert until(lambda: not any(process.is_running() for process in processes), 30)


Lend = Callable[[str], tuple[int, list[str]]]


@pytest.fixture
def lend(monkeypatch: pytest.MonkeyPatch) -> Lend:
    """Lend with a script in place of the process, until it has said four things or ends by itself."""

    def go(script: str) -> tuple[int, list[str]]:
        over, told = threading.Event(), list[str]()
        monkeypatch.setattr(joining, "AGAIN", 0.01)
        monkeypatch.setattr(joining, "PATIENCE", 0.3)
        monkeypatch.setattr(joining, "command", lambda _: [sys.executable, "-c", script])

        def hear(what: str) -> None:
            told.append(what)
            if len(told) == 4:
                over.set()

        return joining.lend("192.168.1.20:6379", over, hear), told

    return go


def test_when_the_cluster_goes_away_it_is_looked_for_again(lend: Lend) -> None:
    assert lend("print('ready', flush=True); raise SystemExit(1)") == (0, ["ready", "gone"] * 2)


def test_what_is_of_no_use_is_tried_once(lend: Lend) -> None:
    assert lend(f"raise SystemExit({joining.UNUSABLE})") == (1, [])


def test_one_that_does_not_end_is_ended(lend: Lend) -> None:
    script = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "for _ in range(4): print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    assert lend(script) == (0, ["ready"] * 4)


@pytest.mark.parametrize("address", ["", "nonsense", "192.168.1.20", "a b:6379", "192.168.1.20:6379;ls"])
def test_an_address_is_one(address: str) -> None:
    line = [sys.executable, "-m", "studio", "worker", "--join", address]
    environment = {**os.environ, "RAY_ADDRESS": "", "STUDIO_LANGUAGE": "en"}
    said = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 2
    assert "--join 192.168.1.20:6379" in said.stderr


def test_the_page_knows_one_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--rai"]) == 2
    assert "--ray" in capsys.readouterr().err
