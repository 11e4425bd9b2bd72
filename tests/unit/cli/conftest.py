"""The command line with stand-in models, in a home of its own."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from terminals import Result, Run, Terminal

from studio.catalog import catalog
from studio.cli import console, words
from studio.results import Update


@pytest.fixture(autouse=True)
def _demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instant stand-in models, an English terminal, a home of its own."""
    for name, value in {"DEMO": "1", "HOME": str(tmp_path / "home"), "LANGUAGE": "en", "OFFLINE": "1"}.items():
        monkeypatch.setenv(f"STUDIO_{name}", value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: object, stdin: bytes = b"", tty: bool = False) -> Result:
        monkeypatch.setattr(sys, "stdin", (Terminal if tty else io.TextIOWrapper)(io.BytesIO(stdin), encoding="utf-8"))
        code = words.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins that take their time, so that they can be stopped in the middle."""
    cards = tuple(replace(card, options={"step_seconds": 0.02, "load_seconds": 0.1}) for card in catalog._demo_cards())
    monkeypatch.setattr(catalog, "_demo_cards", lambda: cards)


@pytest.fixture
def interrupted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Update]]:
    """Ctrl+C at the first sign of work, or of the stage that the test names as the fixture's parameter.

    "written" is the first sign of a text.
    """
    stage = getattr(request, "param", "running")
    seen: list[Update] = []
    real = console.Console.progress

    def progress(self: console.Console, update: Update, title: str = "", step: str = "step") -> None:
        real(self, update, title, step)
        if not seen and (update.text if stage == "written" else update.kind == stage):
            seen.append(update)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(console.Console, "progress", progress)
    before = signal.getsignal(signal.SIGINT)
    yield seen
    assert signal.getsignal(signal.SIGINT) is before, "the program's own handler is back"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    Image.new("RGB", (8, 8), "red").save(path)
    return path


@pytest.fixture
def code_file(tmp_path: Path) -> Path:
    path = tmp_path / "file.py"
    path.write_text("def add(a, b):\n    return \n\n# end\n")
    return path
