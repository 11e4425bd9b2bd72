"""Second look: real suites of a few tests, run by the real pytest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from install import second_look

ROOT = Path(__file__).resolve().parents[3]
STEADY = "def test_steady(): pass\n"
BESIDE = 'import os\ndef test_beside(): assert "PYTEST_XDIST_WORKER" not in os.environ\n'
BROKEN = "def test_broken(): assert False\n"


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Run a suite of one file as the whole one is run."""
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # those of the project take seconds to load

    def look(text: str) -> int:
        (tmp_path / "test_it.py").write_text(text)
        shutil.copy(ROOT / "pyproject.toml", tmp_path)  # as the project has it: what it switches off is off
        alone = [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "pytest_timeout", str(tmp_path)]
        return second_look.run([*alone, "--numprocesses=1"], alone, str(tmp_path))

    return look


def test_what_fails_beside_others_alone_is_named_and_passes(
    look: Callable[[str], int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert look(STEADY + BESIDE) == 0
    told = capfd.readouterr().out
    assert "1 failed, 1 passed" in told
    assert told.endswith("Unsteady: test_it.py::test_beside failed beside others and passes by itself\n")
    assert {one.name for one in tmp_path.iterdir()} <= {"test_it.py", "pyproject.toml", "__pycache__"}


def test_what_fails_twice_has_failed(look: Callable[[str], int], capfd: pytest.CaptureFixture[str]) -> None:
    assert look(STEADY + BESIDE + BROKEN) == 1
    told = capfd.readouterr().out
    assert "2 of them once more" in told
    assert "Unsteady: test_it.py::test_beside " in told
    assert "Unsteady: test_it.py::test_broken" not in told


@pytest.mark.parametrize(
    "text", [STEADY, "import no_such_module", "".join(BROKEN.replace("_broken", f"_{n}") for n in range(13))]
)
def test_there_is_no_second_look_at_a_success_a_file_that_is_none_and_many_failures(
    look: Callable[[str], int], text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (look(text) == 0) == (text == STEADY)
    assert "once more" not in capfd.readouterr().out
