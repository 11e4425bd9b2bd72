"""A listing of a chat against the selection that was handed over."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from studio.errors import StudioError
from tabs.code import review
from tabs.shared.asker import Asker

ME = Asker("me", "here", "en")


def shown(before: str, after: str) -> dict[str, object]:
    return json.loads(bytes(review.answer(None, {"before": before, "after": after}, ME).body))  # pyright: ignore


@pytest.mark.parametrize(
    ("before", "after", "fitted"),
    [
        ("    a = 1\n", "a = 2", "    a = 2\n"),
        ("    a = 1", "    a = 2\n", "    a = 2"),
        ("\ta()\n\t\tb()\n", "a()\n    b()\n", "\ta()\n\t\tb()\n"),
        ("def f():\n    pass\n\n\n", "\ndef f():\n    return 1\n", "def f():\n    return 1\n\n\n"),
        ("", "assert f()\n", "assert f()"),
    ],
)
def test_a_listing_stands_as_deep_as_what_it_replaces_and_ends_like_it(before: str, after: str, fitted: str) -> None:
    assert review.fit(before, after) == fitted


def test_lines_that_go_and_come_are_those_that_diff_names(tmp_path: Path) -> None:
    """diff itself is the witness."""
    before = "".join(f"line {n}\n" for n in range(30))
    after = before.replace("line 7\n", "seven\n").replace("line 20\n", "").replace("line 25\n", "line 25\nmore\n")
    made = str(shown(before, after)["html"])
    (tmp_path / "a").write_text(before)
    (tmp_path / "b").write_text(review.fit(before, after))
    told = subprocess.run(["diff", tmp_path / "a", tmp_path / "b"], capture_output=True, text=True, check=False).stdout
    ours = re.findall(r'<(del|ins) class="a-line"><b aria-hidden="true">.</b>(.*)\n', made)
    assert [("- " if tag == "del" else "+ ") + line for tag, line in ours] == [
        line.replace("< ", "- ", 1).replace("> ", "+ ", 1) for line in told.splitlines() if line[:1] in "<>"
    ]
    assert '<div class="a-gap">' in made


def test_what_a_model_wrote_is_text_and_nothing_else() -> None:
    made = shown("a", "<script>alert(1)</script>")
    assert "<script>" not in str(made["html"])
    assert made["text"] == "<script>alert(1)</script>"


def test_the_same_is_told_and_long_texts_are_quick() -> None:
    assert shown("a\n", "a")["same"]
    assert shown("\n".join("ab" * (n % 3) for n in range(4000)), "\n".join("ba" * (n % 5) for n in range(4000)))["html"]


@pytest.mark.parametrize("message", [[], {"before": 1}, {"before": "x" * 400_000, "after": "y"}])
def test_what_the_page_never_sends_is_refused(message: object) -> None:
    with pytest.raises(StudioError) as caught:
        review.answer(None, message, ME)  # pyright: ignore
    assert caught.value.code == "bad_message"
