"""PDF files as text: of other writers, of the published form, and of people who mean harm."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pytest
from media import pdf_files

from studio.errors import StudioError
from studio.media import pdf


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_kept", type(pdf._kept)())


def refused(data: bytes, letters: int = 1000) -> str:
    with pytest.raises(StudioError) as caught:
        pdf.read(data, letters, "x.pdf")
    assert "x.pdf" in caught.value.what("en")
    assert caught.value.next("zh-CN") != caught.value.next("en")
    return caught.value.code


def test_the_text_of_each_page_stands_under_its_number() -> None:
    found = pdf.read(pdf_files.typeset(["Hello there\nSecond line", "狐狸在雪地里"]), 1000)
    assert found == pdf.PdfText("[Page 1]\nHello there\nSecond line\n\n[Page 2]\n狐狸在雪地里", 2, 2, False)
    assert pdf.read(pdf_files.by_hand([pdf_files.line("By hand")]), 1000).text == "[Page 1]\nBy hand"


def test_a_long_one_is_cut_and_says_so() -> None:
    pages = [f"Page number {number} " + "x" * 60 for number in range(1, 30)]
    found = pdf.read(pdf_files.typeset(pages), 500)
    assert (len(found.text), found.pages, found.cut) == (500, 29, True)
    assert 4 < found.read < 10
    assert "Page number 1 " in found.text


def test_no_more_pages_are_read_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "PAGES", 3)
    found = pdf.read(pdf_files.typeset(["same"] * 9), 1000)
    assert (found.read, found.pages, found.cut) == (3, 9, True)


def test_a_password_is_asked_for_nowhere_and_said_clearly() -> None:
    assert refused(pdf_files.locked("secret")) == "pdf_locked"
    assert pdf.read(pdf_files.locked(""), 1000).text == "[Page 1]\nFor your eyes"


def test_pages_that_were_scanned_have_no_text() -> None:
    assert refused(pdf_files.scanned()) == "pdf_no_text"


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.7 text", b"%PDF-1.4\n" + b"\0" * 5000])
def test_what_only_calls_itself_a_pdf_is_broken(data: bytes) -> None:
    assert refused(data) == "pdf_broken"


def test_one_with_junk_before_it_is_read_and_one_that_was_cut_off_is_refused() -> None:
    whole = pdf_files.by_hand([pdf_files.line("First"), pdf_files.line("Second")])
    assert "First" in pdf.read(b"junk\r\n" * 20 + whole, 1000).text  # every place in its table is wrong
    assert refused(whole[: whole.index(b"xref")]) == "pdf_broken"


def test_bombs_loops_and_a_million_pages_end_within_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "SECONDS", 6)
    monkeypatch.setattr(pdf, "MEMORY", 400_000_000)
    circle = pdf_files.by_hand([pdf_files.line("round")], kids="2 0 R 2 0 R 4 0 R")
    many = pdf_files.by_hand([pdf_files.line("one")], kids="4 0 R " * 300_000)
    nested = b"%PDF-1.4\n1 0 obj\n" + b"[" * 200_000 + b"\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
    for data in (pdf_files.bomb(1), pdf_files.bomb(2), pdf_files.bomb(3), circle, many, nested):
        begun = time.monotonic()
        try:
            assert len(pdf.read(data, 1000).text) <= 1000
        except StudioError as error:
            assert error.code in ("pdf_too_hard", "pdf_broken", "pdf_no_text")  # noqa: PT017
        assert time.monotonic() - begun < 2 * pdf.SECONDS


def test_the_process_cannot_take_more_memory_than_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MEMORY", 90_000_000)
    assert refused(pdf_files.by_hand([pdf_files.line("a" * 50_000_000)])) == "pdf_too_hard"


def test_one_that_hangs_is_ended_and_what_it_had_read_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    run = subprocess.run

    def hanging(program: list[str], **how: Any) -> Any:
        said = 'import json, time; print(json.dumps({"pages": 9}), flush=True); '
        said += 'print(json.dumps({"text": "the first", "whole": True}), flush=True); time.sleep(60)'
        return run([program[0], "-c", said], **how)

    monkeypatch.setattr(pdf, "SECONDS", 2)
    monkeypatch.setattr(pdf.subprocess, "run", hanging)
    found = pdf.read(b"%PDF-1.4", 1000)
    assert (found.text, found.read, found.pages, found.cut) == ("[Page 1]\nthe first", 1, 9, True)


def test_signs_that_are_none_are_left_out() -> None:
    data = pdf_files.by_hand([b"BT /F1 12 Tf 72 720 Td (a\\000b\\033[31mc\\007d) Tj ET"])
    assert pdf.read(data, 1000).text == "[Page 1]\nab[31mcd"


def test_what_was_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pdf_files.typeset(["Once"])
    first = pdf.read(data, 1000)
    monkeypatch.setattr(pdf.subprocess, "run", lambda *_, **__: pytest.fail("read again"))
    assert pdf.read(data, 1000) == first
