"""The command line: results on stdout, the rest on stderr, one JSON document, honest exit codes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import pdf_files
from PIL import Image
from terminals import Run

from studio.catalog import catalog
from studio.cli import doctor
from studio.engines.demo.fake import FakeModel
from studio.media import pdf
from studio.paths import Home
from studio.recipes import recipe
from studio.recipes.embed_audio import encode_wav
from studio.results import Audio

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


def test_the_exact_prompt_of_a_question_is_printed_and_nothing_else(run: Run) -> None:
    result = run("chat", "Hello there", "--system", "Be brief.", "--show-prompt")
    assert result.out == "system: Be brief.\nuser: Hello there\nassistant:\n"
    found = run("chat", "Hello there", "--show-prompt", "--json").json
    assert (found["prompt"], found["text"]) == ("user: Hello there\nassistant:", "")
    assert found["stats"]["prompt_tokens"] == 4


def test_files_come_with_a_question(run: Run, picture: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("fox", encoding="utf-8")
    result = run("chat", "What?", "--file", picture, "--file", notes)
    assert "cat.png, a picture of" in result.out
    assert "notes.md, 1 lines" in result.out
    shown = run("chat", "What?", "--file", notes, "--show-prompt").out
    assert shown == "user: File: notes.md\n```markdown\nfox\n```\n\nWhat?\nassistant:\n"
    files = run("chat", "What?", "--file", notes, "--json").json["recipe"]["parameters"]["messages"][0]["files"]
    assert files == [{"name": "notes.md", "sha256": hashlib.sha256(b"fox").hexdigest(), "bytes": 3}]


def test_a_pdf_comes_as_text_and_what_is_cut_is_told_on_stderr(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tale.pdf"
    file.write_bytes(pdf_files.typeset(["The fox", "The snow"]))
    shown = run("chat", "Who?", "--file", file, "--show-prompt").out
    assert shown.startswith("user: File: tale.pdf\n```\n[Page 1]\nThe fox\n\n[Page 2]\nThe snow\n```\n\nWho?")
    monkeypatch.setattr(pdf, "PAGES", 1)
    file.write_bytes(pdf_files.typeset(["One", "Two"]))
    assert "1 of 2 pages" in run("chat", "Who?", "--file", file).err
    file.write_bytes(pdf_files.scanned())
    assert "no text in it" in run("chat", "Who?", "--file", file).err


def test_every_option_reaches_the_recipe(run: Run, code_file: Path, picture: Path, tmp_path: Path) -> None:
    chat = run(
        "chat", "Hi", "--system", "Be brief.", "--temperature", 0.5, "--top-p", 0.8, "--top-k", 9, "--min-p", 0.1,
        "--repetition-penalty", 1.2, "--max-tokens", 50, "--stop", "END", "--stop", "FIN", "--seed", 1,
        "--opening", "Well", "--json",
    ).json["recipe"]  # fmt: skip
    assert chat["parameters"] == {
        "messages": [{"role": "user", "content": "Hi"}], "system": "Be brief.", "opening": "Well", "max_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.8, "top_k": 9, "min_p": 0.1, "repetition_penalty": 1.2, "stop": ["END", "FIN"],
        "only_prompt": False, "thinking_budget": 0, "schema": "", "summarise": False,
    }  # fmt: skip
    image = run(
        "image", "a", "--negative", "b", "--width", 64, "--height", 72, "--steps", 3, "--guidance", 2, "--count", 1,
        "--scheduler", "Euler a", "--json",
    ).json["recipe"]["parameters"]  # fmt: skip
    assert image | {
        "prompt": "a", "negative_prompt": "b", "width": 64, "height": 72, "steps": 3, "guidance_scale": 2.0, "count": 1,
        "scheduler": "Euler a",
    } == image  # fmt: skip
    hum = tmp_path / "hum.wav"
    hum.write_bytes(encode_wav(Audio(np.full((1, 8000), 0.1, np.float32), 8000)))
    music = run(
        "music", "a", "--negative", "b", "--lyrics", "la", "--duration", 1.5, "--steps", 3, "--guidance", 2,
        "--temperature", 0.9, "--top-k", 8, "--tempo", 90, "--key", "D major", "--metre", "3/4", "--bars", 4,
        "--players", "harp", "--loop", "--melody", "part bar4 d24 n0",
        "--sound", hum, "--sound-use", "follow", "--sound-keep", 0.5, "--json",
    ).json["recipe"]["parameters"]  # fmt: skip
    assert music == {
        "prompt": "a", "negative_prompt": "b", "lyrics": "la", "duration": 1.5, "steps": 3, "guidance_scale": 2.0,
        "temperature": 0.9, "top_k": 8, "count": 1, "tempo": 90.0, "key": "D major", "metre": "3/4", "bars": 4,
        "players": "harp", "loop": True, "melody": "part bar4 d24 n0",
        "sound": {"sha256": hashlib.sha256(hum.read_bytes()).hexdigest(), "bytes": hum.stat().st_size},
        "sound_use": "follow", "sound_keep": 0.5,
    }  # fmt: skip
    code = run(
        "code", f"{code_file}:2:12", "--no-fim", "--max-tokens", 9, "--top-p", 0.5, "--temperature", 0,
        "--candidates", 2, "--context", code_file, "--json",
    )  # fmt: skip
    called, data = "/".join(code_file.parts[-2:]), code_file.read_bytes()
    assert code.json["recipe"]["parameters"] == {
        "prefix": "def add(a, b):\n    return ", "suffix": "\n\n# end\n", "language": "python", "fill_in_middle": False,
        "max_tokens": 9, "temperature": 0.0, "top_p": 0.5, "count": 2, "only_prompt": False, "path": called,
        "files": [{"name": called, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}],
        "edits": [],
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
        (("caption", "."), 1, "no_pictures"),
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


# ---- models and doctor


def test_models_are_listed_for_a_task_or_all(run: Run) -> None:
    assert "demo-image" in run("models").out
    listed = run("models", "--task", "music").out
    assert "demo-music" in listed
    assert "demo-image" not in listed
    (model,) = run("models", "--task", "music", "--json").json["models"]
    assert (model["id"], model["tasks"], model["licence"]) == ("demo-music", ["music"], "Apache-2.0")


def test_of_a_model_without_files_none_are_spoken_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_DEMO", "0")
    (line,) = [line for line in run("models", "--task", "upscale").out.splitlines() if line.startswith("lanczos")]
    assert line.split()[2:5] == ["no", "files", "–"]
    for word in ("download", "delete"):
        assert run("models", word, "lanczos", "--json").json["error"]["code"] == "no_files"


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


# ---- less memory


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A painter with variants that runs out of memory above 64 × 64."""
    changed = {
        "starter": False, "parameters": 2_000_000, "memory_bytes": 4_000_000,
        "options": {"most_pixels": 4096, "pixel_bytes": 64},
    }  # fmt: skip
    cards = tuple(replace(card, **changed) if card.id == "demo-image" else card for card in catalog._demo_cards())
    monkeypatch.setattr(catalog, "_demo_cards", lambda: cards)


