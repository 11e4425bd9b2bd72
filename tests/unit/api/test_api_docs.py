"""The lines of docs/api.md, run as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from serving import Place, png

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7860"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("script", blocks("bash"), ids=lambda script: re.sub(r"\W+", "-", script[:60]))
def test_lines_for_curl_work(place: Place, tmp_path: Path, script: str) -> None:
    (tmp_path / "fox.png").write_bytes(png())
    line = ["bash", "-eo", "pipefail", "-c", script.replace(ADDRESS, place.url).replace("curl -s", "curl -fsS")]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert '"error":{' not in done.stdout
    made = list(tmp_path.glob("*.wav"))
    assert done.stdout.strip() or made[0].read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize("script", blocks("python"))
def test_lines_of_python_work(place: Place, tmp_path: Path, script: str) -> None:
    line = [sys.executable, "-c", script.replace(ADDRESS, place.url)]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "You asked: Why is the sky blue?" in done.stdout
    assert "letters of PNG" in done.stdout


def test_settings_of_other_programs_are_what_they_can_read() -> None:
    assert all(json.loads(block) for block in blocks("json"))
    assert all(yaml.safe_load(block)["models"] for block in blocks("yaml"))
    assert all(tomllib.loads(block)["model_providers"] for block in blocks("toml"))
    assert blocks("json")
    assert blocks("yaml")
    assert blocks("toml")
