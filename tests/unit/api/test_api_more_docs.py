"""The lines of docs/api-pictures.md, api-more.md and mcp.md, run as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gradio
import pytest
import yaml
from serving import Place, served

from studio.service import Studio
from studio.settings import Settings

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
def test_lines_of_python_work(place: Place, tmp_path: Path, script: str, said: str) -> None:
    assert said in run([sys.executable, "-c", script.replace(ADDRESS, place.url)], tmp_path)


def test_lines_for_gradios_client_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tabs.serve import open_page

    settings = Settings(demo=True, home=tmp_path / "home", device="cpu", keep_free_gb=0, port=0, open_browser=False)
    with Studio(settings) as studio:
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(studio.instance.shown))
        url = open_page(studio).rstrip("/")
        for script in blocks("python", "api-more.md"):
            said = run([sys.executable, "-c", script.replace(ADDRESS, url)], tmp_path)
            assert "[7, 8]" in said
            assert "letters so far" in said
        gradio.close_all(verbose=False)


def test_settings_of_other_programs_are_what_they_can_read() -> None:
    assert all(json.loads(block)["mcpServers"] for block in blocks("json", "mcp.md"))
    assert all(yaml.safe_load(block)["scrape_configs"] for block in blocks("yaml", "api-more.md"))
