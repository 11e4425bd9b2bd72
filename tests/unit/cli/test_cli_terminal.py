"""The command line at a terminal: Ctrl+C, conversations, progress, and the program as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from terminals import ROOT, Result, Run

from studio import i18n
from studio.cli import console
from studio.library.chats import Chats
from studio.paths import Home
from studio.results import Update

# ---- Ctrl+C


@pytest.mark.usefixtures("slow", "interrupted")
def test_ctrl_c_stops_a_picture(run: Run, tmp_path: Path) -> None:
    result = run("image", "a", "--steps", 150, "--width", 64, "--height", 64)
    assert (result.code, result.out) == (130, "")
    assert "Stopped." in result.err
    assert [path for path in (tmp_path / "home" / "outputs").rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("slow", "interrupted")
def test_ctrl_c_with_json_is_still_one_document(run: Run) -> None:
    result = run("image", "a", "--steps", 150, "--width", 64, "--height", 64, "--json")
    assert (result.code, result.json["error"]["code"]) == (130, "stopped")


@pytest.mark.parametrize("interrupted", ["written"], indirect=True)
@pytest.mark.usefixtures("slow", "interrupted")
def test_ctrl_c_keeps_the_text_that_was_written(run: Run) -> None:
    result = run("chat", "Hello", "--json")
    assert (result.code, result.json["finish"]) == (130, "cancelled")
    assert "turn 1 of our conversation" not in result.json["text"]


# ---- a conversation in the terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, run: Run) -> Callable[..., Result]:
    """`chat` on a terminal, with these lines typed; an exception is pressed instead."""

    def terminal(*lines: str | type[BaseException]) -> Result:
        typed = iter(lines)

        def answer(_prompt: str) -> str:
            line = next(typed, EOFError)
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr("builtins.input", answer)
        return run("chat", tty=True)

    return terminal


def kept_chats(tmp_path: Path) -> Chats:
    return Chats(Home.at(tmp_path / "home").chats)


def test_a_conversation_remembers_and_is_kept_on_disk(terminal: Callable[..., Result], tmp_path: Path) -> None:
    result = terminal("Hello", "", "And again")
    assert result.code == 0
    assert "turn 1 of our conversation" in result.out
    assert "turn 2 of our conversation" in result.out
    chats = kept_chats(tmp_path)
    (info,) = chats.list()
    assert [entry.role for entry in chats.load(info.id).messages] == ["user", "assistant"] * 2


def test_new_starts_over_and_exit_ends(terminal: Callable[..., Result], tmp_path: Path) -> None:
    result = terminal("Hello", "/new", "Hello", "/exit", "never asked")
    assert result.out.count("turn 1 of our conversation") == 2
    assert len(kept_chats(tmp_path).list()) == 2


def test_a_refused_line_does_not_end_the_conversation(terminal: Callable[..., Result]) -> None:
    result = terminal("x" * 300_000, KeyboardInterrupt, "Hello")
    assert result.code == 0
    assert "turn 1 of our conversation" in result.out
    assert "Shorten it" in result.err


# ---- progress


def update(**changes: Any) -> Update:
    return replace(Update("id", 1, "running"), **changes)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (update(kind="queued", position=2), "Waiting, 2 in front"),
        (update(kind="queued"), ""),
        (update(kind="downloading", bytes_done=5_000_000), "Downloading M: 5 MB"),
        (
            update(
                kind="downloading",
                bytes_done=34_000_000,
                bytes_total=98_000_000,
                bytes_per_second=5e6,
                seconds_left=12.8,
            ),
            "Downloading M: 34 MB of 98 MB, 5 MB/s, 13 s left",
        ),
        (
            update(kind="downloading", wait=14.6, bytes_done=1, bytes_total=2),
            "Downloading M: the server is busy, going on in 15 s",
        ),
        (
            update(kind="downloading", noted="token_refused"),
            "Downloading M: 0 kB (the hub refused your access token; going on without it)",
        ),
        (update(kind="loading"), "Loading M"),
        (update(kind="loading", fraction=0.5), "Loading M 50%"),
        (update(step=5, steps=20, seconds_left=125), "Step 5 of 20, 2 min 5 s left"),
        (update(step=5), "Working"),
        (update(step=5, stopping=True), "Stopping after this step"),
        (update(kind="done"), ""),
    ],
)
def test_progress_is_one_plain_line(state: Update, line: str) -> None:
    assert console.describe(state, "M")[0] == line


def test_a_log_hears_of_quarters_and_not_of_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = console.Console()
    for step in range(100):
        terminal.progress(update(step=step, steps=100, elapsed=step * 0.5))
    assert 3 <= len(capsys.readouterr().err.splitlines()) <= 5


def test_a_terminal_has_one_line_that_fits_and_is_taken_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    terminal = console.Console()
    for step in range(3):
        terminal.progress(update(kind="downloading", bytes_done=step * 10**6), "木" * 50)
    terminal.note("done")
    shown = capsys.readouterr().err
    assert shown.endswith("\rdone\n")
    assert "\n" not in shown[:-1]
    assert all(console.columns(part) < 20 for part in shown.split("\r"))


def test_an_answer_cannot_drive_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    console.Console().stream("a\x1b]0;title\x07\x9b2J\r\tb\n")
    assert capsys.readouterr().out == "a]0;title2J\tb\n"


def test_every_text_of_the_command_line_exists_in_every_language() -> None:
    keys = {language: {key for key in i18n.table(language) if key.startswith("cli.")} for language in i18n.LANGUAGES}
    assert keys["en"]
    assert len(set(map(frozenset, keys.values()))) == 1


# ---- the program


def program(*arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    pipes: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, **pipes, **more)


def test_help_comes_without_torch_gradio_or_the_service() -> None:
    code = (
        "import sys; from studio.cli.words import main; main(['--help']);"
        "print([m for m in ('torch', 'gradio', 'numpy', 'PIL', 'httpx', 'studio.service') if m in sys.modules])"
    )
    out, _ = program("-c", code).communicate()
    assert b"caption" in out
    assert out.splitlines()[-1] == b"[]"


def test_the_program_writes_utf8_whatever_the_locale_says() -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    process = program("-m", "studio", "chat", "Grüße 世界", env=environment)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert out.decode().startswith("You asked: Grüße 世界")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    process = program("-m", "studio", "chat", "Hello")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert b"Error" not in process.stderr.read()
    assert process.wait() == 0


def test_stdout_has_only_the_result_whatever_libraries_print() -> None:
    code = (
        "import os, sys; from studio.__main__ import claim_stdout; claim_stdout();"
        "os.write(1, b'from C\\n'); print('the result'); sys.stdout.flush()"
    )
    out, err = program("-c", code).communicate()
    assert out == b"the result\n"
    assert b"from C" in err
