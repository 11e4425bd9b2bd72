"""The lines of docs/api-pictures.md, api-more.md and mcp.md, run as they stand there (those for gradio_client: with the
endpoints of the page)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from serving import Place, served

DOCS = Path(__file__).resolve().parents[3] / "docs"
ADDRESS = "http://127.0.0.1:7860"


def blocks(kind: str, *pages: str) -> list[str]:
    texts = [(DOCS / page).read_text(encoding="utf-8") for page in pages]
    return [block for text in texts for block in re.findall(rf"```{kind}\n(.*?)```", text, re.S)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served(tmp_path_factory.mktemp("home"), mcp=True) as found:
        yield found


def run(line: list[str], cwd: Path) -> str:
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", blocks("bash", "api-pictures.md", "api-more.md"), ids=lambda one: one[11:45])
def test_lines_for_curl_work(place: Place, tmp_path: Path, script: str) -> None:
    script = script.replace(ADDRESS, place.url).replace("curl -s", "curl -fsS")
    assert run(["bash", "-eo", "pipefail", "-c", script], tmp_path).strip()


@pytest.mark.parametrize(
    ("script", "said"),
    [*((one, "Steps: 4") for one in blocks("python", "api-pictures.md")),
     *((one, "['image', 'text']") for one in blocks("python", "mcp.md"))],
    ids=["AUTOMATIC1111", "MCP"],
)  # fmt: skip
def test_lines_of_python_work(place: Place, script: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(script.replace(ADDRESS, place.url), "docs", "exec"), {})
    assert said in capsys.readouterr().out


def test_settings_of_other_programs_are_what_they_can_read() -> None:
    assert all(json.loads(block)["mcpServers"] for block in blocks("json", "mcp.md"))
    assert all(yaml.safe_load(block)["scrape_configs"] for block in blocks("yaml", "api-more.md"))
