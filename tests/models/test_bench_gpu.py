"""The benchmark of a card, tried on a processor with tiny models: every row is there, and measured."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import gpu

ROWS = [
    *(f"load of {task}" for task in gpu.TASKS),
    "chat", "first token", f"{gpu.TOGETHER} chats at once", "picture", "painting", "music", "captions, one by one",
    "captions, 4 at once", "peak of chat", "peak of image", "peak of music",
]  # fmt: skip


@pytest.mark.timeout(300)
def test_every_figure_is_measured_of_both_sides(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDIO_PREPARE", "0")
    file = tmp_path / "rows.json"
    rows = gpu.main(["--tiny", "--rounds", "1", "--device", "cpu", "--json", str(file)])
    assert [row.name for row in rows] == ROWS
    said = capsys.readouterr().out
    assert "these are the processor's figures" in said
    measured = [row for row in rows if not row.name.startswith("peak")]
    assert all(row.library > 0 and row.studio > 0 for row in measured)
    values = [value for row in measured for value in (row.library, row.studio)]
    assert len(set(values)) == len(values), "two of them are the same to the last digit: not measured"
    kept = json.loads(file.read_text())
    assert [row["ratio"] for row in kept["rows"]] == [row.ratio for row in rows]


def test_a_ratio_is_above_one_where_the_studio_is_better():
    assert gpu.Row("chat", "tokens/s", 10, 20).ratio == 2
    assert gpu.Row("load", "s", 10, 5, more=False).ratio == 2
    assert gpu.Row("peak", "MB", 10, 20, more=False).ratio == 0.5


def test_a_faster_way_that_does_not_work_is_said():
    with pytest.raises(SystemExit, match="does not work"):
        gpu.Always().failed("answer")
