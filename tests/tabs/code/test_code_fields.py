"""From the code tab's fields to a request, and what the scripts ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.errors import StudioError
from studio.request_parts import CodeFile
from studio.tasks.code.languages import SUFFIXES, TITLES, of_file, spelled
from studio.tasks.code.lexing import known
from studio.tasks.code.syntax import CHECKED
from tabs.code import as_typed, fields
from tabs.shared import uploaded


@pytest.fixture
def upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(uploaded, "uploads", lambda: tmp_path)

    def upload(name: str, data: bytes) -> dict[str, str]:
        (tmp_path / name).write_bytes(data)
        return {"path": str(tmp_path / name), "orig_name": name}

    return upload


def test_what_is_not_filled_in_is_the_models(upload: Any) -> None:
    asked = fields.request({}, "a", "b", "src/a.py")
    assert (asked.prefix, asked.suffix, asked.path, asked.count, asked.max_tokens) == ("a", "b", "src/a.py", 1, None)


def test_other_files_come_in_their_order_with_their_names(upload: Any) -> None:
    sent = [upload("b.py", b"x = 1\r\n"), upload("a.txt", "é".encode("cp1252"))]
    asked = fields.request({"files": sent, "count": "3", "seed": "7"}, "a", "", "")
    assert asked.files[0] == CodeFile("b.py", "x = 1\n")
    assert [file.name for file in asked.files] == ["b.py", "a.txt"]
    assert (asked.count, asked.seed) == (3, 7)


def test_a_file_that_is_no_text_and_one_of_this_machine_are_refused(upload: Any) -> None:
    with pytest.raises(StudioError) as caught:
        fields.request({"files": [upload("a.png", b"\x89PNG\0\0")]}, "a", "", "")
    assert caught.value.code == "not_a_text_file"
    with pytest.raises(StudioError) as caught:
        fields.request({"files": [{"path": "/etc/passwd"}]}, "a", "", "")
    assert caught.value.code == "not_uploaded"


@pytest.mark.parametrize("sent", [{"code-seed": 5}, {"code-files": "x"}, {"code-fill-in-middle": "no"}])
def test_what_the_page_never_sends_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(StudioError) as caught:
        as_typed.named(sent)
    assert caught.value.code == "bad_message"


def test_fields_are_found_by_their_names_on_the_page() -> None:
    assert as_typed.named({"code-max-tokens": "5", "code-as-typed": True, "code-model": None}) == {"max_tokens": "5"}


@pytest.mark.parametrize(
    ("name", "language"),
    [("src/Main.java", "java"), ("a.KT", "kotlin"), ("Dockerfile", "dockerfile"), ("x.tsx", "typescript"),
     ("a\\b.cs", "csharp"), ("Gemfile", "ruby"), ("LICENSE", ""), ("", ""), ("a.h", "c"), ("notes.tex", "latex")],
)  # fmt: skip
def test_a_files_name_tells_its_language(name: str, language: str) -> None:
    assert of_file(name) == language


@pytest.mark.parametrize(
    ("word", "language"), [("C++", "cpp"), ("py", "python"), (" Golang", "go"), ("c#", "csharp"), ("cobol", "")]
)
def test_a_word_tells_a_language(word: str, language: str) -> None:
    assert spelled(word) == language


def test_every_language_that_is_checked_or_ended_by_rules_is_offered() -> None:
    assert set(CHECKED) <= set(TITLES)
    assert {name for name in SUFFIXES if known(name)} <= set(TITLES) | {"c++"}
