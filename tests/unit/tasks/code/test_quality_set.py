"""The holes that code models are measured on: what belongs there passes, and what does not fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from bench import quality

HOLES = quality.holes()


def test_there_are_fifty_and_what_belongs_there_passes() -> None:
    assert len(HOLES) == 50
    whole = "\n\n".join(f"def hole_{n}():\n" + _indented(row) for n, row in enumerate(HOLES))
    calls = "\n".join(f"hole_{n}()" for n in range(len(HOLES)))
    assert quality.holds(f"{whole}\n\n{calls}\n", [])
    assert not quality.holds(f"{whole}\n\n{calls}\n", ["False"])


def _indented(row: dict[str, object]) -> str:
    """One hole, filled, with its checks, as the body of a function: one process for all of them."""
    body = f"{row['before']}{row['fill']}{row['after']}\n" + "\n".join(f"assert {one}" for one in row["holds"])  # pyright: ignore
    return f"    exec(compile({body!r}, 'hole', 'exec'), {{}})"


@pytest.mark.parametrize(
    "code",
    ["while True: pass", "x = bytearray(10**10)", "open('a', 'wb', 0).write(b'x')", "raise SystemExit(0)", "x ="],
)
def test_what_runs_for_ever_or_takes_too_much_fails(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "SECONDS", 1)
    assert not quality.holds(code, [])
    assert quality.parses(code) is not code.endswith("=")
