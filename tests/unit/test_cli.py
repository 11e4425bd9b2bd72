"""The command line: results on stdout, the rest on stderr, one JSON document, honest exit codes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import catalog, i18n, recipe
from studio.chats import Chats
from studio.cli import console, doctor, words
from studio.cli.position import around
from studio.errors import StudioError
from studio.paths import Home
from studio.types import Update

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


Run = Callable[..., Result]


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
    cards = tuple(replace(card, options={"step_seconds": 0.02}) for card in catalog._demo_cards())
    monkeypatch.setattr(catalog, "_demo_cards", lambda: cards)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Update]]:
    """Ctrl+C at the first sign of work."""
    seen: list[Update] = []
    real = console.Console.progress

    def progress(self: console.Console, update: Update, title: str = "") -> None:
        real(self, update, title)
        if update.kind == "running" and not seen:
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


# ---- the five tasks


def test_a_chat_answer_goes_to_stdout_and_the_facts_to_stderr(run: Run) -> None:
    result = run("chat", "Hello", "--seed", 5)
    assert result.code == 0
    assert result.out.startswith("You asked: Hello")
    assert result.out.endswith("\n")
    assert "Demo chat · seed 5" in result.err


@pytest.mark.parametrize("arguments", [("-",), ()])
def test_a_message_comes_from_standard_input(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("chat", *arguments, stdin="Grüße 世界\n".encode()).out.startswith("You asked: Grüße 世界\n")


def test_pictures_are_named_on_stdout_one_a_line(run: Run, tmp_path: Path) -> None:
    result = run("image", "a red house", "-n", 2, "--width", 64, "--height", 64, "--steps", 2, "--seed", 3)
    files = [Path(line) for line in result.out.splitlines()]
    assert result.code == 0
    assert [file.stem[-1] for file in files] == ["3", "4"]
    assert all(file.is_relative_to(tmp_path / "home" / "outputs" / "image") for file in files)
    with Image.open(files[0]) as image:
        assert image.size == (64, 64)


def test_music_is_a_file(run: Run) -> None:
    result = run("music", "a reel", "--duration", 1)
    assert Path(result.out.strip()).read_bytes()[:4] == b"RIFF"


def test_a_caption_is_text(run: Run, picture: Path) -> None:
    result = run("caption", picture, "--length", "short")
    assert result.code == 0
    assert result.out.strip()
    assert run("caption", "-", stdin=picture.read_bytes()).out == run("caption", picture).out


def test_code_prints_only_the_code(run: Run, code_file: Path) -> None:
    result = run("code", f"{code_file}:2:12")
    assert result.code == 0
    assert result.out == run("code", f"{code_file}:2:12", "--json").json["text"]


def test_every_option_reaches_the_recipe(run: Run, code_file: Path, picture: Path) -> None:
    chat = run(
        "chat", "Hi", "--system", "Be brief.", "--temperature", 0.5, "--top-p", 0.8, "--top-k", 9, "--min-p", 0.1,
        "--repetition-penalty", 1.2, "--max-tokens", 50, "--stop", "END", "--stop", "FIN", "--seed", 1, "--json",
    ).json["recipe"]  # fmt: skip
    assert chat["parameters"] == {
        "messages": [{"role": "user", "content": "Hi"}], "system": "Be brief.", "max_tokens": 50, "temperature": 0.5,
        "top_p": 0.8, "top_k": 9, "min_p": 0.1, "repetition_penalty": 1.2, "stop": ["END", "FIN"],
    }  # fmt: skip
    image = run(
        "image", "a", "--negative", "b", "--width", 64, "--height", 72, "--steps", 3, "--guidance", 2, "--count", 1,
        "--scheduler", "Euler a", "--json",
    ).json["recipe"]["parameters"]  # fmt: skip
    assert image == {
        "prompt": "a", "negative_prompt": "b", "width": 64, "height": 72, "steps": 3, "guidance_scale": 2.0, "count": 1,
        "scheduler": "Euler a",
    }  # fmt: skip
    music = run(
        "music", "a", "--negative", "b", "--lyrics", "la", "--duration", 1.5, "--steps", 3, "--guidance", 2,
        "--temperature", 0.9, "--top-k", 8, "--json",
    ).json["recipe"]["parameters"]  # fmt: skip
    assert music == {
        "prompt": "a", "negative_prompt": "b", "lyrics": "la", "duration": 1.5, "steps": 3, "guidance_scale": 2.0,
        "temperature": 0.9, "top_k": 8, "count": 1,
    }  # fmt: skip
    code = run("code", f"{code_file}:2:12", "--no-fim", "--max-tokens", 9, "--top-p", 0.5, "--temperature", 0, "--json")
    assert code.json["recipe"]["parameters"] == {
        "prefix": "def add(a, b):\n    return ", "suffix": "\n\n# end\n", "language": "python", "fill_in_middle": False,
        "max_tokens": 9, "temperature": 0.0, "top_p": 0.5,
    }  # fmt: skip
    caption = run("caption", picture, "--prompt", "Who?", "--length", "long", "--max-tokens", 20, "--json")
    assert caption.json["recipe"]["parameters"]["prompt"] == "Who?"
    assert caption.json["recipe"]["parameters"]["length"] == "long"


def test_the_same_seed_gives_the_same_bytes(run: Run) -> None:
    first, second = (run("image", "a", "--seed", 9, "--width", 64, "--height", 64, "--json").json for _ in range(2))
    assert first["files"] != second["files"]
    pixels = [Image.open(found["files"][0]).tobytes() for found in (first, second)]
    assert pixels[0] == pixels[1]


# ---- JSON


def test_json_is_one_document_with_result_and_recipe(run: Run) -> None:
    found = run("chat", "Hello", "--json").json
    assert set(found) == {"text", "files", "recipe", "stats", "finish", "notes"}
    assert found["text"].startswith("You asked: Hello")
    assert recipe.from_json(json.dumps(found["recipe"])) == found["recipe"]
    several = run("image", "a", "-n", 2, "--width", 64, "--height", 64, "--json").json
    assert "text" not in several
    assert [own["seed"] - several["recipe"]["seed"] for own in several["recipes"]] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "code", "name"),
    [
        (("chat", ""), 1, "empty"),
        (("chat", "hi", "--model", "nosuch"), 1, "unknown_model"),
        (("chat", "hi", "--model", "demo-image"), 1, "wrong_task"),
        (("chat", "hi", "--temperature", "nan"), 1, "not_a_number"),
        (("chat", "x" * 1_000_000), 1, "too_long"),
        (("image", "a", "--steps", "-4"), 1, "out_of_range"),
        (("image", "a", "--width", "500"), 1, "not_multiple"),
        (("image", "a", "--scheduler", "euler"), 1, "not_a_choice"),
        (("image", "a", "--width", "wide"), 2, "usage"),
        (("image", "a", "--out", "a.bmp"), 2, "usage"),
        (("image",), 2, "usage"),
        (("chat", "hi", "--nosuch"), 2, "usage"),
        (("music", "a", "--duration", "1e9"), 1, "out_of_range"),
        (("caption", "nosuch.png"), 1, "file_not_found"),
        (("caption", "."), 1, "file_not_found"),
        (("caption", "hi", "--length", "huge"), 2, "usage"),
        (("code", "nosuch.py:1:1"), 1, "file_not_found"),
        (("code", "."), 1, "file_not_found"),
        (("models", "--task", "dance"), 2, "usage"),
        (("models", "download", "nosuch"), 1, "unknown_model"),
        (("models", "delete", "nosuch"), 1, "unknown_model"),
    ],
)
def test_a_mistake_is_one_clear_error_in_both_forms(run: Run, arguments: tuple[str, ...], code: int, name: str) -> None:
    as_json = run(*arguments, "--json")
    assert (as_json.code, as_json.json["error"]["code"]) == (code, name)
    assert as_json.json["error"]["what"]
    assert as_json.json["error"]["next"]
    plain = run(*arguments)
    assert (plain.code, plain.out) == (code, "")
    assert plain.err
    assert "Traceback" not in plain.err
    assert len(plain.err) < 2_000


def test_a_text_file_named_png_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fake.png").write_text("not a picture")
    result = run("caption", tmp_path / "fake.png")
    assert (result.code, result.out) == (1, "")
    assert "not a picture that can be read" in result.err


def test_errors_speak_the_language_of_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDIO_LANGUAGE")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "宽度" in run("image", "a", "--width", "500").err


def test_a_broken_setting_is_an_error_like_any_other(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_PORT", "many")
    result = run("chat", "hi", "--json")
    assert (result.code, result.json["error"]["code"]) == (1, "bad_setting")


# ---- --out


def test_out_may_be_a_file_and_stdout_has_its_path(run: Run, tmp_path: Path) -> None:
    result = run("image", "a", "--out", tmp_path / "new" / "a.png", "--width", 64, "--height", 64)
    assert result.out.splitlines() == [str(tmp_path / "new" / "a.png")]
    assert recipe.read((tmp_path / "new" / "a.png").read_bytes()) is not None


def test_several_results_are_numbered(run: Run, tmp_path: Path) -> None:
    run("image", "a", "-n", 3, "-o", tmp_path / "a.png", "--width", 64, "--height", 64, "--seed", 5)
    for name, seed in (("a.png", 5), ("a-2.png", 6), ("a-3.png", 7)):
        found = recipe.read((tmp_path / name).read_bytes())
        assert found is not None
        assert found["seed"] == seed


def test_out_may_be_a_folder_and_nothing_there_is_overwritten(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for _ in range(2):
        assert run("image", "a", "-o", f"{folder}/", "--width", 64, "--height", 64, "--seed", 5).code == 0
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("task", "name"),
    [("image", "a.jpg"), ("image", "a.webp"), ("image", "a.JPEG"), ("music", "a.flac"), ("music", "a.wav")],
)
def test_the_suffix_chooses_the_format_and_the_recipe_stays(run: Run, tmp_path: Path, task: str, name: str) -> None:
    size = ("--width", 64, "--height", 64) if task == "image" else ("--duration", 1)
    assert run(task, "a", *size, "-o", tmp_path / name, "--seed", 5).code == 0
    data = (tmp_path / name).read_bytes()
    magic = {".jpg": b"\xff\xd8", ".jpeg": b"\xff\xd8", ".webp": b"RIFF", ".flac": b"fLaC", ".wav": b"RIFF"}
    assert data.startswith(magic[Path(name).suffix.lower()])
    found = recipe.read(data)
    assert found is not None
    assert (found["task"], found["seed"]) == (task, 5)


def test_text_goes_to_the_file_and_not_to_stdout(run: Run, tmp_path: Path, code_file: Path, picture: Path) -> None:
    for word, argument in (("chat", "Hello"), ("code", f"{code_file}:2:12"), ("caption", picture)):
        path = tmp_path / f"{word}.out"
        result = run(word, argument, "--seed", 1, "-o", path)
        assert result.out == f"{path}\n"
        assert path.read_text() == run(word, argument, "--seed", 1, "--json").json["text"]
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run("chat", "Hello", "--seed", 1, "-o", folder).out == f"{folder / 'chat-1.txt'}\n"


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX")
def test_the_file_gets_the_permissions_of_the_users_other_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    run("chat", "Hello", "-o", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "other").stat().st_mode
    (tmp_path / "a.txt").chmod(0o640)
    run("chat", "Hello", "-o", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="named pipes are POSIX")
def test_a_device_is_written_to_and_not_replaced(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert run("chat", "Hello", "-o", pipe).code == 0
    assert pipe.is_fifo()
    assert os.read(reader, 100).startswith(b"You asked: Hello")
    os.close(reader)


def test_a_place_that_cannot_be_written_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("chat", "Hello", "-o", tmp_path / "file" / "a.txt", "--json")
    assert (result.code, result.json["error"]["code"]) == (1, "cannot_write")


# ---- FILE:LINE:COL


@pytest.mark.parametrize(
    ("place", "before", "after"),
    [
        (":1:1", "", "ab\r\n\tc木d\n"),
        (":1:3", "ab", "\r\n\tc木d\n"),
        (":1", "ab", "\r\n\tc木d\n"),
        (":2:1", "ab\r\n", "\tc木d\n"),
        (":2:2", "ab\r\n\t", "c木d\n"),
        (":2:4", "ab\r\n\tc木", "d\n"),
        (":3:1", "ab\r\n\tc木d\n", ""),
        ("", "ab\r\n\tc木d\n", ""),
    ],
)
def test_a_place_splits_the_file_where_an_editor_shows_it(tmp_path: Path, place: str, before: str, after: str) -> None:
    path = tmp_path / "x.py"
    path.write_bytes("ab\r\n\tc木d\n".encode("utf-8-sig"))
    assert around(f"{path}{place}") == (before, after, "python")


@pytest.mark.parametrize("place", [":0:1", ":1:0", ":1:4", ":4:1", ":3:2", ":999999999:1", ":1:999999999"])
def test_a_place_outside_the_file_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(b"ab\r\nc\n")
    with pytest.raises(StudioError) as caught:
        around(f"{path}{place}")
    assert caught.value.code == "bad_position"


def test_a_file_name_may_hold_colons(tmp_path: Path) -> None:
    path = tmp_path / "a:1:2"
    path.write_text("x")
    assert around(str(path)) == ("x", "", "")
    assert around(f"{path}:1:1") == ("", "x", "")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_bytes(b"\xff\xfe")
    with pytest.raises(StudioError) as caught:
        around(str(tmp_path / "x.py"))
    assert caught.value.code == "not_text"


def test_of_a_huge_file_what_surrounds_the_place_is_taken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "big.py").write_text("x = 1\n" * 500_000)
    result = run("code", f"{tmp_path / 'big.py'}:250000:1", "--json")
    assert result.code == 0
    assert result.json["recipe"]["parameters"]["prefix"].endswith("x = 1\n")


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


# ---- models and doctor


def test_models_are_listed_for_a_task_or_all(run: Run) -> None:
    assert "demo-image" in run("models").out
    listed = run("models", "--task", "music").out
    assert "demo-music" in listed
    assert "demo-image" not in listed
    (model,) = run("models", "--task", "music", "--json").json["models"]
    assert (model["id"], model["tasks"], model["licence"]) == ("demo-music", ["music"], "Apache-2.0")


def test_a_model_that_needs_the_network_says_so_and_leaves_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STUDIO_DEMO", "0")
    assert run("models", "download", "sd-turbo", "--json").json["error"]["code"] == "offline_setting"
    result = run("doctor", "--prepare")
    assert result.code == 1
    assert "STUDIO_OFFLINE" in result.err
    missing = run("image", "a cat", "--model", "sd-turbo")
    assert missing.code == 1
    assert "python -m studio models download" in missing.err
    assert run("models", "delete", "sd-turbo").code == 0
    models = tmp_path / "home" / "models"
    assert [path for path in models.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_doctor_names_what_a_person_would_ask_for(run: Run, tmp_path: Path) -> None:
    result = run("doctor")
    assert result.code == 0
    for said in ("Python", "torch", "Memory", "Disk", str(tmp_path / "home"), "Demo chat", "Demo painter"):
        assert said in result.out
    found = run("doctor", "--json").json
    assert found["ok"] is True
    assert {check["name"] for check in found["checks"]} >= {"python", "packages", "device", "memory", "home", "disk"}


def test_doctor_says_which_home_cannot_be_used(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "file"))
    result = run("doctor", "--json")
    assert (result.code, result.json["ok"], result.json["error"]["code"]) == (1, False, "home_not_writable")
    assert run("doctor").code == 1


def test_doctor_fails_where_a_package_is_missing_or_a_table_is_broken(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("pillow", "no-such-package"))
    result = run("doctor")
    assert result.code == 1
    assert "no-such-package" in result.out
    monkeypatch.undo()
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STUDIO_OFFLINE", "1")
    Home.at(tmp_path / "home").own_models.write_text("[models.mine]\ntitle = 5\n")
    result = run("doctor")
    assert result.code == 1
    assert "models.mine" in result.out


def test_prepare_with_everything_here_has_nothing_to_do(run: Run) -> None:
    assert run("doctor", "--prepare").out == "The starter models are ready.\n"
    assert run("doctor", "--prepare", "--json").json["fetched"] == []


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
