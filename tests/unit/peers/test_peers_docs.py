"""The lines of docs/peers.md, run and read as they stand there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from serving import Place

from studio.addresses import read_peers
from studio.catalog.catalog import Catalog
from studio.catalog.engines import ENGINES
from studio.paths import Home
from studio.settings import Settings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "peers.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("script", blocks("bash"), ids=["jobs", "events"])
def test_lines_for_curl_work(other: Place, tmp_path: Path, script: str) -> None:
    script = script.replace("http://127.0.0.1:7860", other.url).replace("curl -s", "curl -fsS")
    line = ["bash", "-eo", "pipefail", "-c", script]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert '"object":"job"' in done.stdout or "event: done" in done.stdout


def test_tables_are_models(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.own_models.write_text("\n".join(blocks("toml")), encoding="utf-8")
    empty = tmp_path / "none.toml"
    empty.write_text("")
    catalog = Catalog.load(home, builtin=empty)
    assert catalog.problems == ()
    assert {id: (card.host, card.engine) for id, card in catalog.cards.items()} == {
        "at-work": ("llm.example.org", "remote"), "painter": ("192.168.1.30:8080", "remote"),
        "my-checkpoint-at-home": ("home.example.org", "remote"),
    }  # fmt: skip


def test_settings_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = dict(line.split("=", 1) for block in blocks("ini") for line in block.strip().splitlines())
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
    assert settings.profile == "lan"
    peers = read_peers(settings.peers)
    assert [peer.key for peer in peers] == ["DESK_KEY", "OFFICE_KEY"]
    assert "DESK_KEY" in values


def test_every_option_is_explained() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M))
    assert set(ENGINES["remote"].options) <= told