def test_what_may_help_is_told_as_options_to_add(run: Run, tight: None) -> None:
    result = run("image", "hills", "--width", 256, "--height", 128)
    assert result.code == 1
    assert "Decode in tiles: --tiling" in result.err
    assert "Paint 256 × 128" not in result.err
    assert "Use it in 8 bits: --model demo-image@int8" in result.err
    offers = run("image", "hills", "--width", 256, "--height", 256, "--json").json["offers"]
    assert offers[0] == {"what": "Decode in tiles", "flags": ["--tiling"]}
    assert run("image", "hills", "--width", 256, "--height", 128, "--tiling").code == 0


def test_a_folder_of_captions_is_told_to_go_on_with_another_model(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = {"starter": False, "parameters": 2_000_000, "memory_bytes": 4_000_000}
    cards = tuple(replace(card, **changed) if card.id == "demo-caption" else card for card in catalog._demo_cards())
    monkeypatch.setattr(catalog, "_demo_cards", lambda: cards)
    answer = FakeModel.run

    def short(model: FakeModel, request: Any, context: Any) -> Any:
        if not model._card.variant:
            raise MemoryError
        return answer(model, request, context)

    monkeypatch.setattr(FakeModel, "run", short)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    result = run("caption", tmp_path, "--json")
    assert result.json["offers"] == [
        {"what": "Use it in 8 bits", "flags": ["--model", "demo-caption@int8", "--resume"]}
    ]
    assert run("caption", tmp_path, *result.json["offers"][0]["flags"]).code == 0
    assert (tmp_path / "a.txt").read_text().startswith("a square picture")


def test_variants_are_listed_and_can_be_asked_for(run: Run, tight: None) -> None:
    assert "@int8" in next(line for line in run("models").out.splitlines() if line.startswith("demo-image"))
    listed = next(one for one in run("models", "--json").json["models"] if one["id"] == "demo-image")
    assert [one["id"] for one in listed["variants"]] == ["demo-image@int8"]
    made = run("image", "hills", "--width", 64, "--height", 64, "--model", "demo-image@int8", "--json").json
    assert (
        made["recipe"]["model"] | {"id": "demo-image@int8", "title": "Demo painter · 8-bit"} == made["recipe"]["model"]
    )
    wrong = run("image", "hills", "--model", "demo-image@int3")
    assert wrong.code == 1
    assert "demo-image@int8" in wrong.err
