"""The studio for a little while as bench/soak.py has it for long: killed, asked for much, and by many at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.instance import Instance
from studio.paths import Home

ROOT = Path(__file__).resolve().parents[2]


def soaked(*asked: str) -> dict[str, Any]:
    line = [sys.executable, str(ROOT / "bench" / "soak.py"), *asked]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT, timeout=280)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(300)
def test_killed_fifty_times_it_loses_nothing_and_leaves_no_litter_and_no_lock() -> None:
    found = soaked("kills", "--rounds", "50", "--seed", "7")
    assert found["wrong"] == []
    assert found["rounds"] == 50
    assert found["kept"] > 20, "it was killed while it kept things"


@pytest.mark.timeout(300)
def test_after_five_hundred_jobs_memory_files_and_threads_are_as_before() -> None:
    assert soaked("jobs", "--jobs", "500")["wrong"] == []


@pytest.mark.timeout(300)
def test_of_thirty_strangers_nobody_waits_twice_as_long_as_all_and_nobody_sees_another() -> None:
    found = soaked("clients", "--seconds", "3", "--each", "0.02")
    assert found["wrong"] == []
    assert found["each"][0] >= 1


def test_whatever_file_was_being_written_is_gone_after_the_next_start(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    places = (home.root, home.models, home.cache, home.chats, home.outputs / "image", home.queue / "x", home.inputs)
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / ".kept.json.a1b2.part").write_text("half")
    mine = home.models / "whole" / ".weights.a1.part"
    mine.parent.mkdir()
    mine.write_text("of a download, which goes on with it")
    made = Instance(home)
    try:
        made._began += 10
        made.clear()
    finally:
        made.close()
    assert list(home.root.rglob(".*.part")) == [mine]
